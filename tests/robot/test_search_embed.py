"""The model that comes with the installation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot.search import embed
from robot.search.embed import DIMENSION, MAX_TOKENS, BundledMiniLM, Embedder
from robot.search.index import Snapshot
from robot.search.values import ModelUnavailable


@pytest.fixture(scope="module")
def model() -> Embedder:
    return BundledMiniLM().open()


def test_near_in_meaning_is_near(model: Embedder) -> None:
    passages = model.embed_passages(
        [
            "Nightly copies of the database go to the second machine.",
            "The cafeteria serves soup on Mondays.",
            "git rebase rewrites the commits of a branch.",
        ]
    )
    assert passages.shape == (3, DIMENSION)
    assert passages.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1.0, atol=1e-5)
    scores = passages @ model.embed_query("how is our data backed up?")[0]
    assert scores.argmax() == 0


def test_batch_makes_no_difference(model: Embedder) -> None:
    texts = ["one", "a much longer text " * 20]
    together = model.embed_passages(texts)
    np.testing.assert_allclose(together[1], model.embed_passages(texts[1:])[0], atol=1e-6)


def test_reads_256_tokens_and_no_more(model: Embedder) -> None:
    beginning = "alpha " * (MAX_TOKENS - 2)
    vector = model.embed_passages([beginning + "omega " * 50])
    np.testing.assert_array_equal(vector, model.embed_passages([beginning]))
    assert not np.array_equal(vector, model.embed_passages(["alpha " * 200]))


@pytest.mark.parametrize("text", ["", "\0", "([", "😀" * 20, "x" * 10_000, "\ud800", "漢字" * 300])
def test_odd_texts_have_vectors(model: Embedder, text: str) -> None:
    assert model.embed_query(text).shape == (1, DIMENSION)
    assert model.count_tokens(text) >= 0


def test_tokens_are_counted_beyond_the_limit(model: Embedder) -> None:
    assert model.count_tokens("word " * 1_000) == 1_000


def test_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "MODEL_PACKAGE", "robot_no_such_model_package")
    with pytest.raises(ModelUnavailable, match="not installed"):
        BundledMiniLM().open()


def test_damaged_and_absent_files_are_said(tmp_path: Path) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match="damaged"):
        BundledMiniLM(damaged).open()
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        BundledMiniLM(tmp_path / "none.onnx").open()


def test_snapshot_finds_the_nearest_first() -> None:
    vectors = np.eye(4, dtype=np.float16)
    snapshot = Snapshot([(bytes([n]), vectors[n].tobytes()) for n in range(4)])
    question = np.array([[0.0, 0.6, 0.8, 0.0]], dtype=np.float32)
    found = snapshot.nearest(question, 3)
    assert [digest for digest, _ in found[:2]] == [b"\x02", b"\x01"]
    assert found[0][1] == pytest.approx(0.8)
    assert len(snapshot.nearest(question, 100)) == 4


def test_empty_snapshot_finds_nothing() -> None:
    assert Snapshot([]).nearest(np.zeros((1, 4), dtype=np.float32), 5) == []
