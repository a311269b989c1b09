"""Otter Wiki's search page, and redirects in the browser, as a worker serves them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.wikihost.fleets import OWNER, PATIENCE_S, READER, FleetInThread, ask, hosted, save
from wikihost.child import scanning
from wikihost.child.scanning import Pattern, scan
from wikihost.redirects import redirect_text
from wikihost.worker_protocol import ELSEWHERE_HEADER


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


PAGES = {
    "Home": "# Welcome home\n",
    "Guides/Harbour": (
        "---\ntags: [sea]\nstatus: draft\n---\n# Harbour\nThe pilot waits.\n\n## Crane\nThe <b>crane</b> lifts.\n"
    ),
    "Crane": "Nothing but a crane & its Crane driver.\n",
    'Odd "name" <i>': "---\ntitle: </a><script>alert(1)</script>\n---\nA crane\x02 with <script>alert(2)</script>\n",
    "Old": redirect_text("Guides/Harbour"),
}


def rows(html: str) -> list[tuple[str, str]]:
    """Address and name of each result."""
    found = re.findall(r'<h2><a href="([^"]*)">.*?</a></h2>\s*<p class="quiet place">(.*?)</p>', html, re.DOTALL)
    return [(unescape(address), unescape(place)) for address, place in found]


async def test_the_page_searches_as_every_door_does(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    page = await ask(worker, "/-/search?query=crane+tag:sea", READER)
    assert (page.status, rows(page.text)) == (
        200,
        [("/Guides/Harbour#crane", "Guides › Harbour › Crane")],
    )
    assert "The &lt;b&gt;<mark>crane</mark>&lt;/b&gt; lifts." in page.text
    posted = await ask(worker, "/-/search", READER, form={"query": '"pilot waits"', "csrf_token": ""})
    assert posted.status == 303
    led_to = await ask(worker, posted.headers["location"], READER)
    assert rows(led_to.text) == [("/Guides/Harbour#harbour", "Guides › Harbour")]
    long = await ask(worker, "/-/search", READER, form={"query": "船" * 2_000})
    assert (long.status, "Nothing was found." in long.text) == (200, True)
    assert rows((await ask(worker, f"/-/search/{quote('pilot')}", READER)).text)[0][0] == "/Guides/Harbour#harbour"
    assert "Nothing was found." in (await ask(worker, "/-/search?query=walrus", READER)).text
    assert 'role="status"' not in (await ask(worker, "/-/search", READER)).text


async def test_what_was_saved_is_found_at_once(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    for number in range(3):
        await save(worker, f"New {number}", f"walrus{number}\n")
        assert rows((await ask(worker, f"/-/search?query=walrus{number}")).text) == [
            (f"/New%20{number}", f"New {number}")
        ]


async def test_text_of_pages_and_queries_is_never_markup(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    for more in ("", "&is_regexp=y", "&is_casesensitive=y"):
        page = (await ask(worker, f"/-/search?query=crane{more}", READER)).text.partition("robot-search")[2]
        assert "<script>alert" not in page
        assert "<i>" not in page
        assert "&lt;script&gt;alert(2)" in page
        assert ("/Odd%20%22name%22%20%3Ci%3E", 'Odd "name" <i>') in [
            (address, place.partition(" (")[0]) for address, place in rows(page)
        ]
    page = (await ask(worker, "/-/search?query=%22%3E%3Cscript%3Ealert(3)%3C/script%3E&is_regexp=y", READER)).text
    assert "<script>alert(3)" not in page


@pytest.mark.parametrize("more", ["", "&is_regexp=y", "&like=Crane"])
async def test_another_site_cannot_have_it_searched(fleet: FleetInThread, tmp_path: Path, more: str) -> None:
    """The time that it takes would tell it what there is; a link that somebody follows tells once."""
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    address = f"/-/search?query=crane{more}"
    page = await ask(worker, address, {**READER, ELSEWHERE_HEADER: "yes"})
    assert (page.status, "Nothing was searched yet" in page.text, rows(page.text)) == (200, True, [])
    assert unescape(re.findall(r'<a href="([^"]*)">search now', page.text)[0]) == address
    assert "Nothing was searched yet" not in (await ask(worker, address, READER)).text


async def test_many_hits_come_in_parts(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages={f"P {number}": "walrus\n" for number in range(25)} | PAGES))
    first = await ask(worker, "/-/search?query=walrus", READER)
    more = re.search(r'<a href="([^"]*)">More results', first.text)
    assert "25 results, these are 1 to 20." in first.text
    assert more
    rest = await ask(worker, unescape(more[1]), READER)
    assert "More results" not in rest.text
    assert len(set(rows(first.text) + rows(rest.text))) == 25
    for offset in ("-1", "x", "9" * 30):
        assert (await ask(worker, f"/-/search?query=walrus&offset={offset}", READER)).status == 200


async def test_a_regular_expression_and_case(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    page = await ask(worker, f"/-/search?is_regexp=y&query={quote('^the .*s.$')}", READER)
    assert rows(page.text) == [("/Guides/Harbour#harbour", "Guides › Harbour (2 matches)")]
    assert "<mark>The pilot waits.</mark>" in page.text
    page = await ask(worker, "/-/search?is_regexp=y&query=status:", READER)
    assert rows(page.text)[0][0] == "/Guides/Harbour"  # in the frontmatter, which is before any heading
    page = await ask(worker, "/-/search?is_casesensitive=y&query=Crane", READER)
    assert rows(page.text) == [
        ("/Crane", "Crane (name matches, 1 match)"),
        ("/Guides/Harbour#crane", "Guides › Harbour › Crane (1 match)"),
    ]
    page = await ask(worker, "/-/search?is_casesensitive=y&query=.*", READER)
    assert "Nothing was found." in page.text
    page = await ask(worker, "/-/search?is_regexp=y&query=((", READER)
    assert "This is no regular expression: missing )" in page.text
    assert "Nothing was found." not in page.text


async def test_only_readers_search(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    for path in ("/-/search?query=crane", "/-/search?query=crane&is_regexp=y", "/-/search/crane"):
        answer = await ask(worker, path, {})
        assert (answer.status, "Harbour" in answer.text) == (302, False)
        assert (await ask(worker, path, {**OWNER, "x-otterwiki-permissions": ""})).status == 403


BOMBS = ["(a+)+$", "(a|aa)+$", "(?R)a", "(a(?R)?b)c", "(?:a?){500}a{500}$", "(" * 400]


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_pattern_runs_for_long(tmp_path: Path, bomb: str) -> None:
    (tmp_path / "Bomb.md").write_text("a" * 900_000 + "b\n")
    (tmp_path / "Other.md").write_text("aaab c a\n")
    began = time.monotonic()
    result = scan(tmp_path, ["Bomb", "Other", "Gone"], Pattern(bomb, is_regex=True, is_case_sensitive=False))
    assert result.end in ("late", "large", "invalid")
    assert time.monotonic() - began < scanning.KILLED_AFTER_S + 2


def test_one_hard_page_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "SECONDS", 60.0)
    monkeypatch.setattr(scanning, "KILLED_AFTER_S", 60.0)
    (tmp_path / "Bomb.md").write_text("a" * 30_000 + "b\n")
    (tmp_path / "Other.md").write_text("so aaa\n")
    result = scan(tmp_path, ["Bomb", "Other"], Pattern("(a+)+$", is_regex=True, is_case_sensitive=False))
    assert (result.end, [page.name for page in result.found]) == ("late", ["Other"])


def test_a_link_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "Page.md").symlink_to(tmp_path / "secret")
    assert not scan(tmp_path, ["Page"], Pattern("secret", is_regex=True, is_case_sensitive=False)).found


def test_a_program_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "KILLED_AFTER_S", 0.001)
    (tmp_path / "Home.md").write_text("a\n")
    assert scan(tmp_path, ["Home"], Pattern("a", is_regex=True, is_case_sensitive=False)).end == "late"


def test_only_one_pattern_is_looked_for_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "WAITED_FOR_TURN_S", 0.01)
    with scanning._turn:
        assert scan(tmp_path, [], Pattern("a", is_regex=True, is_case_sensitive=False)).end == "busy"


def test_searches_that_wait_leave_threads_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One may wait for its turn; the next is told at once."""
    monkeypatch.setattr(scanning, "WAITED_FOR_TURN_S", 2 * PATIENCE_S)
    pattern = Pattern("a", is_regex=True, is_case_sensitive=False)
    with ThreadPoolExecutor() as threads:
        with scanning._places, scanning._turn:
            asked = [threads.submit(scan, tmp_path, [], pattern) for _ in range(3)]
            first = as_completed(asked, timeout=PATIENCE_S)
            assert [next(first).result().end for _ in range(2)] == ["busy", "busy"]
        assert next(first).result().end == "all"


async def test_a_reader_is_led_to_the_page_that_is_meant(fleet: FleetInThread, tmp_path: Path) -> None:
    pages = PAGES | {
        "Older Name": redirect_text("Old"),
        "Lost": redirect_text("Nowhere"),
        "Ring": redirect_text("Ring 2"),
        "Ring 2": redirect_text("Ring"),
        "Out": "---\nredirect: //evil.example/x\n---\n",
        "Up": "---\nredirect: ../../etc/passwd\n---\n",
        "Odd": redirect_text('Odd "name" <i>'),
        "Broken": "---\nredirect: [\n---\n",
    }
    wiki = hosted(tmp_path, pages=pages)
    worker = await fleet.wake(wiki)
    for name, address in (
        ("Old", "/Guides/Harbour"),
        ("Older Name", "/Guides/Harbour"),
        ("Odd", "/Odd%20%22name%22%20%3Ci%3E"),
    ):
        found = await ask(worker, f"/{quote(name)}", READER)
        assert (found.status, found.headers["location"]) == (302, address)
    spelled = await ask(worker, "/Older_Name", READER)
    assert spelled.headers["location"] == "/Older%20Name"
    for name in ("Lost", "Ring", "Ring 2", "Out", "Up", "Broken"):
        assert (await ask(worker, f"/{quote(name)}", READER)).status == 200, name
    itself = await ask(worker, "/Old?redirect=no", READER)
    assert (itself.status, "This page is now" in itself.text) == (200, True)
    for path in ("/Old?edit", "/Old/history", "/Old/source", f"/Old?revision={git_head(wiki.home.repo)}"):
        assert (await ask(worker, path)).status == 200, path
    hidden = await ask(worker, "/Old", {})
    assert (hidden.status, "Harbour" in hidden.headers.get("location", "") + hidden.text) == (302, False)


async def test_a_redirect_counts_from_its_save(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path, pages=PAGES))
    await save(worker, "Way", redirect_text("Crane"))
    assert (await ask(worker, "/Way", READER)).headers["location"] == "/Crane"
    await save(worker, "Way", "A page again.\n")
    assert (await ask(worker, "/Way", READER)).status == 200


def git_head(repo: Path) -> str:
    return (repo / ".git" / "refs" / "heads" / "main").read_text().strip()
