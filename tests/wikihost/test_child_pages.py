"""What a worker serves: pages, saves, renames, uploads, refusals; and that two wikis never mix."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pygit2
import pytest
import trio

from tests.wikihost.fleets import (
    OWNER,
    READER,
    FleetInThread,
    ask,
    eventually,
    hosted,
    repository,
    running_fleet,
    save,
    text_at_head,
)
from wikihost.layout import WikiHome
from wikihost.names import name_of_file
from wikihost.pushes import note_push
from wikihost.redirects import redirect_text
from wikihost.repo import Repository
from wikihost.values import Author
from wikihost.writer import Writer


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


async def test_a_page_is_served_and_saved_under_its_author(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    page = await ask(worker, "/Home", READER)
    assert (page.status, "Welcome home" in page.text, wiki.site_name in page.text) == (200, True, True)
    assert "set-cookie" not in page.headers
    saved = await save(worker, "New_Page/Möbel", "# Möbel\n\nEin Tisch.\n")
    assert saved.status == 302
    await eventually(lambda: wiki.wiki_id in fleet.changes.heard)
    shown = await ask(worker, "/New_Page/M%C3%B6bel")
    assert "Ein Tisch" in shown.text
    history = await ask(worker, "/New_Page/M%C3%B6bel/history")
    assert "Ada Łukasz" in history.text
    assert "Robot-Via" not in history.text
    assert text_at_head(wiki, "New_Page/Möbel.md") == "# Möbel\n\nEin Tisch.\n"
    commit = repository(wiki).git.head.peel(pygit2.Commit)
    assert (commit.author.name, commit.author.email) == ("Ada Łukasz", "ada@example.org")
    assert commit.message.endswith("Robot-Via: web\n")


async def test_saving_the_same_text_makes_no_commit(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    before = repository(wiki).head()
    assert (await save(worker, "Home", "# Welcome home\n")).status == 302
    assert repository(wiki).head() == before


async def test_agents_and_pushes_are_told_beside_the_author(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    agent = Author("Ada (Bot & Co)", "ada@example.org", {"Robot-Agent": "Bot & Co", "Robot-Via": "mcp"})
    Writer(wiki.home).commit({"Home.md": b"# By a bot\n"}, author=agent, message="Bot")
    head = repository(wiki).head()
    note_push(Repository(wiki.home.repo), Author("Eve (laptop)", "eve@example.org"), onto=head, new=pushed(wiki.home))
    worker = await fleet.wake(wiki)
    marked = 'Ada (Bot &amp; Co) <span class="badge" title="Made by the agent Bot &amp; Co">agent</span>'
    for address in ("/Home/history", "/-/changelog", "/Home/blame"):
        page = (await ask(worker, address)).text
        assert (page.count(marked), page.count(">agent</span>")) == (1, 1), address
        assert page.count(">pushed by Eve (laptop)</span>") == 1, address
    assert marked in (await ask(worker, f"/-/commit/{head[:6]}")).text
    feed = (await ask(worker, "/-/changelog/feed.atom")).text
    assert "Ada (Bot &amp; Co)" in feed
    assert "badge" not in feed


def pushed(home: WikiHome) -> str:
    """A commit as a push brings it: what it says of itself is its author's choice."""
    forged = Author("Somebody", "x@example.org", {"Robot-Agent": "forged"})
    return Writer(home).commit({"Home.md": b"# By a bot\n\nPushed\n"}, author=forged, message="Push").head


async def test_two_wikis_never_mix(tmp_path: Path) -> None:
    one, two = hosted(tmp_path, "one"), hosted(tmp_path, "two", {"Home": "# Second\n", "Only Two": "secret\n"})
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(one) as first, fleet.lease(two) as second:
        sidebar = {"update_preferences": "true", "site_name": "Renamed by owner", "site_description": ""}
        assert (await ask(first, "/-/admin", form=sidebar)).status == 302
        await save(first, "Home", "# Changed in one\n")
        here, there = await ask(first, "/Home"), await ask(second, "/Home")
        assert "Renamed by owner" in here.text
        assert "Changed in one" in here.text
        assert "Wiki two" in there.text
        assert "Changed in one" not in there.text
        assert "Only Two" not in (await ask(first, "/-/index")).text
        assert "Only Two" in (await ask(second, "/-/index")).text
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(one) as first:
        assert "Renamed by owner" in (await ask(first, "/Home")).text


async def test_parallel_saves_are_all_kept(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    core = Writer(wiki.home)
    worker = await fleet.wake(wiki)

    async def saves(number: int) -> None:
        for turn in range(5):
            assert (await save(worker, f"Page {number}", f"turn {turn}\n")).status == 302

    def commits() -> None:
        for turn in range(10):
            core.commit({f"Core {turn}.md": b"x\n"}, author=Author("C", "c@x"), message="core")

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(saves, number)
        nursery.start_soon(trio.to_thread.run_sync, commits)
    log = git(wiki.home.repo, "log", "--format=%s").splitlines()
    assert len(log) == 1 + 8 * 5 + 10
    assert all(text_at_head(wiki, f"Page {number}.md") == "turn 4\n" for number in range(8))
    assert git(wiki.home.repo, "status", "--porcelain") == ""
    git(wiki.home.repo, "fsck", "--strict")


@pytest.mark.parametrize("cookie", ["remember_token=x", "remember_token=1|0", "remember_token=", "a=b; remember_token"])
async def test_a_cookie_that_a_sibling_set_takes_nobodys_identity(
    fleet: FleetInThread, tmp_path: Path, cookie: str
) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    assert (await save(worker, "Mine", "text\n", {**OWNER, "Cookie": cookie})).status == 302
    page = await ask(worker, "/Mine", {**OWNER, "Cookie": cookie})
    assert (page.status, "Sign in" in page.text, "set-cookie" in page.headers) == (200, False, False)


async def test_a_rename_moves_page_attachments_and_links_in_one_commit(fleet: FleetInThread, tmp_path: Path) -> None:
    pages = {
        "Home": "# Home\n\nSee [[Old Name]].\n",
        "Old Name": "# Old\n\nMyself: [[Old Name]]\n",
        "Old Name/Sub": "s\n",
    }
    wiki = hosted(tmp_path, pages=pages)
    worker = await fleet.wake(wiki)
    form = {"new_pagename": "New Name", "message": "Move it", "update_backlinks": "1"}
    moved = await ask(worker, "/Old%20Name/rename", form=form)
    assert (moved.status, moved.headers["location"]) == (302, "/New%20Name")
    assert (await ask(worker, "/New%20Name")).status == 200
    old = await ask(worker, "/Old%20Name")
    assert (old.status, old.headers["location"]) == (302, "/New%20Name")
    assert (await ask(worker, "/Old%20Name/Sub")).headers["location"] == "/New%20Name/Sub"
    assert text_at_head(wiki, "Home.md") == "# Home\n\nSee [[New Name]].\n"
    assert text_at_head(wiki, "New Name.md") == "# Old\n\nMyself: [[New Name]]\n"
    assert text_at_head(wiki, "New Name/Sub.md") == "s\n"
    assert text_at_head(wiki, "Old Name.md") == redirect_text("New Name")
    assert text_at_head(wiki, "Old Name/Sub.md") == redirect_text("New Name/Sub")
    assert len(git(wiki.home.repo, "log", "--format=%s").splitlines()) == 2
    assert git(wiki.home.repo, "status", "--porcelain") == ""
    assert (await ask(worker, "/New%20Name/history")).text.count("Move it") > 0


async def test_delete_and_revert(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Page": "one\n", "Page/Sub": "sub\n"})
    worker = await fleet.wake(wiki)
    await ask(worker, "/Page/delete", form={"message": "Away", "recursive": "recursive"})
    assert (text_at_head(wiki, "Page.md"), text_at_head(wiki, "Page/Sub.md")) == (None, None)
    revision = repository(wiki).head()[:6]
    await ask(worker, f"/-/revert/{revision}", form={"message": "Back"})
    assert (text_at_head(wiki, "Page.md"), text_at_head(wiki, "Page/Sub.md")) == ("one\n", "sub\n")
    assert "one" in (await ask(worker, "/Page")).text
    head = repository(wiki).head()
    refused = await ask(worker, f"/-/revert/{head[:6]}", form={"message": "Again"})
    assert refused.status == 302
    assert text_at_head(wiki, "Page.md") is None
    assert git(wiki.home.repo, "status", "--porcelain") == ""


async def test_a_revert_against_later_changes_is_refused_and_changes_nothing(
    fleet: FleetInThread, tmp_path: Path
) -> None:
    wiki = hosted(tmp_path, pages={"Home": "one\n"})
    worker = await fleet.wake(wiki)
    await save(worker, "Home", "two\n")
    revision = repository(wiki).head()[:6]
    await save(worker, "Home", "three\n")
    head = repository(wiki).head()
    await ask(worker, f"/-/revert/{revision}", form={"message": "Back"})
    assert repository(wiki).head() == head
    assert git(wiki.home.repo, "status", "--porcelain") == ""


def multipart(name: str, filename: str, data: bytes) -> tuple[bytes, str]:
    head = f'--frontier\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode() + data + b"\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier"


async def test_an_upload_is_committed_and_served(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki, data = hosted(tmp_path), bytes(range(256)) * 100
    body, kind = multipart("file", "data.bin", data)
    worker = await fleet.wake(wiki)
    assert (await ask(worker, "/Home/attachments", body=body, content_type=kind)).status == 302
    assert (await ask(worker, "/Home/data.bin")).status == 200
    assert (wiki.home.repo / "Home" / "data.bin").read_bytes() == data
    assert git(wiki.home.repo, "status", "--porcelain") == ""


async def test_other_spellings_of_a_name_reach_the_page(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "On Call": "# Duty\n", "Run books/Disk full": "free it\n"})
    worker = await fleet.wake(wiki)
    found = await ask(worker, "/On_Call?x=1")
    assert (found.status, found.headers["location"]) == (302, "/On%20Call?x=1")
    deep = await ask(worker, "/Run_books/Disk_full")
    assert deep.headers["location"] == "/Run%20books/Disk%20full"
    await save(worker, "On_Call", "# Changed\n")
    assert (await ask(worker, "/No_Such")).status == 404
    assert text_at_head(wiki, "On Call.md") == "# Changed\n"
    assert text_at_head(wiki, "On_Call.md") is None


async def test_no_page_is_saved_under_a_name_that_other_doors_refuse(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    for name in (".git/config", "a/.git/x", "-x", "dot.", "a/../../b", "x\u2028y", "n" * 260, "a.md/b", " lead"):
        await save(worker, name, "x\n")
    repo = repository(wiki)
    for path, _ in repo.files(repo.head()):
        assert name_of_file(path) is not None, path
    assert git(wiki.home.repo, "status", "--porcelain") == ""
    assert (await save(worker, "n" * 260, "x\n")).status == 400


# Where each of them is done now: below the wiki's page on the platform, or on the platform.
REPLACED = {
    "/-/admin/repository_management": "{wiki}/settings",
    "/-/admin/mail_preferences": "{wiki}/people",
    "/-/admin/user_management": "{wiki}/people",
    "/-/admin/permissions_and_registration": "{wiki}/people",
    "/-/user/": "{wiki}/people",
    "/-/user/1": "{wiki}/people",
    "/-/register": "{platform}/app/account",
    "/-/lost_password": "{platform}/app/account",
    "/-/api/v1/pull/abc": "{wiki}/settings",
    "/.git/info/refs?service=git-upload-pack": "{wiki}/settings",
}


async def test_screens_that_the_platform_replaces_say_where_it_is_done(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    platform = wiki.platform_url.partition("/app/")[0]
    for path, place in REPLACED.items():
        for answer in (await ask(worker, path), await ask(worker, path, form={"x": "y"})):
            assert answer.status in (404, 405), path
        address = place.format(wiki=wiki.platform_url, platform=platform)
        assert f'href="{address}"' in (await ask(worker, path)).text, path
    renamed = await ask(worker, "/-/settings", form={"name": "Somebody"})
    assert (renamed.status, f'href="{platform}/app/account"' in renamed.text) == (403, True)
    signin = await ask(worker, "/-/login?next=/-/index", {})
    assert signin.headers["location"] == "/auth/start?next=%2F-%2Findex"
    evil = await ask(worker, "/-/login?next=//evil.example", {})
    assert evil.headers["location"] == "/auth/start?next=%2F"
    for panel in ("/-/admin", "/-/admin/sidebar_preferences", "/-/admin/content_and_editing", "/-/settings"):
        assert (await ask(worker, panel)).status == 200, panel


MENU = {
    "owner": {"", "/agents", "/people", "/activity", "/settings"},
    "editor": {"", "/agents", "/people", "/activity"},
    "viewer": {"", "/agents", "/people", "/activity"},
    "": set(),
}
WITH_MENU = ("/Home", "/Home/history", "/-/changelog", "/-/search?query=x", "/-/index", "/-/settings", "/No%20page")


async def test_the_menu_leads_where_the_role_reaches(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    for role, tabs in MENU.items():
        for path in WITH_MENU:
            menu = menu_of((await ask(worker, path, {**OWNER, "x-robot-role": role})).text)
            found = set(re.findall(rf'href="{re.escape(wiki.platform_url)}([^"]*)"', menu))
            assert (path, found) == (path, tabs)
            assert 'action="/auth/logout"' in menu
            assert "Ada" not in menu, "the page is the same for all who may do the same"
    panel = menu_of((await ask(worker, "/-/admin", {**OWNER, "x-robot-role": "owner"})).text)
    assert f'href="{wiki.platform_url}/people"' in panel
    stranger = menu_of((await ask(worker, "/Home", READER)).text)
    assert 'href="/auth/start?next=%2FHome"' in stranger
    assert wiki.platform_url not in stranger


def menu_of(page: str) -> str:
    begin = page.index('<details class="robot-menu">')
    return page[begin : page.index("</details>", begin)]


async def test_a_hostile_name_of_a_wiki_is_text(fleet: FleetInThread, tmp_path: Path) -> None:
    name = "\"'></title><script>h()</script><img src=x onerror=h()>"
    worker = await fleet.wake(replace(hosted(tmp_path), site_name=name, description=name))
    for path in (*WITH_MENU, "/-/admin", "/-/admin/user_management", "/Home?edit"):
        page = (await ask(worker, path, {**OWNER, "x-otterwiki-name": name, "x-robot-role": "owner"})).text
        assert "&lt;img src=x" in page, path
        assert "<img src=x" not in page, path
        assert "<script>h()" not in page, path


async def test_what_goes_wrong_is_said_on_a_page_with_a_way_on(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path))
    viewer = {**OWNER, "x-otterwiki-permissions": "READ", "x-request-id": "abc123"}
    for path, headers, status in (
        ("/-/admin", viewer, 403),
        ("/-/commit/zzzzzz", viewer, 404),
        ("/sitemap.xml", {}, 403),
    ):
        answer = await ask(worker, path, headers)
        assert (path, answer.status) == (path, status)
        assert '<a class="button' in answer.text
        assert "abc123" not in answer.text, "nobody need be told of what is the asker's own doing"
    assert "/auth/start?next=%2Fsitemap.xml" in (await ask(worker, "/sitemap.xml", {})).text


async def test_what_the_platform_decides_survives_the_owners_preferences(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet:
        async with fleet.lease(wiki) as worker:
            await ask(worker, "/-/admin/content_and_editing", form={"retain_page_name_case": "False"})
            await ask(
                worker, "/-/admin", form={"update_preferences": "1", "site_name": "X", "server_name": "evil.example"}
            )
            assert (await save(worker, "CamelCase", "x\n")).status == 302
        await fleet.stop_worker(wiki.wiki_id)
        async with fleet.lease(wiki) as worker:
            assert (await ask(worker, "/CamelCase")).status == 200
    assert text_at_head(wiki, "CamelCase.md") == "x\n"


async def test_permissions_are_what_core_says(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    assert "Welcome home" not in (await ask(worker, "/Home", {})).text
    assert "Welcome home" in (await ask(worker, "/Home", READER)).text
    assert "/auth/start?next=%2FHome" in (await ask(worker, "/Home", READER)).text
    assert (await save(worker, "Home", "x\n", READER)).status == 403
    assert (await save(worker, "Home", "x\n", {})).status == 403
    viewer = {**OWNER, "x-otterwiki-permissions": "READ"}
    assert (await save(worker, "Home", "x\n", viewer)).status == 403
    assert (await ask(worker, "/-/admin", viewer)).status == 403
    assert wiki.platform_url in (await ask(worker, "/Home")).text
    assert text_at_head(wiki, "Home.md") == "# Welcome home\n"


async def test_a_page_of_a_million_characters_is_saved(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki, text = hosted(tmp_path), "ü" * 1_000_000 + "\n"
    worker = await fleet.wake(wiki)
    assert (await save(worker, "Big", text)).status == 302
    assert text_at_head(wiki, "Big.md") == text


async def test_frontmatter_does_not_fill_the_memory(fleet: FleetInThread, tmp_path: Path) -> None:
    """Were merge keys followed there would be 9 to the power of 20 pairs."""
    levels = [f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 20)]
    bomb = "\n".join(["---", "a0: &a0 {x: 1}", *levels, "---", "# Still read"])
    worker = await fleet.wake(hosted(tmp_path, pages={"Home": bomb}))
    page = await ask(worker, "/Home", READER)
    assert (page.status, "Still read" in page.text) == (200, True)


async def test_the_probe_path_is_no_page_for_visitors(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    for headers in (OWNER, {**OWNER, "x-robot-probe": "guess"}):
        assert (await ask(worker, "/-/robot/health", headers)).status == 404
    secret = {"x-robot-probe": worker.probe_secret}
    assert (await ask(worker, "/-/robot/health", secret)).status == 204


def git(repo: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(repo), *arguments], check=True, capture_output=True, text=True).stdout


async def test_every_way_to_sign_in_leads_back_to_the_page(fleet: FleetInThread, tmp_path: Path) -> None:
    """The page says where it is itself: core hands on no header that could, where an answer may be kept."""
    worker = await fleet.wake(hosted(tmp_path, pages={"Home": "# Home\n", "On Call": "# On call\n"}))
    page = await ask(worker, "/On%20Call?x=1", READER)
    links = {html.unescape(link).strip() for link in re.findall(r'href="(/-/login[^"]*)"', page.text)}
    assert links
    for link in links:
        led = (await ask(worker, link, READER)).headers["location"]
        assert parse_qs(urlsplit(led).query)["next"] == ["/On%20Call?x=1"], link


async def test_crawlers_are_told_to_read_pages_and_not_their_past(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    said = (await ask(worker, "/robots.txt", {})).text.splitlines()
    assert said[:2] == ["User-agent: *", "Allow: /"]
    assert {"Disallow: /*/history", "Disallow: /-/", "Disallow: /*?revision="} <= set(said)
    (sitemap,) = [line.removeprefix("Sitemap: ") for line in said if line.startswith("Sitemap: ")]
    assert urlsplit(sitemap).path == "/sitemap.xml"
    await ask(worker, "/-/admin", form={"update_preferences": "1", "site_name": "X", "robots_txt": "disallow"})
    assert (await ask(worker, "/robots.txt", {})).text == "User-agent: *\nDisallow: /", "as its owner prefers"
