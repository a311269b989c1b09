"""Pages as text and the list of them: for whom, under which names, and what goes on to the wiki's own pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
import trio

from proxy.asgi import Headers, Message, Receive, Scope, Send
from robot.contents import Contents
from robot.model import Actor, Anonymous, Person, Role, Visibility, Wiki, WikiRequest
from robot.raw_pages import MAX_LISTED, RawPages, index_of
from tests.robot.agent_doors import ADA, AUTHOR, a_wiki
from wikihost.layout import DataDir
from wikihost.lifecycle import create_wiki
from wikihost.values import PageSummary

ORIGIN = "https://notes.wiki.test"
NOBODY = Anonymous()
ELSEWHERE = (418, "the wiki's own pages")


@dataclass
class Door:
    wiki: Wiki
    contents: Contents
    sent: list[Message] = field(default_factory=list)

    async def get(
        self, raw_path: str, actor: Actor = NOBODY, *headers: tuple[bytes, bytes], method: str = "GET"
    ) -> tuple[int, str]:
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": unquote(raw_path),
            "raw_path": raw_path.encode(),
            "headers": [*headers],
            "robot.request": WikiRequest(self.wiki, actor, ORIGIN, "r1"),
        }
        self.sent.clear()
        await RawPages(self.contents, self._elsewhere)(scope, trio.sleep_forever, self._send)
        return self.sent[0]["status"], b"".join(message.get("body", b"") for message in self.sent[1:]).decode()

    @property
    def fields(self) -> dict[bytes, bytes]:
        return dict(cast(Headers, self.sent[0]["headers"]))

    async def write(self, name: str, text: str) -> str:
        done = await self.contents.change(
            self.wiki, lambda content: content.write_page(name, text, base=None, author=AUTHOR)
        )
        assert done.revision is not None
        return done.revision

    async def rename(self, name: str, new_name: str) -> None:
        await self.contents.change(
            self.wiki, lambda content: content.rename_page(name, new_name, author=AUTHOR, redirect=True)
        )

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @staticmethod
    async def _elsewhere(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": ELSEWHERE[0], "headers": []})
        await send({"type": "http.response.body", "body": ELSEWHERE[1].encode()})


@asynccontextmanager
async def door(root: Path, visibility: Visibility = Visibility.PUBLIC) -> AsyncIterator[Door]:
    wiki = a_wiki(visibility)
    data = DataDir(root)
    home = data.wiki(wiki.id)
    create_wiki(home, name=wiki.name, description="", author=AUTHOR, pages={"Home": "Welcome."})
    contents = Contents(data)
    try:
        yield Door(wiki, contents)
    finally:
        contents.close_all()


async def test_a_page_is_given_as_it_is(tmp_path: Path) -> None:
    async with door(tmp_path) as notes:
        text = "---\ntags: [a]\n---\n<script>alert(1)</script>\r\nStädte\n"
        revision = await notes.write("Städte/On Call", text)
        got = await notes.get("/St%C3%A4dte/On_Call.md")
        assert got == (200, text)
        assert notes.fields[b"content-type"] == b"text/markdown; charset=utf-8"
        assert notes.fields[b"x-content-type-options"] == b"nosniff"
        assert notes.fields[b"content-security-policy"] == b"default-src 'none'; sandbox"
        assert notes.fields[b"cache-control"] == b"no-cache"
        tag = notes.fields[b"etag"]
        assert tag == f'"{revision}"'.encode()
        assert await notes.get("/Home.md", NOBODY, (b"if-none-match", tag)) == (200, "Welcome.")
        assert await notes.get("/St%C3%A4dte/On%20Call.md", NOBODY, (b"if-none-match", tag)) == (304, "")
        assert await notes.get("/St%C3%A4dte/On%20Call.md", method="HEAD") == (200, "")
        assert int(notes.fields[b"content-length"]) == len(text.encode())


@pytest.mark.parametrize("path", ["/Nowhere.md", "/.md", "/a//b.md", "/-x.md", "/Home/.git.md"])
async def test_what_is_no_page_is_not_found(tmp_path: Path, path: str) -> None:
    async with door(tmp_path) as notes:
        assert await notes.get(path) == (404, "There is no such page.\n")


async def test_an_old_name_leads_to_the_new_one(tmp_path: Path) -> None:
    async with door(tmp_path) as notes:
        await notes.write("Old", "Text.")
        await notes.rename("Old", "Städte/100% new?")
        assert (await notes.get("/Old.md"))[0] == 303
        assert notes.fields[b"location"] == b"/St%C3%A4dte/100%25%20new%3F.md"
        assert await notes.get(notes.fields[b"location"].decode()) == (200, "Text.")


async def test_who_may_not_read_the_pages_gets_what_the_pages_say(tmp_path: Path) -> None:
    async with door(tmp_path, Visibility.PRIVATE) as notes:
        for path in ("/Home.md", "/Nowhere.md", "/llms.txt"):
            for actor in (NOBODY, Person(ADA, None)):
                assert await notes.get(path, actor) == ELSEWHERE
        assert await notes.get("/Home.md", Person(ADA, Role.VIEWER)) == (200, "Welcome.")
        assert notes.fields[b"cache-control"] == b"private, no-cache"
        assert await notes.get("/llms.txt", Person(ADA, Role.VIEWER)) == ELSEWHERE


async def test_everything_else_goes_on_to_the_pages(tmp_path: Path) -> None:
    async with door(tmp_path) as notes:
        for path in ("/", "/Home", "/Home.md/history", "/-/changelog.md", "/Home.MD", "/a/llms.txt"):
            assert await notes.get(path) == ELSEWHERE, path
        for method in ("POST", "PUT", "OPTIONS"):
            assert await notes.get("/Home.md", method=method) == ELSEWHERE


async def test_a_public_wiki_lists_its_pages_for_agents(tmp_path: Path) -> None:
    async with door(tmp_path) as notes:
        await notes.write("Städte/On Call", "---\ntitle: Who [is]\n  there\n---\nTwo words.")
        status, text = await notes.get("/llms.txt")
        assert status == 200
        assert text.splitlines() == [
            "# Field Notes",
            "",
            "> Where the team keeps what it learnt.",
            "",
            f"A wiki. Agents with an account read and search it over MCP at {ORIGIN}/mcp.",
            "",
            "## Pages",
            "",
            f"- [Home]({ORIGIN}/Home.md): 1 words",
            f"- [Who \\[is\\] there]({ORIGIN}/St%C3%A4dte/On%20Call.md): 2 words",
        ]
        assert notes.fields[b"content-type"] == b"text/plain; charset=utf-8"
        await notes.write("llms.txt", "A page of that name.")
        assert await notes.get("/llms.txt") == ELSEWHERE
        assert await notes.get("/llms.txt.md") == (200, "A page of that name.")
        notes.wiki = replace(notes.wiki, visibility=Visibility.UNLISTED)
        assert await notes.get("/llms.txt") == ELSEWHERE


def test_the_list_of_a_large_wiki_ends() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    pages = [PageSummary(f"P{n}", f"P{n}", None, (), 1, "0" * 40, when) for n in range(MAX_LISTED + 1_500)]
    text = index_of(WikiRequest(a_wiki(), NOBODY, ORIGIN, "r1"), pages)
    assert text.count("\n- [") == MAX_LISTED
    assert text.endswith("There are 1,500 more.\n")


@pytest.mark.parametrize("visibility", Visibility)
async def test_crawlers_are_sent_away_unless_everybody_is_invited(tmp_path: Path, visibility: Visibility) -> None:
    async with door(tmp_path, visibility) as shut:
        said = await shut.get("/robots.txt")
    assert said == (ELSEWHERE if visibility is Visibility.PUBLIC else (200, "User-agent: *\nDisallow: /\n"))
