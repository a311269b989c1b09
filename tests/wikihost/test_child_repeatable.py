"""Which answers a worker lets core give again; and that Otter Wiki looks at nothing that the cache does not know."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from flask import Flask, request

from tests.wikihost.fleets import OWNER, PATIENCE_S, READER, FleetInThread, ask, hosted, repository, save
from wikihost.child import repeatable
from wikihost.child.repeatable import ENDPOINTS, Changes
from wikihost.worker_protocol import MADE_AT_HEADER, PAGE_HEADER, RECENT_HEADER
from wikihost.writer import Writer

PAGES = {"Home": "# Welcome home\n\nSee [[Sub/Page]].\n", "Sub/Page": "# Page\n"}
# Forms and what is typed in them, times that pass, who is asking, other machines: never given again.
NOT_REPEATABLE = {
    "admin",
    "admin_content_and_editing",
    "admin_mail_preferences",
    "admin_permissions_and_registration",
    "admin_repository_management",
    "admin_sidebar_preferences",
    "admin_user_management",
    "attachments",
    "changelog",
    "confirm_email",
    "create",
    "delete",
    "diff",
    "discard_draft",
    "dotgit",
    "draft",
    "edit",
    "edit_attachment",
    "git_info_refs",
    "git_receive_pack",
    "git_upload_pack",
    "healthz",
    "history",
    "housekeeping",
    "inline_attachment",
    "login",
    "logout",
    "lost_password",
    "plugin_url_admin_request",
    "plugin_url_request",
    "preview",
    "pull_webhook",
    "recover_password",
    "register",
    "rename",
    "request_confirmation_link",
    "revert",
    "save",
    "search",
    "security_check",
    "settings",
    "show_commit",
    "user",
    "well_known_change_password",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


def sources(pattern: str) -> Iterator[tuple[str, str]]:
    """Files of the installed Otter Wiki, without importing it."""
    spec = importlib.util.find_spec("otterwiki")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for path in sorted(root.rglob(pattern)):
        yield path.relative_to(root).as_posix(), path.read_text("utf-8")


def test_every_view_of_otterwiki_is_judged() -> None:
    views = {
        node.name
        for name, text in sources("views.py")
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and any("app.route" in ast.unparse(one) for one in node.decorator_list)
    }
    assert views == ENDPOINTS | NOT_REPEATABLE
    assert not ENDPOINTS & NOT_REPEATABLE


def test_otterwiki_looks_at_no_other_part_of_a_request() -> None:
    """What pages depend on is the key (`robot/page_cache.py`); a new Otter Wiki that looks at more is to be judged."""
    looked_at = set()
    for pattern in ("*.py", "*.html"):
        for name, text in sources(pattern):
            looked_at |= {(name, cookie) for cookie in re.findall(r"request\.cookies\.get\(['\"](\w+)", text)}
            looked_at |= {
                (name, part)
                for part in re.findall(r"request\.(headers|referrer|user_agent|remote_addr|environ|accept\w+)", text)
            }
    assert looked_at == {
        ("templates/layout.html", "halfmoon_preferredMode"),
        ("templates/layout.html", "halfmoon_sidebar"),
        ("views.py", "email"),  # the form to sign in, which is not there
        ("security_check.py", "headers"),  # a screen that is blocked
        ("security_check.py", "remote_addr"),
    }


def test_nor_do_we() -> None:
    """But for what core itself adds."""
    ours = Path(repeatable.__file__).parent.glob("*.py")
    parts = re.compile(r"request\.(cookies|headers|referrer|user_agent|remote_addr|environ|accept\w+)")
    assert {(file.name, part) for file in ours for part in parts.findall(file.read_text("utf-8"))} == {
        ("logs.py", "headers"),  # the request's number
        ("failing.py", "headers"),  # whether the wiki is frozen, which is in the key
        ("menu.py", "headers"),  # the role, which is in the key
        ("plain.py", "headers"),  # the request's number, on pages that are never given again
        ("recent.py", "headers"),
        ("searching.py", "headers"),  # of answers that are never given again
    }


def test_times_that_pass_are_shown_only_where_nothing_is_kept() -> None:
    shown = {name for name, text in sources("*.html") if "deltanow" in text}
    assert shown == {f"templates/{name}.html" for name in ("changelog", "diff", "draft", "history", "rename")}


async def test_what_may_be_given_again_says_its_commit(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    head = repository(wiki).head()
    for path in (
        "/",
        "/Home",
        "/Home?revision=" + head[:8],
        "/Sub",
        "/sub/page",
        "/Nope",
        "/Home/source?raw",
        "/Home/blame",
        "/-/index",
        "/-/about",
        "/-/help",
        "/-/changelog/feed.atom",
        "/robots.txt",
        "/sitemap.xml",
        "/favicon.ico",
        "/manifest.webmanifest",
        "/-/plugin-static.css",
    ):
        for who in (READER, OWNER):
            answer = await ask(worker, path, who)
            assert answer.headers.get(MADE_AT_HEADER) == head, path
            assert "set-cookie" not in answer.headers, path
    await save(worker, "Home", "# Changed\n")
    changed = await ask(worker, "/Home", READER)
    assert changed.headers[MADE_AT_HEADER] == repository(wiki).head() != head


async def test_what_may_not_be_given_again_says_nothing(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    for path in (
        "/Home?edit",
        "/Home/edit",
        "/Home/history",
        "/Home/rename",
        "/Home/delete",
        "/Home/attachments",
        "/-/changelog",
        "/-/commit/" + repository(wiki).head()[:8],
        "/-/search/home",
        "/-/create",
        "/-/settings",
        "/-/admin",
        "/-/housekeeping",
        "/-/login",
        "/-/healthz",
    ):
        answer = await ask(worker, path)
        assert answer.status in (200, 302), path
        assert MADE_AT_HEADER not in answer.headers, path
    for path, form in (("/Home/preview", {"content": "x"}), ("/-/search", {"query": "x"})):
        assert MADE_AT_HEADER not in (await ask(worker, path, form=form)).headers


async def test_while_the_files_are_behind_the_head_nothing_is_kept(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    with Writer(wiki.home).locked() as held, held.using_work_tree():
        assert MADE_AT_HEADER not in (await ask(worker, "/Home")).headers
    assert MADE_AT_HEADER in (await ask(worker, "/Home")).headers


async def test_while_a_change_is_under_way_nothing_is_kept(fleet: FleetInThread, tmp_path: Path) -> None:
    """Also where neither head nor files have moved yet: what the change is going to be, nobody knows."""
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    async with trio.open_nursery() as nursery:
        with Writer(wiki.home).locked():
            assert MADE_AT_HEADER in (await ask(worker, "/Home")).headers
            nursery.start_soon(save, worker, "Home", "# Waits for the lock\n")
            with trio.fail_after(PATIENCE_S):
                while MADE_AT_HEADER in (await ask(worker, "/Home")).headers:
                    pass  # each question is a turn of the loop
            assert "Welcome home" in (await ask(worker, "/Home")).text
    assert MADE_AT_HEADER in (await ask(worker, "/Home")).headers


def test_an_answer_made_while_the_wiki_is_described_anew_is_not_kept() -> None:
    """Such a page may hold the old name and the new one."""
    app = Flask(__name__)
    repeatable.install(app, SimpleNamespace(settled_head=lambda: "a" * 40))

    @app.get("/-/about", endpoint="about")
    def about() -> str:
        if "now" in request.args:
            with repeatable.changing(app):
                pass
        return "About"

    client = app.test_client()
    assert MADE_AT_HEADER in client.get("/-/about").headers
    assert MADE_AT_HEADER not in client.get("/-/about?now").headers
    with repeatable.changing(app):
        assert MADE_AT_HEADER not in client.get("/-/about").headers
    assert MADE_AT_HEADER in client.get("/-/about").headers


async def test_the_owners_new_preferences_are_heeded_by_what_is_kept(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    done = trio.Event()
    seen = []

    async def read() -> None:
        while not done.is_set():
            answer = await ask(worker, "/Home")
            if MADE_AT_HEADER in answer.headers:
                seen.append(re.search(r"Name (\d+)", answer.text))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(read)
        for number in range(10):
            form = {"update_preferences": "true", "site_name": f"Name {number}", "site_description": ""}
            assert (await ask(worker, "/-/admin", form=form)).status == 302
            while True:
                answer = await ask(worker, "/Home")
                assert f"Name {number}" in answer.text
                if MADE_AT_HEADER in answer.headers:
                    break
        done.set()
    assert seen


def test_nothing_is_quiet_while_a_change_runs() -> None:
    changes = Changes()
    before = changes.quiet_since()
    changes.begin()
    changes.begin()
    assert changes.quiet_since() is None
    changes.end()
    assert changes.quiet_since() is None
    changes.end()
    assert changes.quiet_since() not in (None, before)


async def test_a_page_does_not_tell_who_looks_at_it(fleet: FleetInThread, tmp_path: Path) -> None:
    """So that all who have the same permissions can share it; what does tell is not given again (see above)."""
    wiki = hosted(tmp_path, pages=PAGES)
    worker = await fleet.wake(wiki)
    bo = {**OWNER, "x-otterwiki-name": "Bo", "x-otterwiki-email": "bo@example.org"}
    for path in ("/Home", "/Sub", "/Nope", "/-/index", "/-/help"):
        assert (await ask(worker, path)).text == (await ask(worker, path, bo)).text, path
    assert "Ada" in (await ask(worker, "/-/settings")).text


async def test_recent_pages_come_with_the_request(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={**PAGES, "Möbel/Tisch": "# T\n"})
    worker = await fleet.wake(wiki)
    assert (await ask(worker, "/Sub/Page")).headers[PAGE_HEADER] == "Sub/Page"
    assert (await ask(worker, "/M%C3%B6bel")).headers[PAGE_HEADER] == "M%C3%B6bel"
    for path in ("/Nope", "/-/about", "/-/index"):
        assert PAGE_HEADER not in (await ask(worker, path)).headers, path
    recent = {**OWNER, RECENT_HEADER: "Sub/Page M%C3%B6bel/Tisch Gone/Page"}
    for path in ("/-/create", "/Home/rename"):
        form = await ask(worker, path, recent)
        offered = re.findall(r"toggle_pagename_prefix\('\w+','([^']+)'\)", form.text)
        assert offered == ["Möbel", "Möbel/Tisch", "Sub", "Sub/Page"], path
        assert "set-cookie" not in form.headers, path
