"""The page cache in the running robot: always what a worker would say now, for whoever asks, and without waking it."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
import trio

from robot.access import grant_role
from robot.accounts import create_user, find_user_by_name, operator_of
from robot.address import PublicAddress
from robot.db import Database
from robot.hosting import create_hosted_wiki
from robot.model import Role, Scope, Visibility, Wiki
from robot.signin.links import create_link, link_address
from robot.tokens import create_token
from robot.wikis import find_wiki_by_slug
from tests.git_door.client import Git, address
from tests.harness import Robot, running_robot
from tests.mcp_message import tool_call
from tests.processes import wait_until, workers_of
from tests.robot.small_host import withdraw_role
from tests.wikihost.wikis import git
from wikihost.layout import DataDir, WikiHome
from wikihost.quota import Quota

pytestmark = pytest.mark.flow

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
ROUNDS = 100
T = TypeVar("T")


def wiki_at(db: Database, slug: str) -> Wiki:
    wiki = find_wiki_by_slug(db, slug)
    assert wiki is not None
    return wiki


class Host:
    """A running robot with a private and a public wiki, and people with every role in both."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.tokens: dict[str, str] = {}
        self.with_db(self._make_wikis)
        for name, role in PEOPLE.items():
            for slug in WIKIS:
                self.give(name, slug, role)
        self.cookies: dict[tuple[str, str], dict[str, str]] = {("nobody", slug): {} for slug in WIKIS}
        for name in ("keeper", *PEOPLE):
            for slug in WIKIS:
                self.cookies[name, slug] = robot.sign_in(robot.wiki_origin(slug), self.link(name))

    def home(self, slug: str) -> WikiHome:
        async def find(db: Database) -> str:
            return wiki_at(db, slug).id

        return DataDir(self.robot.data).wiki(self.with_db(find))

    def browser(self, who: str, slug: str) -> httpx2.Client:
        client = self.robot.client(self.robot.wiki_origin(slug), cookies=self.cookies[who, slug])
        client.headers["Accept"] = "text/html"
        return client

    def agent(self, slug: str) -> httpx2.Client:
        return self.robot.agent(self.tokens[slug], self.robot.wiki_origin(slug))

    def give(self, name: str, slug: str, role: Role | None) -> None:
        async def change(db: Database) -> None:
            user = find_user_by_name(db, name) or await create_user(db, name, name.capitalize())
            wiki = wiki_at(db, slug)
            await (grant_role(db, user, wiki, role) if role else withdraw_role(db, user, wiki))

        self.with_db(change)

    def link(self, name: str) -> str:
        async def make(db: Database) -> str:
            user = find_user_by_name(db, name)
            assert user is not None
            return link_address(PublicAddress("http", "robot.localhost", self.robot.port), await create_link(db, user))

        return self.with_db(make)

    def with_db(self, work: Callable[[Database], Awaitable[T]]) -> T:
        with closing(Database.open(DataDir(self.robot.data).robot_db)) as db:
            return trio.run(work, db)

    def set_visibility(self, slug: str, visibility: Visibility) -> None:
        async def change(db: Database) -> None:
            sql = "UPDATE wikis SET visibility = ? WHERE slug = ?"
            await db.write(lambda connection: connection.execute(sql, (visibility.value, slug)))

        self.with_db(change)

    async def _make_wikis(self, db: Database) -> None:
        owner = await operator_of(db)
        for slug, visibility in WIKIS.items():
            pages = {"Home": f"# Home\n\nOnly in {slug}.\n", "Sub/Page": "# Page\n"}
            wiki = await create_hosted_wiki(
                db,
                DataDir(self.robot.data),
                owner,
                slug=slug,
                name=slug,
                description="",
                visibility=visibility,
                domain="robot.localhost",
                quota=Quota(),
                pages=pages,
            )
            self.tokens[slug], _ = await create_token(db, owner, wiki, "test", set(Scope))


WIKIS = {"closed": Visibility.PRIVATE, "open": Visibility.PUBLIC}
PEOPLE = {"vera": Role.VIEWER, "edith": Role.EDITOR, "olga": Role.OWNER}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running_robot(tmp_path_factory.mktemp("cached") / "data", env={"ROBOT_WORKER_IDLE": "4"}) as robot:
        yield Host(robot)


@contextmanager
def readers(who: str, host: Host, slug: str, path: str) -> Iterator[None]:
    """People who read the page all the time, so that it is being made while it changes."""
    done = threading.Event()
    failures: list[object] = []

    def read() -> None:
        with host.browser(who, slug) as browser:
            while not done.is_set():
                answer = browser.get(path)
                if answer.status_code != 200:
                    failures.append(answer)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []


def see(browser: httpx2.Client, path: str, **headers: str) -> str:
    answer = browser.get(path, headers=headers)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    return answer.text


def past_the_cache(browser: httpx2.Client) -> dict[str, str]:
    """Headers with a cookie of Otter Wiki's session: such a request is always the worker's."""
    return {"Cookie": "; ".join(filter(None, [browser.headers.get("Cookie"), "__Host-wiki=none"]))}


def call_tool(agent: httpx2.Client, tool: str, **arguments: str) -> None:
    answer = agent.post(**tool_call(tool, **arguments))
    assert answer.status_code == 200, answer.text
    assert not answer.json()["result"].get("isError"), answer.text


def test_every_save_is_seen_at_once_whatever_the_door(host: Host, tmp_path: Path) -> None:
    clone = Git(tmp_path).clone(address(host.robot, host.tokens["open"], "open"), "clone")
    home = host.home("open")

    def by_rest(text: str) -> None:
        body = {"content": text, "revision": agent.get("/api/v1/pages/Busy").json().get("revision")}
        assert agent.put("/api/v1/pages/Busy", json=body).status_code in (200, 201)

    def by_mcp(text: str) -> None:
        revision = agent.get("/api/v1/pages/Busy").json()["revision"]
        call_tool(agent, "write_note", path="Busy", content=text, revision=revision)

    def by_browser(text: str) -> None:
        saved = editor.post("/Busy/save", data={"content": text, "commit": ""}, headers=SAME_ORIGIN)
        assert saved.status_code in (302, 303), saved.text

    def by_push(text: str) -> None:
        clone("pull", "-q", "--rebase")
        clone.write({"Busy.md": text})
        clone("push", "-q")

    def by_plain_git(text: str) -> None:
        (home.repo / "Busy.md").write_text(text)
        git(home, "commit", "-qm", "On the machine itself", "Busy.md")

    doors = [by_rest] * 40 + [by_mcp] * 25 + [by_browser] * 25 + [by_push] * 5 + [by_plain_git] * 5
    random.Random(7).shuffle(doors)
    with (
        host.agent("open") as agent,
        host.browser("keeper", "open") as editor,
        host.browser("nobody", "open") as stranger,
    ):
        by_rest("# Busy\n\nbefore\n")
        with readers("nobody", host, "open", "/Busy"):
            for number, save in enumerate([by_rest, by_mcp, by_browser, by_push, by_plain_git, *doors]):
                words = f"round {number} by {save.__name__}"
                save(f"# Busy\n\n{words}\n")
                assert words in see(stranger, "/Busy")
                if number % 5 == 0:
                    assert words in see(editor, "/Busy")
        assert number >= ROUNDS


def test_the_owners_preferences_are_seen_at_once(host: Host) -> None:
    with host.browser("olga", "open") as owner, host.browser("nobody", "open") as stranger:
        with readers("nobody", host, "open", "/Home"):
            for number in range(10):
                form = {"update_preferences": "true", "site_name": f"Site {number}", "site_description": ""}
                assert owner.post("/-/admin", data=form, headers=SAME_ORIGIN).status_code == 302
                assert f"Site {number}" in see(stranger, "/Home")
        for title in ("First entry", "Second entry"):
            form = {"link": "/Sub/Page", "title": title, "icon": ""}
            assert owner.post("/-/admin/sidebar_preferences", data=form, headers=SAME_ORIGIN).status_code == 302
            assert title in see(stranger, "/Home")


def test_nobody_gets_what_another_may_see(host: Host) -> None:
    """Each page as each person, in two orders: always what the worker says to just them."""
    paths = ["/", "/Home", "/Sub", "/Sub/Page", "/Nope", "/-/index", "/-/about", "/Home/source", "/sitemap.xml"]
    cases = list(product(WIKIS, ("nobody", *PEOPLE), paths))
    random.Random(11).shuffle(cases)
    browsers = {(who, slug): host.browser(who, slug) for who, slug in product(("nobody", *PEOPLE), WIKIS)}
    for slug, who, path in [*cases, *reversed(cases)]:
        browser = browsers[who, slug]
        kept, made = browser.get(path), browser.get(path, headers=past_the_cache(browser))
        assert (kept.status_code, kept.text) == (made.status_code, made.text), (slug, who, path)
        if slug == "closed" and who == "nobody":
            assert kept.status_code == 303
            assert kept.headers["location"].startswith("/auth/start")
    assert "Only in open" in see(browsers["nobody", "open"], "/Home")
    assert "Only in closed" in see(browsers["vera", "closed"], "/Home")
    assert "/Home?edit" in see(browsers["edith", "open"], "/Home")
    assert "/Home?edit" not in see(browsers["vera", "open"], "/Home")
    for browser in browsers.values():
        browser.close()


def test_tossed_cookies_open_no_kept_page(host: Host) -> None:
    vera, edith = (host.cookies[who, "closed"]["__Host-robot_wiki"] for who in ("vera", "edith"))
    elsewhere = host.cookies["edith", "open"]["__Host-robot_wiki"]
    with host.browser("edith", "closed") as browser, host.browser("nobody", "closed") as stranger:
        for _ in range(2):
            assert "Only in closed" in see(browser, "/Home")
        for cookies in (
            f"__Host-robot_wiki={vera}; __Host-robot_wiki={edith}",
            f"__Host-robot_wiki={elsewhere}",
            "__Host-robot_wiki=guessed",
            "halfmoon_sidebar=hidden",
        ):
            assert stranger.get("/Home", headers={"Cookie": cookies}).status_code == 303, cookies
        mode = f"__Host-robot_wiki={edith}; halfmoon_preferredMode=dark-mode; remember_token=tossed"
        assert "dark-mode" in see(browser, "/Home", Cookie=mode)
        assert 'class="dark-mode' not in see(browser, "/Home")


def test_roles_visibility_and_signing_out_count_at_once(host: Host) -> None:
    host.give("tom", "closed", Role.EDITOR)
    host.cookies["tom", "closed"] = host.robot.sign_in(host.robot.wiki_origin("closed"), host.link("tom"))
    with host.browser("tom", "closed") as tom, host.browser("nobody", "closed") as stranger:
        for _ in range(2):
            assert "/Home?edit" in see(tom, "/Home")
        host.give("tom", "closed", Role.VIEWER)
        assert "/Home?edit" not in see(tom, "/Home")
        host.give("tom", "closed", None)
        assert tom.get("/Home").status_code == 404
        host.set_visibility("closed", Visibility.PUBLIC)
        for _ in range(2):
            assert "Only in closed" in see(stranger, "/Home")
        assert "/auth/logout" in see(tom, "/Home")
        host.set_visibility("closed", Visibility.PRIVATE)
        assert stranger.get("/Home").status_code == 303
        host.give("tom", "closed", Role.EDITOR)
        assert "/Home?edit" in see(tom, "/Home")
        assert tom.post("/auth/logout", headers=SAME_ORIGIN).status_code == 200
        assert tom.get("/Home").status_code == 303


def test_a_notice_is_shown_once_and_to_nobody_else(host: Host) -> None:
    with host.browser("edith", "open") as edith, host.browser("olga", "open") as olga:
        saved = edith.post("/Notice/save", data={"content": "# Notice", "commit": ""}, headers=SAME_ORIGIN)
        session = saved.cookies["__Host-wiki"]
        own = f"{edith.headers['Cookie']}; __Host-wiki={session}"
        shown = edith.get("/Notice", headers={"Cookie": own})
        assert "Notice saved." in shown.text
        assert re.search("__Host-wiki=;.*(Max-Age=0|1970)", shown.headers["set-cookie"])
        for browser in (edith, olga):
            assert "Notice saved." not in see(browser, "/Notice")


def test_the_last_pages_are_offered_to_whoever_saw_them(host: Host) -> None:
    with host.browser("edith", "open") as edith, host.browser("olga", "open") as olga:
        with host.agent("open") as agent:
            assert agent.put("/api/v1/pages/Fresh/Page", json={"content": "# Fresh\n"}).status_code == 201
        for _ in range(2):
            see(edith, "/Fresh/Page")
        offered = r"toggle_pagename_prefix\('pagename','Fresh'\)"
        assert re.search(offered, see(edith, "/-/create"))
        assert not re.search(offered, see(olga, "/-/create"))


def test_attachments_are_kept_with_their_policy(host: Host) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    with host.agent("open") as agent, host.browser("nobody", "open") as stranger:
        made = agent.put(
            "/api/v1/pages/Home/attachments/a.svg", content=drawing, headers={"Content-Type": "image/svg+xml"}
        )
        assert made.status_code in (200, 201), made.text
        first, again = stranger.get("/Home/a.svg"), stranger.get("/Home/a.svg")
        for answer in (first, again):
            assert answer.content == drawing
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "private, no-cache"
            assert answer.headers["etag"] == first.headers["etag"]
        assert first.headers["x-request-id"] != again.headers["x-request-id"]
        known = {"If-None-Match": again.headers["etag"]}
        assert stranger.get("/Home/a.svg", headers=known).status_code == 304
        part = stranger.get("/Home/a.svg", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, drawing[:4])
        assert agent.delete("/api/v1/pages/Home/attachments/a.svg").status_code in (200, 204)
        assert stranger.get("/Home/a.svg", headers=known).status_code == 404


def test_a_sleeping_wiki_is_read_without_waking_it(host: Host) -> None:
    paths = ["/Home", "/Nope", "/-/changelog/feed.atom"]
    with host.browser("nobody", "open") as stranger, host.browser("vera", "closed") as vera:
        asked = [*product((stranger, vera), paths), (stranger, "/robots.txt")]
        before = [(browser, path, browser.get(path)) for browser, path in asked]
        assert workers_of(host.robot.pid)
        wait_until(lambda: not workers_of(host.robot.pid), 60, "all wikis sleep")
        for browser, path, answer in before:
            again = browser.get(path)
            assert (again.status_code, again.content) == (answer.status_code, answer.content)
            if answer.status_code == 200:
                known = {"If-None-Match": again.headers["etag"]}
                assert browser.get(path, headers=known).status_code == 304
                head = browser.head(path)
                assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))
        assert "Disallow: /" in vera.get("/robots.txt").text
        assert not workers_of(host.robot.pid)
