"""The index in memory: what is nearest, how it follows changes, and vectors that are not what was stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.search.finding import index
from robot.search.finding.index import SMALL_CHANGE, Rows, Snapshot
from robot.search.soundness import decode
from tests.robot.search_wiki import Vectors, WatchedModel, indexed, make_service, make_wiki, running, settled

DIMENSION = 8


def unit(seed: int, count: int, dimension: int = DIMENSION) -> Vectors:
    made: Vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def rows_of(vectors: Vectors, first: int = 0) -> list[tuple[bytes, bytes]]:
    return [(name(first + at), vector.astype(np.float16).tobytes()) for at, vector in enumerate(vectors)]


def name(number: int) -> bytes:
    return number.to_bytes(4, "big")


def names(snapshot: Snapshot, question: Vectors, count: int) -> list[bytes]:
    return [digest for digest, _ in snapshot.nearest(question, count)]


def test_the_nearest_come_first() -> None:
    snapshot = Snapshot.build([rows_of(np.eye(4, dtype=np.float32))], 4)
    found = snapshot.nearest(np.array([[0.0, 0.6, 0.8, 0.0]], dtype=np.float32), 3)
    assert [digest for digest, _ in found[:2]] == [name(2), name(1)]
    assert found[0][1] == pytest.approx(0.8)
    assert len(snapshot.nearest(np.array([[0.0, 0.6, 0.8, 0.0]], dtype=np.float32), 100)) == 4


def test_empty_snapshot_finds_nothing() -> None:
    empty = Snapshot.build([], 0)
    assert empty.nearest(unit(1, 1), 5) == []
    assert empty.part([name(1)]).nearest(unit(1, 1), 5) == []
    assert empty.follow({name(1)}, lambda wanted: []) is None


@settings(max_examples=30)
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(0, 5))
def test_what_followed_finds_what_a_new_one_finds(before: set[int], after: set[int], seed: int) -> None:
    vectors = unit(seed, 61)
    rows = rows_of(vectors)
    old = Snapshot.build([[rows[at] for at in sorted(before)]], len(before))
    now = {name(at) for at in after}
    followed = old.follow(now, lambda wanted: [row for row in rows if row[0] in wanted])
    built = Snapshot.build([[rows[at] for at in sorted(after)]], len(after))
    question = unit(seed + 100, 1)
    if followed is None:
        assert not before
        return
    # What is gone is still in it, and found in no catalog.
    assert [digest for digest in names(followed, question, 200) if digest in now] == names(built, question, 200)
    some = sorted(now)[::2]
    assert names_of(followed.part(some).nearest(question, 9)) == names_of(built.part(some).nearest(question, 9))


def names_of(found: list[tuple[bytes, float]]) -> list[bytes]:
    return [digest for digest, _ in found]


def test_only_new_vectors_are_fetched_and_after_many_changes_all_are() -> None:
    rows = rows_of(unit(1, 4 * SMALL_CHANGE))
    half = len(rows) // 2
    old = Snapshot.build([rows[:half]], half)
    asked: list[set[bytes]] = []

    def fetch(wanted: set[bytes]) -> Rows:
        asked.append(wanted)
        return [row for row in rows if row[0] in wanted]

    followed = old.follow({digest for digest, _ in rows[: half + 3]}, fetch)
    assert asked == [{digest for digest, _ in rows[half : half + 3]}]
    assert followed is not None
    assert len(followed) == half + 3
    assert followed.follow({digest for digest, _ in rows}, fetch) is None
    few = {digest for digest, _ in rows[: half // 4]}
    assert followed.follow(few, fetch) is None, "what is gone would stay in memory"


def test_large_wiki_takes_half_of_the_memory_and_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, question = unit(3, 5_000, 64), unit(4, 1, 64)
    rows = rows_of(vectors)
    exact = Snapshot.build([rows], len(rows))
    monkeypatch.setattr(index, "MANY", 5_000)
    halved = Snapshot.build([rows[:4_096], rows[4_096:]], len(rows))
    assert [type(shard.index).__name__ for shard in (exact._shards[0], halved._shards[0])] == [
        "IndexFlatIP",
        "IndexScalarQuantizer",
    ]
    assert names(halved, question, 10) == names(exact, question, 10)
    some = [name(at) for at in range(0, 5_000, 7)]
    assert names_of(halved.part(some).nearest(question, 5)) == names_of(exact.part(some).nearest(question, 5))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x00",
        b"\x00" * (2 * DIMENSION),
        b"\xff" * (2 * DIMENSION),
        b"\x00\x7c" * DIMENSION,
        np.full(DIMENSION, 6e4, dtype=np.float16).tobytes(),
        unit(1, 1, DIMENSION * 2).astype(np.float16).tobytes(),
        unit(1, 1).astype(np.float16).tobytes()[:-1],
    ],
    ids=["empty", "one-byte", "zeros", "nan", "infinite", "huge", "another-length", "odd"],
)
def test_what_cannot_be_a_vector_of_the_model_is_left_out_and_told(damaged: bytes) -> None:
    rows = [*rows_of(unit(1, 3)), (b"bad", damaged)]
    snapshot = Snapshot.build([rows], 4)
    assert snapshot.unsound == {b"bad"}
    assert len(snapshot) == 3
    assert all(np.isfinite(score) for _, score in snapshot.nearest(unit(2, 1), 9))
    alone = Snapshot.build([[(b"bad", damaged)]], 1)
    assert all(np.isfinite(score) for _, score in alone.nearest(unit(2, 1), 9))


def test_question_of_another_dimension_finds_nothing() -> None:
    assert Snapshot.build([rows_of(unit(1, 3))], 3).nearest(unit(1, 1, 16), 5) == []


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 2 * 384 - 1), st.integers(0, 7))
def test_flipped_bit_is_noticed_or_changes_next_to_nothing(seed: int, byte: int, bit: int) -> None:
    vector = unit(seed, 1, 384)
    data = bytearray(vector.astype(np.float16).tobytes())
    data[byte] ^= 1 << bit
    decoded = decode([(b"x", bytes(data))], 384)
    if decoded.hashes:
        assert float(decoded.matrix[0] @ vector[0]) > 0.85
    else:
        assert decoded.unsound == [b"x"]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([64, 256, 384, 768, 1024]))
def test_vector_as_it_is_stored_is_sound(seed: int, dimension: int) -> None:
    assert decode(rows_of(unit(seed, 4, dimension)), dimension).unsound == []


async def test_vectors_of_another_model_are_never_compared_with_a_question(tmp_path: Path) -> None:
    """Which model it is may turn out only when it is opened, since its files may be replaced while robot runs."""

    class Replaced(WatchedModel):
        def open(self) -> WatchedModel:
            self.model_id = "watched/2"
            return super().open()

    wiki = make_wiki(tmp_path)
    async with running(make_service(WatchedModel("watched/1"), wiki)) as service:
        await indexed(service, wiki)
        assert (await service.find(wiki.wiki, "welcome", mode="semantic", limit=5)).mode == "semantic"
    async with running(make_service(Replaced("watched/1"), wiki)) as service:
        first = await service.find(wiki.wiki, "welcome", mode="semantic", limit=5)
        assert (first.mode, first.freshness.pages_waiting) == ("keyword", 1)
        await settled(service, wiki.wiki)
        assert (await service.find(wiki.wiki, "welcome", mode="semantic", limit=5)).mode == "semantic"
    wiki.contents.close_all()
