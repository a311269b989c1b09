"""Wikis on disk, indexed and asked by the real search service."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trio

from bench.quality.values import Place, Question
from robot.contents import Contents
from robot.model import Visibility, Wiki
from robot.search.finding.fusion import DEFAULT_WEIGHTS
from robot.search.model.embed import Embedder, EmbedderSource
from robot.search.service import MAX_RESULTS, SearchService
from robot.search.values import Finding, FindMode
from wikihost.layout import DataDir
from wikihost.lifecycle import create_wiki
from wikihost.values import Author

if TYPE_CHECKING:
    from robot.search.model.embed import Vectors

DEPTH = 10
CANDIDATES = DEFAULT_WEIGHTS.candidates
INDEX_LIMIT_S = 3600.0
LOOK_EVERY_S = 0.2

_AUTHOR = Author("Bench", "bench@wiki.example", {})
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class KeptVectors:
    """A model whose vectors are kept in a file between runs, by what the model is and the text."""

    def __init__(self, source: EmbedderSource, place: Path) -> None:
        self._source = source
        self._place = place

    @property
    def model_id(self) -> str:
        return self._source.model_id

    def check(self) -> None:
        """Raises `ModelUnavailable`."""
        self._source.check()

    def open(self) -> Embedder:
        """Raises `ModelUnavailable`."""
        return _KeepingEmbedder(self._source.open(), self._place)


class _KeepingEmbedder:
    def __init__(self, embedder: Embedder, place: Path) -> None:
        self._embedder = embedder
        # The vector of a text says which model it is, whatever the model is called and however pages are cut.
        self._model = hashlib.blake2b(embedder.embed_query("Which model is this?").tobytes()).digest()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.vstack([self._kept("passage", text, self._embed_passage) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return self._kept("query", text, self._embedder.embed_query)

    def _embed_passage(self, text: str) -> Vectors:
        return self._embedder.embed_passages([text])

    def _kept(self, kind: str, text: str, embed: Callable[[str], Vectors]) -> Vectors:
        key = hashlib.blake2b(f"{kind}:{text}".encode("utf-8", "replace"), key=self._model).digest()
        with self._lock:
            row = self._db.execute("SELECT value FROM vector WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return np.frombuffer(row[0], np.float32).reshape(1, -1)
        vector = embed(text)
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO vector VALUES (?, ?)", (key, vector.tobytes()))
        return vector


@dataclass(frozen=True, slots=True)
class Answer:
    """The pages found, best first; and whether the first is the right one, shown at the right place."""

    pages: Sequence[str]
    is_first_place: bool


class Asked:
    """A wiki that can be asked."""

    def __init__(self, service: SearchService, wiki: Wiki) -> None:
        self._service = service
        self._wiki = wiki

    async def ask(self, question: Question, mode: FindMode) -> Answer:
        """Ask as a person would."""
        found = await self._find(question, mode, DEPTH)
        is_place = bool(found) and any(_shows(found[0], place) for place in question.answers)
        return Answer([each.page.path for each in found], is_place)

    async def scores(self, question: Question, mode: FindMode) -> dict[str, float]:
        """The pages that one way of searching finds, as many as are joined with the other's, with its scores."""
        found: list[Finding] = []
        while len(found) < CANDIDATES and (more := await self._find(question, mode, MAX_RESULTS, len(found))):
            found += more
        raw = [each.lexical if mode == "keyword" else each.semantic for each in found]
        return {each.page.path: score for each, score in zip(found, raw, strict=True) if score is not None}

    async def _find(self, question: Question, mode: FindMode, limit: int, offset: int = 0) -> Sequence[Finding]:
        answer = await self._service.find(self._wiki, question.text, mode=mode, limit=limit, offset=offset)
        if answer.mode != mode:
            raise RuntimeError(f"asked for {mode} search, got {answer.mode}: is the model installed?")
        return answer.results


def _shows(found: Finding, place: Place) -> bool:
    """Whether what is found is the part of the page where the place is."""
    return found.page.path == place.page and (not place.line or found.first_line <= place.line <= found.last_line)


@asynccontextmanager
async def asked_wikis(
    root: Path, wikis: Mapping[str, Mapping[str, str]], source: EmbedderSource, say: Callable[[str], None]
) -> AsyncIterator[dict[str, Asked]]:
    """Wikis of these pages (text by page name), made in `root` and indexed."""
    data = DataDir(root)
    known = {name: Wiki(name, name, name, "", Visibility.PRIVATE, _LONG_AGO) for name in wikis}
    for name, pages in wikis.items():
        create_wiki(data.wiki(name), name=name, description="", author=_AUTHOR, pages=pages)
    contents = Contents(data)
    service = SearchService(contents, known.get, source)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(service.run)
            for wiki in known.values():
                await _index(service, wiki)
                status = await service.status(wiki)
                say(f"{wiki.name}: {status.pages_total} pages, {status.chunks_total} passages")
            yield {name: Asked(service, wiki) for name, wiki in known.items()}
            nursery.cancel_scope.cancel()
    finally:
        contents.close_all()


async def _index(service: SearchService, wiki: Wiki) -> None:
    service.notify(wiki.id)
    with trio.fail_after(INDEX_LIMIT_S):
        while (status := await service.status(wiki)).state != "complete":
            if status.error_message is not None:
                raise RuntimeError(f"{wiki.name} is not indexed: {status.error_message}")
            await trio.sleep(LOOK_EVERY_S)
