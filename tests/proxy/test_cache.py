"""The byte cache: what is found is what was put last at that version, and the bounds always hold."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from proxy.cache import ByteCache

MAX_BYTES = 100
MAX_GROUP_BYTES = 60

GROUPS = st.sampled_from(["a", "b", "c"])
VERSIONS = st.integers(0, 2)
KEYS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), GROUPS, VERSIONS, KEYS, st.integers(1, 70)),
        st.tuples(st.just("get"), GROUPS, VERSIONS, KEYS, st.just(0)),
        st.tuples(st.just("drop"), GROUPS, st.just(0), st.just(0), st.just(0)),
    ),
    max_size=60,
)


class Model:
    """The same promises in the plainest words: one list of entries, the one used last at its end."""

    def __init__(self) -> None:
        self.version: dict[str, int] = {}
        self.entries: OrderedDict[tuple[str, int], int] = OrderedDict()

    def turn_to(self, group: str, version: int) -> None:
        if self.version.get(group, version) != version:
            self.drop(group)

    def drop(self, group: str) -> None:
        self.version.pop(group, None)
        for entry in [entry for entry in self.entries if entry[0] == group]:
            del self.entries[entry]

    def get(self, group: str, version: int, key: int) -> int | None:
        self.turn_to(group, version)
        if (group, key) not in self.entries:
            return None
        self.entries.move_to_end((group, key))
        return self.entries[group, key]

    def put(self, group: str, version: int, key: int, size: int) -> None:
        if size > MAX_GROUP_BYTES:
            return
        self.turn_to(group, version)
        self.version[group] = version
        self.entries.pop((group, key), None)
        self.entries[group, key] = size
        while self.size(group) > MAX_GROUP_BYTES:
            del self.entries[next(entry for entry in self.entries if entry[0] == group)]
        while self.size() > MAX_BYTES:
            self.entries.popitem(last=False)

    def size(self, group: str | None = None) -> int:
        return sum(size for (owner, _), size in self.entries.items() if group in (None, owner))


@given(STEPS)
def test_it_keeps_what_the_plain_model_keeps(steps: list[tuple[str, str, int, int, int]]) -> None:
    cache: ByteCache[int] = ByteCache(MAX_BYTES, MAX_GROUP_BYTES)
    model = Model()
    for what, group, version, key, size in steps:
        match what:
            case "put":
                cache.put(group, version, key, size, size)
                model.put(group, version, key, size)
            case "get":
                assert cache.get(group, version, key) == model.get(group, version, key)
            case _:
                cache.drop(group)
                model.drop(group)
        assert cache.size_bytes == model.size() <= MAX_BYTES
        assert len(cache) == len(model.entries)


def test_a_busy_group_leaves_the_others_their_room() -> None:
    cache: ByteCache[str] = ByteCache(100, 25)
    cache.put("quiet", 1, "page", "kept", 20)
    for number in range(1_000):
        cache.put("busy", 1, number, "page", 10)
    assert cache.get("quiet", 1, "page") == "kept"


def test_nothing_is_kept_of_a_past_version() -> None:
    cache: ByteCache[str] = ByteCache(100, 100)
    cache.put("wiki", "old", "page", "text", 50)
    assert cache.get("wiki", "new", "page") is None
    assert cache.size_bytes == 0
