"""Giving a wiki away whole, in three forms, as pieces that go out while they are made."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum

import trio

from robot.contents import Contents
from robot.git.process import git_process, said
from robot.git.view import git_view
from robot.model import Wiki
from wikihost.content import Content
from wikihost.errors import StorageFailed
from wikihost.exports.archives import zip_pieces
from wikihost.exports.files import head_time, wiki_files
from wikihost.exports.site import site_files
from wikihost.layout import DataDir

MAX_EXPORTS = 2
_PIECE_BYTES = 64 * 1024

Write = Callable[[bytes], Awaitable[None]]


class Form(StrEnum):
    """What is given: Markdown and attachments, the git history, or pages that any browser shows."""

    ZIP = "zip"
    BUNDLE = "bundle"
    HTML = "html"

    @property
    def ending(self) -> str:
        return {Form.ZIP: ".zip", Form.BUNDLE: ".bundle", Form.HTML: "-html.zip"}[self]

    @property
    def content_type(self) -> str:
        return "application/octet-stream" if self is Form.BUNDLE else "application/zip"


class Exports:
    """Exports of wikis; a few at a time, since each keeps a core busy."""

    def __init__(self, contents: Contents, data: DataDir) -> None:
        self._contents = contents
        self._data = data
        self._turns = trio.CapacityLimiter(MAX_EXPORTS)
        self._threads = trio.CapacityLimiter(MAX_EXPORTS)

    async def stream(self, wiki: Wiki, form: Form, write: Write) -> None:
        """Write the wiki as it is now, piece by piece. Raises `StorageFull`, `StorageFailed`, and what `write` does."""
        async with self._turns:
            if form is Form.BUNDLE:
                await self._stream_bundle(wiki, write)
            else:
                await self._contents.run(
                    wiki, lambda content: _write_pieces(_pieces(content, wiki, form), write), limiter=self._threads
                )

    async def _stream_bundle(self, wiki: Wiki, write: Write) -> None:
        async with (
            git_view(self._data, self._data.wiki(wiki.id)) as transfer,
            git_process(
                ["bundle", "create", "--quiet", "-", "HEAD", transfer.branch],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                environment={"GIT_DIR": str(transfer.git_dir)},
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101  (made as a pipe)
            while piece := await process.stdout.receive_some(_PIECE_BYTES):
                await write(bytes(piece))
            words = await said(process)
            if await process.wait() != 0:
                raise StorageFailed(f"git could not make the bundle: {words[:300]}")


def _pieces(content: Content, wiki: Wiki, form: Form) -> Iterator[bytes]:
    with content.snapshot() as snapshot:
        files = wiki_files(snapshot) if form is Form.ZIP else site_files(snapshot, wiki.name)
        yield from zip_pieces(files, head_time(snapshot))


def _write_pieces(pieces: Iterator[bytes], write: Write) -> None:
    """In a thread: give each piece to the loop, and make the next when it was taken."""
    for piece in pieces:
        trio.from_thread.run(write, piece)
