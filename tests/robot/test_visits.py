"""What is kept of visits, for whom, and for how long."""

from __future__ import annotations

import json
import logging
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from robot import visit_files
from robot import visits as visits_module
from robot.finished import Face, Finished
from robot.model import Agent, Anonymous, Person, Role, Scope, Wiki
from robot.tokens import create_token, list_tokens
from robot.visits import Visits, visit_of, wider
from tests.robot.front_host import front_host
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost, end_for_good, text_of

PLATFORM = ADDRESS.platform_origin
PAGE = "/app/wiki/notes/activity/visits"


def finished(wiki: Wiki | None, path: str = "/Home") -> Finished:
    return Finished("f3a1", Face.PAGES, "GET", path, 200, True, 0.1, {}, 7, wiki, Anonymous(), "198.51.100.77")


async def test_who_is_named_how(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await create_token(host.db, host.ada, wiki, "laptop", [Scope.READ])
    ((token, _),) = list_tokens(host.db, wiki)
    nobody = finished(wiki)
    person = replace(nobody, actor=Person(host.ada, Role.OWNER))
    agent = replace(nobody, actor=Agent(host.ada, Role.OWNER, token, "Claude Code/2"))
    told = [(visit.kind, visit.who, visit.person) for visit in (visit_of(one, 0.0) for one in (nobody, person, agent))]
    assert told == [("network", "198.51.100.0/24", ""), ("person", "ada", ""), ("agent", "Claude Code/2", "ada")]


def test_networks_stand_for_many() -> None:
    assert wider("203.0.113.7") == "203.0.113.0/24"
    assert wider("2001:db8:1:2200::/56") == "2001:db8:1::/48"
    assert wider("") == ""


async def test_an_owner_sees_and_downloads_what_came_to_their_wiki(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "laptop", [Scope.READ])
    async with front_host(host, host.visits) as front:
        async with front.client("https://notes.wiki.test", secret) as agent:
            await agent.get("/api/v1/pages/Home?secret=word")
        async with front.client("https://notes.wiki.test") as stranger:
            await stranger.get("/%3Cb%3E")
            for beside in ("/static/style.css", "/-/plugin-static.css", "/auth/who"):
                await stranger.get(beside)
    ada = await host.signed_in(host.ada)
    shown = await text_of(await ada.get(PLATFORM, PAGE))
    assert "/api/v1/pages/Home" in shown
    assert "127.0.0.0/24" in shown
    assert "<b>" not in shown.partition("<tbody>")[2].partition("</tbody>")[0]
    answer = await ada.get(PLATFORM, f"{PAGE}/download")
    lines = [json.loads(line) for line in (await text_of(answer)).splitlines()]
    assert [(line["kind"], line["path"]) for line in lines] == [
        ("agent", "/api/v1/pages/Home"),
        ("network", "/<b>"),
    ]
    assert "word" not in json.dumps(lines)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="notes-visits.jsonl"'
    assert "/activity/visits" in await text_of(await ada.get(PLATFORM, "/app/wiki/notes/activity"))


async def test_days_that_are_over_are_forgotten(host: SmallHost, tmp_path: Path) -> None:
    wiki, clock = await host.make_wiki("notes"), FakeClock()
    visits = Visits(host.data, days=2, clock=clock)
    for path in ("/First", "/Second", "/Third"):
        visits(finished(wiki, path))
        await visits.flush()
        clock.now += 24 * 3600
    clock.now -= 24 * 3600
    await visits.forget()
    assert [visit.path for visit in await visits.newest(wiki, 10)] == ["/Third", "/Second"]
    assert [visit.path for visit in await visits.newest(wiki, 1)] == ["/Third"]
    visits.days = 0
    visits(finished(wiki, "/Unseen"))
    await visits.forget()
    assert await visits.newest(wiki, 10) == []
    assert not host.data.visits_to(wiki.id).exists()


async def test_visits_go_with_their_wiki(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    host.visits(finished(wiki))
    await host.visits.flush()
    folder = host.data.visits_to(wiki.id)
    assert folder.stat().st_mode & 0o777 == 0o700
    host.visits(finished(wiki, "/Late"))
    await end_for_good(host, wiki)
    assert not folder.exists()
    await host.visits.flush()
    assert not folder.exists(), "what was still waiting makes no directory again"


async def test_a_full_disk_loses_visits_and_nothing_else(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wiki = await host.make_wiki("notes")
    # A file in the place of the directory: what is written there fails, as on a full disk.
    host.data.visits.write_text("")
    for _ in range(3):
        host.visits(finished(wiki))
        await host.visits.flush()
    assert len([record for record in caplog.records if "not kept" in record.getMessage()]) == 1
    host.data.visits.unlink()
    host.visits(finished(wiki, "/Again"))
    assert [visit.path for visit in await host.visits.newest(wiki, 10)] == ["/Again"]


async def test_what_waits_is_bounded(
    host: SmallHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(visits_module, "MAX_WAITING", 20)
    wiki = await host.make_wiki("notes")
    for _ in range(23):
        host.visits(finished(wiki))
    await host.visits.flush()
    kept = sum(len(file.read_bytes().splitlines()) for file in visit_files.days(host.data.visits_to(wiki.id)))
    assert kept == 20
    assert caplog.text.count("not kept") == 1


def test_a_wiki_takes_a_bounded_part_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_files, "MAX_DAY_BYTES", 100)
    monkeypatch.setattr(visit_files, "MAX_WIKI_BYTES", 300)
    for day in range(1, 6):
        for _ in range(3):
            visit_files.append(tmp_path, f"2026-01-0{day}", [b"x" * 39 + b"\n"])
    files = visit_files.days(tmp_path)
    assert [file.name for file in files] == ["2026-01-03.jsonl", "2026-01-04.jsonl", "2026-01-05.jsonl"]
    assert {file.stat().st_size for file in files} == {80}


def test_the_newest_are_without_gaps_however_long_their_lines(tmp_path: Path) -> None:
    older, long = (
        [b"%d\n" % number for number in range(5)],
        [b"%d" % number + b"x" * 3_000 + b"\n" for number in range(5)],
    )
    visit_files.append(tmp_path, "2030-01-01", older)
    visit_files.append(tmp_path, "2030-01-02", long)
    newest = [line + b"\n" for line in visit_files.newest(tmp_path, 7)]
    assert newest == [*reversed(long), *reversed(older[3:])]


def test_what_a_full_disk_cuts_is_not_there(tmp_path: Path) -> None:
    visit_files.append(tmp_path, "2030-01-01", [b"first\n"])
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, usual[1]))
    try:
        with pytest.raises(OSError, match="large"):
            visit_files.append(tmp_path, "2030-01-01", [b"x" * 50 + b"\n"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    visit_files.append(tmp_path, "2030-01-01", [b"second\n"])
    assert visit_files.newest(tmp_path, 9) == [b"second", b"first"]
