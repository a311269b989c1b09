"""The door to a wiki's pages, with a scripted worker behind it: what reaches the worker, and what need not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import trio

from proxy.asgi import Headers, Message
from proxy.forward import Forwarder
from robot.model import Actor, Anonymous, Person, Role, Visibility, Wiki, WikiRequest
from robot.page_cache import PageCache
from robot.pages import WikiPages
from tests.proxy.stage import RecordingWorker, Script, worker_on_stage
from tests.robot.agent_doors import ADA, a_wiki
from tests.robot.small_host import ADDRESS
from tests.wikihost.wikis import git, make_wiki
from wikihost.fleet import Fleet, HostedWiki
from wikihost.layout import DataDir
from wikihost.page_state import PageStates

EDITOR = Person(ADA, Role.EDITOR)
NOBODY = Anonymous()


@dataclass
class OneWorker:
    """Stands for the fleet: the one worker is always awake, and what it was made for is what is asked for."""

    worker: RecordingWorker

    def lease(self, _hosted: HostedWiki) -> AbstractAsyncContextManager[RecordingWorker]:
        return self.worker.lease()

    def serves(self, _hosted: HostedWiki) -> bool:
        return True


@dataclass
class Door:
    """The pages of one wiki."""

    pages: WikiPages
    worker: RecordingWorker
    wiki: Wiki
    sent: list[Message] = field(default_factory=list)

    async def get(
        self, path: str = "/Home", actor: Actor = NOBODY, *headers: tuple[bytes, bytes], method: str = "GET"
    ) -> tuple[int, bytes]:
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"notes.wiki.test"), *headers],
            "client": ("127.0.0.1", 9),
            "robot.request": WikiRequest(self.wiki, actor, ADDRESS.wiki_origin("notes"), "r1"),
        }
        self.sent.clear()
        await self.pages(scope, trio.sleep_forever, self._send)
        return self.sent[0]["status"], b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def fields(self) -> dict[bytes, bytes]:
        return dict(cast(Headers, self.sent[0]["headers"]))

    def heard(self) -> list[str]:
        """The heads of the requests that reached the worker."""
        return [head for bytes_of_one in self.worker.heard for head in bytes_of_one.decode().split("\r\n\r\n") if head]

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


@asynccontextmanager
async def door(root: Path, script: Script, visibility: Visibility = Visibility.PUBLIC) -> AsyncIterator[Door]:
    async with worker_on_stage(script) as worker:
        fleet = OneWorker(worker)
        cache = PageCache(PageStates(), fleet.serves, 1_000_000)
        forwarder = Forwarder()
        pages = WikiPages(cast(Fleet, fleet), forwarder, DataDir(root), ADDRESS, cache)
        yield Door(pages, worker, a_wiki(visibility))
        forwarder.close()


def saying(head: str, *, length: int = 4, more: str = "") -> Script:
    """A worker that answers each request with `text`, made at that commit."""
    made = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Robot-Made-At: {head}\r\n{more}\r\ntext".encode()

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        while await worker.read_head(stream):
            await stream.send_all(made)
            if length > 4:
                return

    return script


def head_of(root: Path) -> str:
    return git(make_wiki(DataDir(root).wiki("w1").root), "rev-parse", "HEAD")


async def test_what_was_answered_once_reaches_no_worker_again(tmp_path: Path) -> None:
    async with door(tmp_path, saying(head_of(tmp_path))) as notes:
        secret = (b"cookie", b"__Host-robot_wiki=secret; other=1; halfmoon_sidebar=hidden")
        assert await notes.get("/Home", NOBODY, (b"user-agent", b"Browser"), secret) == (200, b"text")
        assert b"x-robot-made-at" not in notes.fields
        assert notes.fields[b"content-security-policy"].startswith(b"object-src")
        (head,) = notes.heard()
        assert "cookie: halfmoon_sidebar=hidden" in head
        assert not [word for word in ("Browser", "secret", "other") if word in head]
        assert await notes.get("/Home", NOBODY, secret) == (200, b"text")
        assert await notes.get("/Home", NOBODY, secret, method="HEAD") == (200, b"")
        assert await notes.get("/Home", NOBODY, secret, (b"if-none-match", b"*")) == (304, b"")
        assert notes.worker.leases == 1
        assert await notes.get("/Home", NOBODY) == (200, b"text")
        assert notes.worker.leases == 2


async def test_an_answer_cut_short_is_an_error_page_and_not_kept(tmp_path: Path) -> None:
    async with door(tmp_path, saying(head_of(tmp_path), length=100)) as notes:
        for attempts in (1, 2):
            status, page = await notes.get()
            assert (status, b"did not answer" in page) == (502, True)
            assert notes.worker.leases == attempts
        assert [message["type"] for message in notes.sent].count("http.response.start") == 1


async def test_a_kept_page_is_for_those_who_may_read(tmp_path: Path) -> None:
    async with door(tmp_path, saying(head_of(tmp_path)), Visibility.PRIVATE) as notes:
        assert await notes.get("/Home", EDITOR) == (200, b"text")
        assert await notes.get("/Home", EDITOR) == (200, b"text")
        assert notes.worker.leases == 1
        for actor in (NOBODY, Person(ADA, None)):
            status, page = await notes.get("/Home", actor, (b"if-none-match", b"*"))
            assert (status, page) == (404, b"There is no such wiki, or you may not read it.\n")


async def test_forms_hear_which_pages_their_person_saw_last(tmp_path: Path) -> None:
    script = saying(head_of(tmp_path), more="X-Robot-Page: A/M%C3%B6bel\r\n")
    async with door(tmp_path, script) as notes:
        await notes.get("/A/M%C3%B6bel", EDITOR)
        assert b"x-robot-page" not in notes.fields
        await notes.get("/A/M%C3%B6bel", Person(ADA, Role.VIEWER))
        for path in ("/-/create", "/Home/rename"):
            await notes.get(path, EDITOR, (b"x-robot-recent", b"forged"))
            assert "x-robot-recent: A/M%C3%B6bel" in notes.heard()[-1]
        assert "forged" not in "".join(notes.heard())
        await notes.get("/Other", EDITOR)
        assert "x-robot-recent" not in notes.heard()[-1]
