"""A rename in the browser: redirects stay at the old names, and never stand in the way of the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.wikihost.fleets import READER, Answer, FleetInThread, ask, hosted, repository, save, text_at_head
from tests.wikihost.wikis import assert_sound
from wikihost.fleet import Worker
from wikihost.redirects import redirect_text


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


async def rename(worker: Worker, old: str, new: str, **fields: str) -> Answer:
    return await ask(worker, f"/{quote(old)}/rename", form={"new_pagename": new, "message": "", **fields})


async def test_a_page_that_was_renamed_can_be_renamed_back_and_on(fleet: FleetInThread, tmp_path: Path) -> None:
    pages = {"Home": "# Home\n", "A": "# A\n", "A/Sub": "sub\n", "Mine": '---\nredirect: "A"\n---\nMy own.\n'}
    wiki = hosted(tmp_path, pages=pages)
    worker = await fleet.wake(wiki)
    for old, new in [("A", "B"), ("B", "A"), ("A", "B"), ("B", "C")]:
        moved = await rename(worker, old, new)
        assert (moved.status, moved.headers["location"]) == (302, f"/{new}"), (old, new)
        assert text_at_head(wiki, f"{new}.md") == "# A\n"
        assert text_at_head(wiki, f"{new}/Sub.md") == "sub\n"
        assert text_at_head(wiki, f"{old}.md") == redirect_text(new)
    # None leads to another; what somebody wrote is left alone.
    assert text_at_head(wiki, "A.md") == text_at_head(wiki, "B.md") == redirect_text("C")
    assert text_at_head(wiki, "A/Sub.md") == text_at_head(wiki, "B/Sub.md") == redirect_text("C/Sub")
    assert text_at_head(wiki, "Mine.md") == pages["Mine"]
    assert_sound(wiki.home)


async def test_what_a_rename_does_not_replace(fleet: FleetInThread, tmp_path: Path) -> None:
    pages = {"Home": "# Home\n", "A": "# A\n", "B": redirect_text("Home"), "C/Sub": "c\n", "A/Sub": "a\n"}
    wiki = hosted(tmp_path, pages=pages)
    worker = await fleet.wake(wiki)
    head = repository(wiki).head()
    for taken in ("B", "Home", "C"):
        assert (await rename(worker, "A", taken)).status == 200
        assert repository(wiki).head() == head
    assert (await ask(worker, "/A/rename", READER, form={"new_pagename": "D"})).status == 403
    assert (await save(worker, "D", "free\n")).status == 302  # no lock is held


async def test_a_name_of_the_same_key_leaves_no_redirect(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages={"Home": "# Home\n", "On_Call": "# On call\n"})
    worker = await fleet.wake(wiki)
    assert (await rename(worker, "On_Call", "On Call")).status == 302
    assert (text_at_head(wiki, "On Call.md"), text_at_head(wiki, "On_Call.md")) == ("# On call\n", None)
