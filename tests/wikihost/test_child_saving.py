"""A save from the editor carries what it was made from: merged, asked about, and never lost."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.wikihost.fleets import (
    OWNER,
    READER,
    Answer,
    FleetInThread,
    ask,
    hosted,
    repository,
    running_fleet,
    save,
    text_at_head,
)
from tests.wikihost.test_child_disk_full import fill_the_disk, incompressible
from tests.wikihost.wikis import assert_sound
from wikihost.content import Content
from wikihost.errors import Conflict
from wikihost.fleet import HostedWiki, Worker
from wikihost.redirects import redirect_text
from wikihost.values import Author
from wikihost.writer import Writer

TEXT = "# Plan\n\none\n\ntwo\n\nthree\n"
BO = {"x-otterwiki-name": "Bo", "x-otterwiki-email": "bo@example.org", "x-otterwiki-permissions": "READ WRITE UPLOAD"}
BO_AUTHOR = Author("Bo", "bo@example.org")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


async def open_editor(worker: Worker, page: str = "Plan", form: dict[str, str] | None = None) -> str:
    """The base that the editor would send."""
    answer = await ask(worker, f"/{page}?edit", form=form)
    assert answer.status == 200
    found = re.findall(r'<input type="hidden" form="saveform" name="robot_base" value="([0-9a-z]+)">', answer.text)
    assert len(found) == 1
    assert answer.text.count('id="saveform"') == 1
    return str(found[0])


async def send(
    worker: Worker, text: str, base: str, *, page: str = "Plan", message: str = "Mine", marks: str = "0"
) -> Answer:
    form = {"content": text.replace("\n", "\r\n"), "commit": message, "robot_base": base, "robot_marks": marks}
    return await ask(worker, f"/{page}/save", form=form)


def others_save(wiki: HostedWiki, changes: dict[str, bytes | None], message: str = "Others") -> str:
    return Writer(wiki.home).commit(changes, author=BO_AUTHOR, message=message).head


def areas(answer: Answer) -> list[str]:
    """The texts of a page's textareas, as a browser reads them."""
    found = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)
    return [html.unescape(text) for text in found]


def hidden(answer: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found
    return found[1]


def log(wiki: HostedWiki) -> list[str]:
    command = ["git", "-C", str(wiki.home.repo), "log", "--format=%B%x00"]
    return [
        entry.strip()
        for entry in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    ]


async def test_a_save_of_an_unchanged_page_is_what_it_always_was(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    assert base == repository(wiki).head()
    others_save(wiki, {"Home.md": b"# Another page\n"})
    saved = await send(worker, TEXT.replace("one", "1"), base)
    assert (saved.status, saved.headers["location"]) == (302, "/Plan")
    assert text_at_head(wiki, "Plan.md") == TEXT.replace("one", "1")
    assert log(wiki)[0] == "Mine\n\nRobot-Via: web"


async def test_changes_that_do_not_overlap_are_merged_and_said(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    others_save(wiki, {"Plan.md": TEXT.replace("three", "3").encode()})
    saved = await send(worker, TEXT.replace("one", "1"), base)
    assert saved.status == 302
    assert text_at_head(wiki, "Plan.md") == "# Plan\n\n1\n\ntwo\n\n3\n"
    assert log(wiki)[0] == "Mine\n\nMerged with what Bo saved meanwhile.\n\nRobot-Via: web"
    cookie = saved.headers["set-cookie"].partition(";")[0]
    assert "Merged with what Bo saved meanwhile." in (await ask(worker, "/Plan", {**OWNER, "cookie": cookie})).text
    assert_sound(wiki.home)


async def test_a_clash_asks_and_the_answer_is_saved(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    theirs, mine = TEXT.replace("two", "theirs <b>&amp;"), TEXT.replace("two", "mine </textarea>&lt;")
    head = others_save(wiki, {"Plan.md": theirs.encode()})
    asked = await send(worker, mine, base)
    assert asked.status == 409
    assert "Bo saved it" in asked.text
    draft, typed, current = areas(asked)
    assert (typed, current) == (mine, theirs)
    assert draft == (
        "# Plan\n\none\n\n<<<<<<< your text\nmine </textarea>&lt;\n=======\ntheirs <b>&amp;\n>>>>>>> saved meanwhile\n"
        "\nthree\n"
    )
    assert "<b>" not in asked.text
    assert (hidden(asked, "robot_base"), hidden(asked, "robot_marks"), hidden(asked, "commit")) == (head, "7", "Mine")
    assert repository(wiki).head() == head

    again = await send(worker, draft, head, marks="7")
    assert (again.status, areas(again)) == (409, [draft])
    assert "still marks" in again.text
    assert repository(wiki).head() == head

    answered = TEXT.replace("two", "both")
    assert (await send(worker, answered, head, marks="7")).status == 302
    assert text_at_head(wiki, "Plan.md") == answered


async def test_a_clash_is_kept_as_a_draft_too(fleet: FleetInThread, tmp_path: Path) -> None:
    """Who closes the page with the question finds the text when they edit again, with its base."""
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    others_save(wiki, {"Plan.md": TEXT.replace("two", "theirs").encode()})
    assert (await send(worker, TEXT.replace("two", "mine"), base)).status == 409
    overview = await ask(worker, "/Plan?edit")
    assert "Continue editing draft" in overview.text
    assert "Saving the draft merges it with these changes" in overview.text
    assert await open_editor(worker, form={"draft": "edit"}) == base
    assert await open_editor(worker, form={"draft": "discard"}) == repository(wiki).head()


async def test_a_draft_has_the_base_that_it_was_begun_with(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    mine = TEXT.replace("one", "1")
    assert (await ask(worker, "/Plan/draft", form={"content": mine, "revision": base[:6]})).status == 200
    others_save(wiki, {"Plan.md": TEXT.replace("three", "3").encode()})
    continued = await open_editor(worker, form={"draft": "edit"})
    assert continued == base
    assert (await send(worker, mine, continued)).status == 302
    assert text_at_head(wiki, "Plan.md") == "# Plan\n\n1\n\ntwo\n\n3\n"

    await ask(worker, "/Newer/draft", form={"content": "mine\n", "revision": ""})
    assert await open_editor(worker, "Newer", form={"draft": "edit"}) == "none"
    await ask(worker, "/Plan/draft", form={"content": "odd\n", "revision": "--outp"})
    assert await open_editor(worker, form={"draft": "edit"}) == "unknown"


async def test_a_new_page_that_somebody_else_made_first(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    base = await open_editor(worker, "Fresh")
    assert (await send(worker, "# Mine\n", base, page="Fresh")).status == 302
    other_base = base
    assert (await send(worker, "# Mine\n", other_base, page="Fresh")).status == 302
    asked = await send(worker, "# Other\n", other_base, page="Fresh")
    assert asked.status == 409
    assert areas(asked)[1:] == ["# Other\n", "# Mine\n"]
    assert text_at_head(wiki, "Fresh.md") == "# Mine\n"
    assert (await send(worker, "# Other\n", "none", page="Fresh")).status == 409
    assert (await send(worker, "# New\n", "none", page="Newer")).status == 302


async def test_a_page_that_was_deleted_meanwhile(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    head = others_save(wiki, {"Plan.md": None}, "Away")
    mine = TEXT.replace("one", "1")
    asked = await send(worker, mine, base)
    assert (asked.status, areas(asked)) == (409, [mine, mine])
    assert "Bo deleted it" in asked.text
    assert text_at_head(wiki, "Plan.md") is None
    assert (await send(worker, mine, head)).status == 302
    assert text_at_head(wiki, "Plan.md") == mine


async def test_a_page_that_was_moved_meanwhile(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    form = {"new_pagename": "Köln/Plan B?", "message": "Move", "update_backlinks": "1"}
    assert (await ask(worker, "/Plan/rename", BO, form=form)).status == 302
    head = others_save(wiki, {"Köln/Plan B?.md": TEXT.replace("three", "3").encode()})
    asked = await send(worker, TEXT.replace("one", "1"), base)
    assert asked.status == 409
    assert "Bo renamed it to “Köln/Plan B?”" in asked.text
    assert 'action="/K%C3%B6ln/Plan%20B%3F/save"' in asked.text
    draft = areas(asked)[0]
    assert draft == "# Plan\n\n1\n\ntwo\n\n3\n"
    assert text_at_head(wiki, "Plan.md") == redirect_text("Köln/Plan B?")
    assert (await send(worker, draft, head, page="K%C3%B6ln/Plan%20B%3F")).status == 302
    assert text_at_head(wiki, "Köln/Plan B?.md") == draft
    assert text_at_head(wiki, "Plan.md") == redirect_text("Köln/Plan B?")


@pytest.mark.parametrize("base", ["unknown", "", "0" * 40, "--output=x", "HEAD", "x" * 5000])
async def test_a_base_that_nobody_knows_still_loses_nothing(fleet: FleetInThread, tmp_path: Path, base: str) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    asked = await send(worker, "# Mine\n", base)
    assert (asked.status, areas(asked)[1:]) == (409, ["# Mine\n", TEXT])
    assert text_at_head(wiki, "Plan.md") == TEXT
    assert (await send(worker, "# Mine\n", base, page="New")).status == 302


async def test_a_save_without_a_base_is_otter_wikis(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    others_save(wiki, {"Plan.md": b"# Others\n"})
    assert (await save(worker, "Plan", "# Mine\n")).status == 302
    assert text_at_head(wiki, "Plan.md") == "# Mine\n"


async def test_who_may_not_save_any_more_keeps_the_text(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    mine = "\n\n# Mine\n\n<script>alert(1)</script>\n"
    form = {"content": mine, "commit": 'Say "hi"', "robot_base": base}
    refused = await ask(worker, "/Plan/save", READER, form=form)
    assert refused.status == 403
    assert areas(refused) == [mine.strip() + "\n"]
    assert "<script>" not in refused.text
    assert (hidden(refused, "robot_base"), hidden(refused, "commit")) == (base, "Say &quot;hi&quot;")
    stock = await ask(worker, "/Plan/save", READER, form={"content": mine})
    assert (stock.status, areas(stock)) == (403, [mine])


async def test_other_refusals_show_the_text(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    head = repository(wiki).head()
    refused = await send(worker, "typed\n", head, page="-bad")
    assert (refused.status, areas(refused)) == (400, ["typed\r\n"])
    read = await ask(worker, "/-bad")
    assert areas(read) == []


async def test_a_full_disk_shows_the_text(tmp_path: Path) -> None:
    wiki, text = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": TEXT}), incompressible(300_000)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        base = await open_editor(worker)
        fill_the_disk(worker)
        refused = await send(worker, text, base)
        assert refused.status == 507
        assert areas(refused) == [text.replace("\n", "\r\n")]
        others_save(wiki, {"Plan.md": TEXT.replace("two", "theirs").encode()})
        fill_the_disk(worker, limit_bytes=0)
        asked = await send(worker, TEXT.replace("two", "mine"), base)
        assert (asked.status, areas(asked)[1]) == (409, TEXT.replace("two", "mine"))
    assert_sound(wiki.home)


async def test_two_hundred_saves_through_two_doors_are_all_kept(fleet: FleetInThread, tmp_path: Path) -> None:
    """Four people in the browser and four programs write one page, each in a line of its own."""
    lines = [f"line {number}" for number in range(8)]
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": "\n\n".join(lines) + "\n"})
    worker, core = await fleet.wake(wiki), Content(wiki.home)

    async def in_the_browser(number: int) -> None:
        for turn in range(25):
            repo = repository(wiki)
            base = repo.head()
            text = repo.read_blob(repo.blob_of(base, "Plan.md") or "").decode()
            saved = await send(worker, changed(text, number, turn), base)
            assert saved.status == 302, saved.text

    def by_a_program(number: int) -> None:
        for turn in range(25):
            while True:
                page = core.read_page("Plan")
                try:
                    core.write_page(
                        "Plan",
                        changed(page.text, number, turn),
                        base=page.revision,
                        author=BO_AUTHOR,
                        message=f"{turn}",
                    )
                except Conflict:
                    continue
                break

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(in_the_browser, number)
                nursery.start_soon(trio.to_thread.run_sync, by_a_program, number + 4)
    assert text_at_head(wiki, "Plan.md") == "\n\n".join(f"line {number} turn 24" for number in range(8)) + "\n"
    assert len(log(wiki)) - 1 == 1 + 200
    assert_sound(wiki.home)


def changed(text: str, number: int, turn: int) -> str:
    return re.sub(rf"line {number}\b.*", f"line {number} turn {turn}", text)
