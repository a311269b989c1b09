"""The model that comes with the installation, and models in directories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot.search.model.directory import BUNDLED, ModelDirectory, bundled_model
from robot.search.model.embed import UNKNOWN, Embedder
from robot.search.model.engine import MAX_TOKENS
from robot.search.model.host import ModelHost
from robot.search.values import ModelUnavailable

DIMENSION = 384


@pytest.fixture(scope="module")
def model() -> Embedder:
    return bundled_model().open()


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


def copied(target: Path, *, without: str = "", **files: str) -> Path:
    """The bundled model's directory in `target`, with other files in place of its own."""
    for file in BUNDLED.iterdir():
        if file.name != without:
            shutil.copyfile(file, target / file.name)
    for name, text in files.items():
        (target / f"{name}.json").write_text(text, "utf-8")
    return target


def operators(directory: Path) -> ModelDirectory:
    return ModelDirectory(directory, name=directory.name)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.json"])
def test_damaged_and_absent_files_are_said(tmp_path: Path, name: str) -> None:
    source = bundled_model(copied(tmp_path, without=name))
    with pytest.raises(ModelUnavailable, match=rf"^{name} of the embedding model in .* cannot be read: No such file"):
        source.open()
    (tmp_path / name).write_bytes((BUNDLED / name).read_bytes()[:-1])
    with pytest.raises(ModelUnavailable, match=rf"^{name} of the embedding model .* is damaged; install robot again"):
        source.check()


def test_operators_directory_needs_two_files(tmp_path: Path, model: Embedder) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copyfile(BUNDLED / name, tmp_path / name)
    source = operators(tmp_path)
    assert source.model_id == UNKNOWN
    source.check()
    assert source.model_id.startswith(f"{tmp_path.name}/")
    text = "The ferry sails at six."
    np.testing.assert_array_equal(source.open().embed_query(text), model.embed_query(text))


def test_settings_and_files_are_part_of_the_id(tmp_path: Path) -> None:
    source = operators(copied(tmp_path))
    ids = []
    for settings in ("{}", '{"max_tokens": 64}', '{"query_prefix": "query: "}', '{"pooling": "cls"}'):
        (tmp_path / "embedding.json").write_text(settings)
        source.check()
        ids.append(source.model_id)
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"\0")
    source.check()
    assert len({*ids, source.model_id}) == 5


def test_prefixes_and_limit_are_obeyed(tmp_path: Path, model: Embedder) -> None:
    settings = {"max_tokens": 16, "query_prefix": "query: ", "passage_prefix": "passage: "}
    loaded = operators(copied(tmp_path, embedding=json.dumps(settings), reference="[]")).open()
    np.testing.assert_array_equal(loaded.embed_query("boats"), model.embed_query("query: boats"))
    np.testing.assert_array_equal(loaded.embed_passages(["boats"]), model.embed_passages(["passage: boats"]))
    np.testing.assert_array_equal(loaded.embed_query("one " * 50), loaded.embed_query("one " * 90))


async def test_loaded_model_keeps_its_id_though_its_files_change(tmp_path: Path) -> None:
    host = ModelHost(operators(copied(tmp_path)))
    await host.prepare()
    await host.embedder()
    model_id = host.model_id
    (tmp_path / "embedding.json").write_text('{"max_tokens": 64}')
    await host.prepare()
    assert host.model_id == model_id


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (shutil.rmtree, r"model.onnx of the .* cannot be read: No such file or directory"),
        (lambda place: (place / "tokenizer.json").unlink(), r"tokenizer.json of the .* cannot be read"),
        (lambda place: (place / "model.onnx").write_bytes(b"no"), r"does not load \(InvalidProtobuf\): model.onnx or"),
        (lambda place: (place / "tokenizer.json").write_text("{}"), r"does not load .*tokenizer.json is of a kind"),
        (lambda place: (place / "embedding.json").write_text("{"), r"embedding.json in .* is wrong: Invalid JSON"),
        (
            lambda place: (place / "embedding.json").write_text('{"pooling": "max"}'),
            r"embedding.json in .* is wrong: pooling: Input should be 'mean', 'cls'",
        ),
        (
            lambda place: (place / "embedding.json").write_text('{"pooling": "disabled"}'),
            r"cannot embed a text of 256 tokens: it must take input_ids .* pooling 'disabled'",
        ),
        (
            lambda place: (place / "embedding.json").write_text('{"max_tokens": 600}'),
            r"cannot embed a text of 600 tokens: .* read as many tokens as max_tokens",
        ),
        (
            lambda place: (place / "embedding.json").write_text('{"dimension": 512}'),
            r"says dimension 512, and model.onnx gives 384 numbers",
        ),
    ],
)
def test_wrong_files_of_the_operator_are_named(
    tmp_path: Path, break_it: Callable[[Path], object], sentence: str
) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    copied(place)
    break_it(place)
    with pytest.raises(ModelUnavailable, match=sentence):
        operators(place).open()


def test_model_that_computes_something_else_is_not_used(tmp_path: Path) -> None:
    """As on a processor on which the multiplications overflow: the index would fill with noise."""
    references = json.loads((BUNDLED / "reference.json").read_text("utf-8"))
    references[1]["vector"] = references[0]["vector"]
    with pytest.raises(ModelUnavailable, match="computes other vectors here than it should; name another one"):
        operators(copied(tmp_path, reference=json.dumps(references))).open()


def test_bundled_model_is_close_to_the_weights_in_float32(model: Embedder) -> None:
    for reference in json.loads((BUNDLED / "reference.json").read_text("utf-8")):
        assert float(model.embed_passages([reference["text"]])[0] @ reference["vector"]) > 0.985


def test_the_library_keeps_and_sends_nothing_about_its_use(tmp_path: Path) -> None:
    """onnxruntime would write events to a database in the cache, and send them to its maker."""
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    load = "from robot.search.model.directory import bundled_model; bundled_model().open().embed_query('x')"
    done = subprocess.run(
        [sys.executable, "-c", load], env=os.environ | places, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []
