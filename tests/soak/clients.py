"""Everybody who works at a wiki at once. Each writes to pages of their own, and notes what they were told."""

from __future__ import annotations

import http
import itertools
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
from mcp import Client

from bench.host import Planted
from bench.http_client import Answer, Visitor
from bench.loops import (
    ANSWERED,
    API,
    UNANSWERED,
    Journal,
    Loops,
    Patient,
    SessionWork,
    Tally,
    Work,
    keep_talking,
    put_page,
    script_of,
)
from bench.mcp_load import Load
from bench.page_views import form_of
from tests.git_door.client import Git

PAGES_EACH = 15
"""A writer goes round so many pages, so that what grows is not the wiki."""

REFUSED_WRITES = "writes refused"
TOO_LATE = "pushes that others were faster than"
KINDS = ("readers", "editors", "scripts", "movers", "git", "re-indexes", "agents")
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Everybody:
    """Who works at one wiki of a host, and how fast: `pause_s` between two turns of each."""

    port: int
    wiki: Planted
    place: Path
    journal: Journal
    tallies: dict[str, Tally]
    pause_s: float

    def begin(self, loops: Loops) -> None:
        """Start all of them, in threads of `loops`."""
        loops.repeat(self._reader(), self.pause_s / 2)
        loops.repeat(self._editor(), self.pause_s)
        loops.repeat(self._script(), self.pause_s)
        loops.repeat(self._mover(), 3 * self.pause_s)
        loops.repeat(self._git(), 4 * self.pause_s)
        loops.repeat(self._reindexer(), 40 * self.pause_s)
        load = Load(f"http://{self.wiki.host}:{self.port}/mcp", self.wiki.token, "", sessions=1, calls=0)
        loops.run(lambda: keep_talking(load, self._agent(), loops.over, self.tallies["agents"]))

    def _turns(self, kind: str) -> Callable[[], tuple[str, str]]:
        """Page and text of each turn."""
        numbers = itertools.count()

        def turn() -> tuple[str, str]:
            number = next(numbers)
            return f"{kind} {number % PAGES_EACH}", f"{kind} wrote this in turn {number}."

        return turn

    def _browser(self) -> Visitor:
        return Visitor(self.port, self.wiki.host, cookies=self.wiki.cookies)

    def _reader(self) -> Work:
        """Reads what is there, and what needs the worker."""
        reader = Patient(self._browser(), self.tallies["readers"])
        targets = itertools.cycle(["/Home", "/-/changelog", "/Script%200", "/-/index", "/Editor%201/history"])

        def read() -> None:
            answer = reader.ask("GET", next(targets))
            assert answer is None or answer.status < 500 or _is_passing(answer), answer

        return read

    def _editor(self) -> Work:
        """Opens Otter Wiki's editor and saves."""
        tally, turn = self.tallies["editors"], self._turns("Editor")
        browser = Patient(self._browser(), tally)

        def edit() -> None:
            name, text = turn()
            page = urllib.parse.quote(name)
            opened = browser.ask("GET", f"/{page}/edit")
            if opened is None or opened.status != http.HTTPStatus.OK:
                return
            form = form_of(opened.body.decode()) | {"content": text, "commit": text}
            self.journal.sending(self.wiki.slug, name, text)
            saved = browser.ask("POST", f"/{page}/save", urllib.parse.urlencode(form).encode(), SAME_ORIGIN)
            self._note(tally, saved, http.HTTPStatus.FOUND, name, text)

        return edit

    def _script(self) -> Work:
        """Reads a page for its revision and writes it; what got no answer is sent again with the same key."""
        tally, turn = self.tallies["scripts"], self._turns("Script")
        script = Patient(script_of(self.port, self.wiki), tally)

        def write() -> None:
            name, text = turn()
            page = f"{API}/pages/{urllib.parse.quote(name, safe='')}"
            read = script.ask("GET", page)
            if read is None or read.status not in (http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND):
                return
            known = {"revision": json.loads(read.body)["revision"]} if read.status == http.HTTPStatus.OK else {}
            body, key = json.dumps({"content": text, **known}).encode(), {"Idempotency-Key": text}
            self.journal.sending(self.wiki.slug, name, text)
            wrote = script.ask("PUT", page, body, key) or script.ask("PUT", page, body, key)
            done = wrote.status if wrote and wrote.status == http.HTTPStatus.CREATED else http.HTTPStatus.OK
            self._note(tally, wrote, done, name, text)

        return write

    def _mover(self) -> Work:
        """Moves a page that another links to there and back, which rewrites the link."""
        script = Patient(script_of(self.port, self.wiki), self.tallies["movers"])
        ways = itertools.cycle([("Moved there", "Moved back"), ("Moved back", "Moved there")])

        def move() -> None:
            old, new = next(ways)
            for page, text in ((old, "Moved."), ("Leads", f"[[{old}]]")):
                put_page(script, page, text)
            body = json.dumps({"new_path": new}).encode()
            script.ask("POST", f"{API}/pages/{urllib.parse.quote(old, safe='')}/rename", body)

        return move

    def _git(self) -> Work:
        """Commits to a copy and pushes, each time from what is there now; clones anew now and then."""
        tally, turn = self.tallies["git"], self._turns("Pushed")
        address = f"http://git:{self.wiki.token}@{self.wiki.host}:{self.port}/.git"
        copies = itertools.count()
        copy: Git | None = None

        def clone() -> Git | None:
            name = f"{self.wiki.slug} {next(copies)}"
            done = Git(self.place).run("clone", "-q", address, name)
            tally.note(ANSWERED if done.returncode == 0 else UNANSWERED)
            return Git(self.place / name) if done.returncode == 0 else None

        def push() -> None:
            nonlocal copy
            name, text = turn()
            copy = None if text.endswith("0.") else copy
            copy = copy or clone()
            if copy is None:
                return
            copy.run("fetch", "-q")
            copy("reset", "-q", "--hard", "origin/main")
            copy.write({f"{name}.md": text})
            self.journal.sending(self.wiki.slug, name, text)
            pushed = copy.run("push", "-q")
            if "rejected" in pushed.stderr:
                tally.note(TOO_LATE)
            else:
                tally.note(ANSWERED if pushed.returncode == 0 else UNANSWERED)
            if pushed.returncode == 0:
                self.journal.acknowledge(self.wiki.slug, name, text)

        return push

    def _reindexer(self) -> Work:
        """Asks for a re-index of the whole wiki, so seldom that each time is a connection of its own."""

        def reindex() -> None:
            with script_of(self.port, self.wiki) as script:
                Patient(script, self.tallies["re-indexes"]).ask("POST", f"{API}/reindex")

        return reindex

    def _agent(self) -> SessionWork:
        """Reads a page, writes it, and searches."""
        tally, turn = self.tallies["agents"], self._turns("Agent")

        async def work(client: Client) -> None:
            await anyio.sleep(self.pause_s)
            name, text = turn()
            read = await client.call_tool("read_note", {"path": name})
            known = {} if read.is_error else {"revision": (read.structured_content or {})["revision"]}
            self.journal.sending(self.wiki.slug, name, text)
            wrote = await client.call_tool("write_note", {"path": name, "content": text, **known})
            tally.note(REFUSED_WRITES if wrote.is_error else ANSWERED)
            if not wrote.is_error:
                self.journal.acknowledge(self.wiki.slug, name, text)
            await client.call_tool("search", {"query": text})

        return work

    def _note(self, tally: Tally, answer: Answer | None, done: int, name: str, text: str) -> None:
        if answer is not None and answer.status == done:
            self.journal.acknowledge(self.wiki.slug, name, text)
        elif answer is not None and answer.status != http.HTTPStatus.SERVICE_UNAVAILABLE:
            tally.note(f"{REFUSED_WRITES} with {answer.status}")


def _is_passing(answer: Answer) -> bool:
    """Whether a reader is told that this is a matter of moments."""
    return answer.status in (502, 503, 504) and "Retry-After".lower() in {name.lower() for name in answer.headers}
