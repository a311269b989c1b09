"""What the search tests share: a real wiki in a temporary directory, and an embedder that can be watched and broken."""

from __future__ import annotations

import math
import subprocess
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import trio
from numpy.typing import NDArray

from robot.contents import Contents
from robot.model import Visibility, Wiki
from robot.search.model.embed import EmbedderSource
from robot.search.service import SearchService
from robot.search.values import EmbeddingFailed, ModelUnavailable, ReindexStatus
from wikihost.layout import DataDir

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# Far more than it ever takes: passages are embedded in a thread that gives way to whatever else runs on the machine.
DEADLINE_S = 60
DIMENSION = 64

Vectors = NDArray[np.float32]
Row = tuple[object, ...]


class WatchedModel:
    """Deterministic vectors from the words of a text. Records what was embedded, fails or stops when told to."""

    def __init__(self, model_id: str = "watched/1") -> None:
        self.model_id = model_id
        self.embedded: list[str] = []
        self.missing: str | None = None
        self.poison: str | None = None
        self.stop_before: int | None = None  # so many passages are embedded, the next waits for `go`
        self.stopped = threading.Event()
        self.go = threading.Event()
        self.counted = 0
        self.stop_before_counting = False  # the first count waits for `go`

    def check(self) -> None:
        if self.missing is not None:
            raise ModelUnavailable(self.missing)

    def open(self) -> WatchedModel:
        self.check()
        return self

    def count_tokens(self, text: str) -> int:
        self.counted += 1
        if self.stop_before_counting and self.counted == 1:
            self.stopped.set()
            self.go.wait(DEADLINE_S)
        return len(text.split())

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        for text in texts:
            if self.stop_before is not None and len(self.embedded) >= self.stop_before:
                self.stopped.set()
                self.go.wait(DEADLINE_S)
            if self.poison is not None and self.poison in text:
                raise EmbeddingFailed("poisoned")
            self.embedded.append(text)
        return np.vstack([_vector(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return _vector(text)


def _vector(text: str) -> Vectors:
    vector = np.full((1, DIMENSION), 1e-3, dtype=np.float32)
    for word in text.casefold().split():
        vector[0, zlib.crc32(word.strip(".,#[]>").encode("utf-8", "replace")) % DIMENSION] += 1.0
    return vector / math.sqrt(float((vector * vector).sum()))


@dataclass
class WikiOnDisk:
    """A hosted wiki whose pages change behind robot's back, by plain git commits."""

    data: DataDir
    wiki: Wiki
    contents: Contents

    @property
    def repo(self) -> Path:
        return self.data.wiki(self.wiki.id).repo

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@robot.test")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.repo, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, pages: Mapping[str, str]) -> str:
        """Commit pages by name; the new head."""
        for name, text in pages.items():
            file = self.repo / f"{name}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return self._commit()

    def delete(self, name: str) -> str:
        self.git("rm", "--quiet", f"{name}.md")
        return self._commit()

    def rename(self, old: str, new: str) -> str:
        (self.repo / f"{new}.md").parent.mkdir(parents=True, exist_ok=True)
        self.git("mv", f"{old}.md", f"{new}.md")
        return self._commit()

    def _commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")


def open_wiki(root: Path, wiki_id: str = "w1") -> WikiOnDisk:
    data = DataDir(root)
    return WikiOnDisk(data, Wiki(wiki_id, "notes", "Notes", "", Visibility.PRIVATE, LONG_AGO), Contents(data))


def make_wiki(root: Path, wiki_id: str = "w1") -> WikiOnDisk:
    """A new wiki with one page."""
    made = open_wiki(root, wiki_id)
    made.repo.mkdir(parents=True)
    made.git("init", "--quiet", "--initial-branch=main")
    made.write({"Home": "# Home\n\nWelcome."})
    return made


def make_service(source: EmbedderSource, *wikis: WikiOnDisk) -> SearchService:
    """A service as after a start; all wikis share the first one's contents."""
    known = {each.wiki.id: each.wiki for each in wikis}
    return SearchService(wikis[0].contents, known.get, source)


@asynccontextmanager
async def running(service: SearchService, deadline_s: float = DEADLINE_S) -> AsyncIterator[SearchService]:
    """The service with its nursery, which is cancelled on leaving, whatever it is doing."""
    with trio.fail_after(deadline_s):
        async with trio.open_nursery() as nursery:
            await nursery.start(service.run)
            yield service
            nursery.cancel_scope.cancel()


async def settled(service: SearchService, wiki: Wiki) -> ReindexStatus:
    """The status once nothing is under way any more (nothing announces that, as no caller needs it)."""
    return await until(lambda: service.status(wiki), lambda status: status.state != "in_progress")


async def indexed(service: SearchService, wiki: WikiOnDisk) -> None:
    """Bring the wiki's index to its head."""
    service.notify(wiki.wiki.id)
    assert (await settled(service, wiki.wiki)).state == "complete"


async def rows(wiki: WikiOnDisk) -> list[Row]:
    """All passages with their vectors, as a search finds them."""
    return await wiki.contents.run(
        wiki.wiki,
        lambda content: content.catalog.read(
            lambda db: db.execute(
                "SELECT path, title, ordinal, section, section_path, anchor, first_line, last_line, text, hash, data"
                " FROM chunk JOIN page ON page.id = page_id LEFT JOIN vector USING (hash) ORDER BY path, ordinal"
            ).fetchall()
        ),
    )


async def new_rows(wiki: WikiOnDisk) -> list[Row]:
    """The same of an index that is made from nothing."""
    home = wiki.data.wiki(wiki.wiki.id)
    wiki.contents.close(wiki.wiki.id)
    for file in home.root.glob("catalog.db*"):
        file.unlink()
    home.indexing.unlink()
    async with running(make_service(WatchedModel(), wiki)) as service:
        await indexed(service, wiki)
    return await rows(wiki)


async def until(ask: Callable[[], Awaitable[ReindexStatus]], enough: Callable[[ReindexStatus], bool]) -> ReindexStatus:
    with trio.fail_after(DEADLINE_S):
        while True:
            status = await ask()
            if enough(status):
                return status
            await trio.sleep(0.005)


async def wait_for(event: threading.Event) -> None:
    """Wait for another thread."""
    assert await trio.to_thread.run_sync(event.wait, DEADLINE_S)
