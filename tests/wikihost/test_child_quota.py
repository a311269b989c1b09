"""The browser's door to a full wiki: refused with a reason, nothing typed is lost, and shrinking works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wikihost.fleets import READER, Answer, FleetInThread, ask, hosted, repository, save, text_at_head
from tests.wikihost.test_child_saving import areas, hidden, open_editor, send
from tests.wikihost.wikis import ADA, assert_sound
from wikihost.fleet import HostedWiki, Worker
from wikihost.quota import Quota, write_quota
from wikihost.redirects import redirect_text
from wikihost.writer import Writer

PAGES = {"Home": "# Home\n\n[[Plan]]\n", "Plan": "# Plan\n\n" + "x" * 91 + "\n"}
HELD = 17 + 100


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


async def full_wiki(fleet: FleetInThread, place: Path) -> tuple[HostedWiki, Worker]:
    """A wiki that is awake when it is told that it holds as much as it may."""
    wiki = hosted(place, pages=PAGES)
    worker = await fleet.wake(wiki)
    assert (await save(worker, "Home", PAGES["Home"])).status == 302
    write_quota(wiki.home.quota, Quota(pages=2, size_bytes=HELD))
    return wiki, worker


async def upload(worker: Worker, path: str, data: bytes) -> Answer:
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="data.txt"\r\n\r\n'
    kind = "multipart/form-data; boundary=frontier"
    return await ask(worker, path, body=head + data + b"\r\n--frontier--\r\n", content_type=kind)


async def test_a_save_that_does_not_fit_keeps_the_text_and_fits_once_there_is_room(
    fleet: FleetInThread, tmp_path: Path
) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    base = await open_editor(worker)
    typed = PAGES["Plan"] + "One more line & <b>\n"
    refused = await send(worker, typed, base, message='Mine "quoted"')
    assert refused.status == 413
    assert "The wiki is full" in refused.text
    assert "needs 20 bytes more" in refused.text
    assert "ask the operator" in refused.text
    assert areas(refused) == [typed]
    assert (hidden(refused, "robot_base"), hidden(refused, "commit")) == (base, "Mine &quot;quoted&quot;")
    assert text_at_head(wiki, "Plan.md") == PAGES["Plan"]
    assert "One more line" in (await ask(worker, "/Plan/edit", form={"draft": "edit"})).text, "kept as a draft too"
    write_quota(wiki.home.quota, Quota(pages=2, size_bytes=HELD + 20))
    assert (await send(worker, typed, hidden(refused, "robot_base"))).status == 302
    assert text_at_head(wiki, "Plan.md") == typed
    assert_sound(wiki.home)


async def test_a_save_without_a_base_shows_the_text_to_copy(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    refused = await save(worker, "New", "typed with care\n")
    assert (refused.status, "would have 3 pages" in refused.text) == (413, True)
    assert areas(refused) == ["typed with care\n"]
    assert text_at_head(wiki, "New.md") is None


async def test_a_merge_that_does_not_fit_is_refused_with_what_was_typed(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "Plan": "one\n\ntwo\n\nthree\n"})
    worker = await fleet.wake(wiki)
    base = await open_editor(worker)
    Writer(wiki.home).commit({"Plan.md": b"one\n\ntwo\n\nthree 3\n"}, author=ADA, message="others")
    write_quota(wiki.home.quota, Quota(size_bytes=7 + 18 + 1))
    refused = await send(worker, "one 11\n\ntwo\n\nthree\n", base)
    assert (refused.status, areas(refused)) == (413, ["one 11\n\ntwo\n\nthree\n"])
    assert (await send(worker, "on 1\n\ntwo\n\nthree\n", base)).status == 302
    assert text_at_head(wiki, "Plan.md") == "on 1\n\ntwo\n\nthree 3\n"


@pytest.mark.parametrize("path", ["/Home/attachments", "/Home/inline_attachment"])
async def test_an_upload_that_does_not_fit_leaves_no_part_of_it(
    fleet: FleetInThread, tmp_path: Path, path: str
) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    refused = await upload(worker, path, b"12345")
    assert (refused.status, "needs 5 bytes more" in refused.text) == (413, True)
    assert "data.txt" not in (await ask(worker, "/Home/attachments")).text
    write_quota(wiki.home.quota, Quota(pages=2, size_bytes=HELD + 5))
    assert (await upload(worker, path, b"12345")).status in (200, 302)
    assert text_at_head(wiki, "Home/data.txt") == "12345"
    assert_sound(wiki.home)


async def test_a_rename_says_why_it_does_not_fit(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    before = repository(wiki).head()
    form = {"new_pagename": "Plot", "message": "", "update_backlinks": "1"}
    refused = await ask(worker, "/Plan/rename", form=form)
    assert (refused.status, "would have 3 pages" in refused.text) == (413, True)
    needed = len(redirect_text("Plot"))
    write_quota(wiki.home.quota, Quota(pages=3, size_bytes=HELD))
    refused = await ask(worker, "/Plan/rename", form=form)
    assert (refused.status, f"needs {needed} bytes more" in refused.text) == (413, True)
    assert repository(wiki).head() == before
    write_quota(wiki.home.quota, Quota(pages=3, size_bytes=HELD + needed))
    assert (await ask(worker, "/Plan/rename", form=form)).status == 302
    assert text_at_head(wiki, "Home.md") == "# Home\n\n[[Plot]]\n"
    assert_sound(wiki.home)


async def test_a_revert_brings_back_only_what_fits(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    assert (await ask(worker, "/Plan/delete", form={"message": "No plan"})).status == 302
    removed = repository(wiki).head()
    write_quota(wiki.home.quota, Quota(pages=1))
    refused = await ask(worker, f"/-/revert/{removed}", form={"message": ""})
    assert (refused.status, "would have 2 pages" in refused.text) == (413, True)
    write_quota(wiki.home.quota, Quota(pages=2))
    assert (await ask(worker, f"/-/revert/{removed}", form={"message": ""})).status == 302
    assert text_at_head(wiki, "Plan.md") == PAGES["Plan"]


async def test_a_wiki_that_holds_too_much_can_be_read_shortened_and_cleared(
    fleet: FleetInThread, tmp_path: Path
) -> None:
    wiki, worker = await full_wiki(fleet, tmp_path)
    write_quota(wiki.home.quota, Quota(pages=1, size_bytes=10))
    for path in ("/Home", "/Plan", "/-/changelog", "/-/index", "/Plan/history"):
        assert (await ask(worker, path, READER)).status == 200
    base = await open_editor(worker)
    assert (await send(worker, PAGES["Plan"].replace("x", "y"), base)).status == 302
    base = await open_editor(worker)
    assert (await send(worker, "short\n", base)).status == 302
    assert (await save(worker, "Home", "# Home\n\n")).status == 302
    assert (await ask(worker, "/Plan/delete", form={"message": ""})).status == 302
    assert text_at_head(wiki, "Plan.md") is None
    assert_sound(wiki.home)
