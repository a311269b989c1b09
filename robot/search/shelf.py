"""Which wikis have a searchable snapshot in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from robot.contents import Contents
from robot.model import Wiki
from wikihost import passages
from wikihost.content import Content

if TYPE_CHECKING:
    from robot.search.index import Snapshot

# While a wiki is being indexed its snapshot may be this old; afterwards it is always the newest.
OLDEST_S = 1.0
IDLE_S = 600.0
SWEEP_EVERY_S = 60.0


@dataclass(slots=True)
class _Shelved:
    """A wiki's snapshot, and the job's version that it holds; the lock lets one query build for all that wait."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    snapshot: Snapshot | None = None
    version: int = -1
    built_s: float = 0.0
    used_s: float = 0.0


class Shelf:
    """Snapshots by wiki: built when a wiki is searched, replaced when its passages changed, dropped when idle."""

    def __init__(self, contents: Contents, model_id: str) -> None:
        self._contents = contents
        self._model_id = model_id
        self._shelved: dict[str, _Shelved] = {}

    def __contains__(self, wiki_id: str) -> bool:
        return wiki_id in self._shelved

    async def snapshot(self, wiki: Wiki, version: int, *, still_changing: bool) -> Snapshot:
        """The wiki's snapshot at `version`, or one at most a second old while more changes are coming."""
        shelved = self._shelved.setdefault(wiki.id, _Shelved())
        async with shelved.lock:
            now = trio.current_time()
            shelved.used_s = now
            is_fresh = shelved.version == version or (still_changing and now - shelved.built_s < OLDEST_S)
            if shelved.snapshot is None or not is_fresh:
                shelved.snapshot = await self._contents.run(wiki, self._build)
                shelved.version = version
                shelved.built_s = now
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

    def _build(self, content: Content) -> Snapshot:
        from robot.search.index import Snapshot  # noqa: PLC0415 - numpy and FAISS come with it, in this thread

        return Snapshot(content.catalog.read(lambda db: passages.stored_vectors(db, self._model_id)))
