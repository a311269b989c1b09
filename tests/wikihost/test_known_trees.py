"""What is kept of trees that were read: for all repositories of a wiki together, and no more than fits."""

from __future__ import annotations

from pathlib import Path

import pygit2
from hypothesis import given
from hypothesis import strategies as st

from tests.wikihost.wikis import make_wiki
from wikihost.known_trees import ENTRIES_KEPT, KnownTrees
from wikihost.repo import RepositoryPool


def test_a_tree_is_read_once_for_all_who_read_a_wiki_at_once(tmp_path: Path) -> None:
    pool = RepositoryPool(make_wiki(tmp_path / "wiki").repo)
    with pool.lend() as one, pool.lend() as other:
        oid = one.tree_of(one.head())
        assert one is not other
        before = pygit2.settings.cached_memory[0]
        assert one.read_tree(oid) is other.read_tree(oid)
        assert pygit2.settings.cached_memory[0] == before, "libgit2 does not keep it as well"
    pool.close()


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.integers(0, ENTRIES_KEPT)), max_size=12))
def test_what_is_kept_is_bounded_and_counted(read: list[tuple[bytes, int]]) -> None:
    known, sizes = KnownTrees(), {}
    for oid, size in read:
        if known.find(oid) is None:
            sizes[oid] = size
            known.keep(oid, {b"%d" % number: (b"100644", b"") for number in range(size)})
        assert known.find(oid) is not None, "the last is kept"
    kept = [oid for oid in sizes if known.find(oid) is not None]
    assert known.entries == sum(sizes[oid] for oid in kept) <= ENTRIES_KEPT
