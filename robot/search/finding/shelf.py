"""Which wikis have a searchable snapshot in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from robot.contents import Contents
from robot.model import Wiki
from wikihost import passages
from wikihost.content import Content

if TYPE_CHECKING:
    from robot.search.finding.index import Snapshot

# While a wiki is being indexed its snapshot may be this old; afterwards it is always the newest.
OLDEST_S = 0.25
IDLE_S = 600.0
SWEEP_EVERY_S = 60.0
# Of all wikis together: 90 MB with the model that comes with the installation. The one searched last stays whole.
MOST_VECTORS = 60_000


@dataclass(slots=True)
class _Shelved:
    """A wiki's snapshot, whose vectors it has, and the job's version that it holds.

    The lock lets one query build for all that wait.
    """

    lock: trio.Lock = field(default_factory=trio.Lock)
    snapshot: Snapshot | None = None
    model_id: str = ""
    version: int = -1
    built_s: float = 0.0
    used_s: float = 0.0


class Shelf:
    """Snapshots by wiki: built when a wiki is searched, replaced when its passages changed, dropped when idle."""

    def __init__(self, contents: Contents, model_id: Callable[[], str], on_damage: Callable[[str], None]) -> None:
        """`model_id` is asked at each use; `on_damage` is told the id of a wiki whose stored vectors are unusable."""
        self._contents = contents
        self._model_id = model_id
        self._on_damage = on_damage
        self._shelved: dict[str, _Shelved] = {}

    def __contains__(self, wiki_id: str) -> bool:
        return wiki_id in self._shelved

    async def snapshot(self, wiki: Wiki, version: int, *, still_changing: bool) -> Snapshot:
        """The wiki's snapshot at `version`, or one that is a moment old while more changes are coming."""
        shelved = self._shelved.setdefault(wiki.id, _Shelved())
        async with shelved.lock:
            now, model_id = trio.current_time(), self._model_id()
            shelved.used_s = now
            if shelved.model_id != model_id:
                shelved.snapshot, shelved.model_id = None, model_id
            is_fresh = shelved.version == version or (still_changing and now - shelved.built_s < OLDEST_S)
            if shelved.snapshot is None or not is_fresh:
                shelved.snapshot = await self._renew(wiki, model_id, shelved.snapshot)
                shelved.version = version
                shelved.built_s = now
                self._make_room(wiki.id)
            return shelved.snapshot

    async def run(self) -> None:
        """Drop what nobody searches, until cancelled."""
        while True:
            await trio.sleep(SWEEP_EVERY_S)
            self.drop_idle(trio.current_time() - IDLE_S)

    def drop_idle(self, since_s: float) -> None:
        for wiki_id, shelved in list(self._shelved.items()):
            if shelved.used_s < since_s:
                del self._shelved[wiki_id]

    def _make_room(self, newest: str) -> None:
        """Drop what was not searched for the longest time, until the rest is few enough; never the newest."""
        held = {wiki_id: len(each.snapshot) for wiki_id, each in self._shelved.items() if each.snapshot is not None}
        others = sorted(held.keys() - {newest}, key=lambda wiki_id: self._shelved[wiki_id].used_s)
        for wiki_id in others:
            if sum(held.values()) <= MOST_VECTORS:
                return
            del held[wiki_id], self._shelved[wiki_id]

    async def _renew(self, wiki: Wiki, model_id: str, old: Snapshot | None) -> Snapshot:
        snapshot = await self._contents.run(wiki, lambda content: _snapshot(content, model_id, old))
        if snapshot.unsound and (old is None or snapshot.unsound != old.unsound):
            self._on_damage(wiki.id)
        return snapshot


def _snapshot(content: Content, model_id: str, old: Snapshot | None) -> Snapshot:
    """What is stored now, in a thread; made from `old` where little changed."""
    from robot.search.finding.index import Snapshot  # noqa: PLC0415 - numpy and FAISS come with it, in this thread

    def read(db: sqlite3.Connection) -> Snapshot:
        if old is not None:
            hashes = set(passages.all_hashes(db))
            followed = old.follow(hashes, lambda wanted: passages.vectors_of(db, wanted, model_id))
            if followed is not None:
                return followed
        return Snapshot.build(passages.each_vector(db, model_id), passages.count_vectors(db, model_id))

    return content.catalog.read(read)
