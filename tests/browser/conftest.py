"""One Chromium for all browser tests, one context (its own cookies) for each test.

Playwright keeps an asyncio loop in the thread that starts it, so it ends with this package, before tests that run
Trio begin.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from robot.accounts import create_user, find_user_by_name
from robot.address import PublicAddress
from robot.db import Database
from robot.signin.links import create_link, link_address
from tests.harness import Robot
from wikihost.layout import DataDir

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 15_000
DESKTOP: ViewportSize = {"width": 1280, "height": 850}

NewContext = Callable[..., BrowserContext]


@dataclass(frozen=True)
class MadeWiki:
    """A wiki of the operator's, and a token that writes it."""

    slug: str
    origin: str
    token: str


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@contextmanager
def running_chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no chromium: tests/require-system-packages installs Debian's"
    expect.set_options(timeout=PATIENCE_MS)  # as patient as with what it does itself
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """Makes browsers that know nothing yet; further arguments are Playwright's."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = chromium.new_context(**({"viewport": DESKTOP} | options))
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def stranger(new_context: NewContext) -> Page:
    """A page of a browser that is signed in nowhere."""
    return new_context().new_page()


@pytest.fixture(scope="package")
def keeper_state(robot: Robot, chromium: Browser) -> Any:
    """The cookies of a browser in which the operator has opened a sign-in link."""
    context = chromium.new_context()
    context.new_page().goto(link_for(robot))
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def keeper(new_context: NewContext, keeper_state: Any) -> Page:
    """A page of the operator's browser, signed in to the platform and not yet to any wiki."""
    return new_context(storage_state=keeper_state).new_page()


@pytest.fixture(scope="package")
def make_wiki(robot: Robot) -> Callable[..., MadeWiki]:
    """Makes wikis of the operator's through the platform's forms, as fast as they go."""
    return wiki_maker(robot)


def wiki_maker(robot: Robot) -> Callable[..., MadeWiki]:
    client = robot.client(robot.platform, cookies=robot.sign_in())
    client.headers["Sec-Fetch-Site"] = "same-origin"

    def make(visibility: str = "private", *, slug: str = "", name: str = "", description: str = "") -> MadeWiki:
        slug = slug or new_slug()
        form = {"name": name or f"Wiki {slug}", "slug": slug, "description": description, "visibility": visibility}
        made = client.post("/app/create", data=form)
        assert made.status_code == 303, made.text
        form = {"name": "test", "scope": "write", "expiry": "30"}
        shown = re.search(r"robot_[A-Za-z0-9_-]{43}", client.post(f"/app/wiki/{slug}/tokens", data=form).text)
        assert shown
        return MadeWiki(slug, robot.wiki_origin(slug), shown[0])

    return make


def new_slug() -> str:
    return f"t-{secrets.token_hex(4)}"


def link_for(robot: Robot, name: str = "keeper") -> str:
    """A sign-in link for the person of that user name, whose account is made when missing.

    Trio gets a thread of its own: in this one Playwright's loop is at home.
    """

    async def make() -> str:
        db = Database.open(DataDir(robot.data).robot_db)
        try:
            user = find_user_by_name(db, name) or await create_user(db, name, name.capitalize())
            return link_address(PublicAddress("http", "robot.localhost", robot.port), await create_link(db, user))
        finally:
            db.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(trio.run, make).result()


def read_page(robot: Robot, wiki: MadeWiki, name: str = "Home") -> tuple[int, Any]:
    """What the server says of a page, asked outside the browser: status and JSON."""
    with robot.agent(wiki.token, wiki.origin) as agent:
        answer = agent.get(f"/api/v1/pages/{name}")
    return answer.status_code, answer.json()


def write_page(robot: Robot, wiki: MadeWiki, name: str, content: str) -> None:
    with robot.agent(wiki.token, wiki.origin) as agent:
        current = agent.get(f"/api/v1/pages/{name}")
        body = {"content": content}
        if current.status_code == 200:
            body["revision"] = current.json()["revision"]
        answer = agent.put(f"/api/v1/pages/{name}", json=body)
    assert answer.status_code in (200, 201), answer.text
