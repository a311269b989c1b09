"""The search index on the dashboard: how far it is, building it anew, cancelling, and what is said when it cannot."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from robot.access import grant_role
from robot.model import Role, Wiki
from robot.search.telling import tell
from robot.search.values import ReindexStatus
from robot.web import index_status
from tests.robot.search_wiki import running, settled, wait_for
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of
from wikihost.values import Author

PLATFORM = ADDRESS.platform_origin
ADA = Author("Ada Lovelace", "ada@users.wiki.test")
NOTES = "/app/wiki/notes"


@asynccontextmanager
async def stopped_half_way(host: SmallHost, wiki: Wiki) -> AsyncIterator[None]:
    """The wiki's index being built anew, and standing still until this is left."""
    host.model.stop_before = len(host.model.embedded) + 2
    async with running(host.search):
        host.search.start_reindex(wiki)
        await wait_for(host.model.stopped)
        try:
            yield
        finally:
            host.model.go.set()


async def panel_of(browser: Browser, path: str = NOTES) -> str:
    page = await text_of(await browser.get(PLATFORM, path))
    found = re.search(r'<section class="panel" id="index".*?</section>', page, re.DOTALL)
    assert found
    return found[0]


async def test_the_overview_shows_how_far_it_is_and_reloads_where_there_is_no_script(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    before = await text_of(await ada.get(PLATFORM, NOTES))
    assert "http-equiv" not in before
    assert "Search by meaning knows no page yet; by words all 4 pages can be found." in before
    async with stopped_half_way(host, wiki):
        for now, then in (("", 1), ("?look=1", 2), ("?look=2", 1)):  # never to the address where it is
            page = await text_of(await ada.get(PLATFORM, f"{NOTES}{now}"))
            reload = f'<meta http-equiv="refresh" content="5;url={NOTES}?look={then}#index">'
            assert f"<noscript>{reload}</noscript>" in page
        panel = await panel_of(ada)
        assert 'data-progress="/app/wiki/notes/index"' in panel
        assert re.search(r'<progress max="100" value="\d+" aria-label', panel)
        assert "The index is being built anew." in panel
        assert "of 4 pages done" in panel
        assert "Build the index anew" not in panel
        answer = await ada.get(PLATFORM, f"{NOTES}/index")
        told = await answer.get_json()
        assert told == {"busy": True, "percent": told["percent"], "sentence": told["sentence"]}
        assert "of 4 pages done" in told["sentence"]
        assert answer.headers["Cache-Control"] == "no-store"
        listed = await text_of(await ada.get(PLATFORM, "/app/"))
        assert f'<span class="badge">indexing {told["percent"]} %</span>' in listed
        host.model.go.set()
        await settled(host.search, wiki)
        assert (await (await ada.get(PLATFORM, f"{NOTES}/index")).get_json())["busy"] is False
        assert "Search by meaning knows all 4 pages, in" in await panel_of(ada)
        assert "watched/1" in await panel_of(ada)
        assert "indexing" not in await text_of(await ada.get(PLATFORM, "/app/"))


async def test_starting_twice_says_so_and_cancelling_leaves_what_is_known(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)

    async def press(what: str) -> str:
        answer = await ada.post(PLATFORM, f"{NOTES}/{what}")
        assert answer.status_code == 303
        assert answer.headers["Location"].endswith("#index")
        return await panel_of(ada, answer.headers["Location"].partition("#")[0])

    assert "There was nothing to cancel" in await press("reindex/cancel")
    async with stopped_half_way(host, wiki):
        assert "is being built anew already, so nothing new" in await press("reindex")
        assert "Cancelled." in await press("reindex/cancel")
        assert "There was nothing to cancel" in await press("reindex/cancel")
        host.model.go.set()
        status = await settled(host.search, wiki)
        assert status.state == "idle"
        assert status.pages_indexed < status.pages_total
        await press("reindex")
        assert (await settled(host.search, wiki)).state == "complete"


async def test_what_follows_the_wiki_by_itself_has_no_button_to_cancel(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    host.model.stop_before = 0
    async with running(host.search):
        host.search.notify(wiki.id)
        await wait_for(host.model.stopped)
        panel = await panel_of(ada)
        host.model.go.set()
    assert "taking in what is new" in panel
    assert "/reindex/cancel" not in panel
    assert "Build the index anew" in panel


async def test_readers_see_how_far_it_is_and_editors_have_the_buttons(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    eve = await host.signed_in(host.eve)
    for role, may in ((Role.VIEWER, False), (Role.EDITOR, True)):
        await grant_role(host.db, host.eve, wiki, role)
        assert ("Build the index anew" in await panel_of(eve)) is may
        assert "knows no page yet" in await panel_of(eve)
        assert (await eve.post(PLATFORM, f"{NOTES}/reindex")).status_code == (303 if may else 403)
        assert ("/reindex/cancel" in await panel_of(eve)) is may
        assert (await eve.post(PLATFORM, f"{NOTES}/reindex/cancel")).status_code == (303 if may else 403)


async def test_without_a_model_the_panel_says_what_is_left(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    host.model.missing = "The embedding model is not installed; install it again"
    async with running(host.search):
        host.search.start_reindex(wiki)
        await settled(host.search, wiki)
        panel = await panel_of(ada)
    assert "Only words are searched. The embedding model is not installed; install it again." in panel
    assert "No model is in use." in panel
    assert "data-progress" not in panel


async def test_a_page_that_cannot_be_embedded_is_a_problem_with_a_next_step(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await host.contents.change(wiki, lambda content: content.write_page("Bad", "poison", base=None, author=ADA))
    ada = await host.signed_in(host.ada)
    host.model.poison = "poison"
    async with running(host.search):
        host.search.start_reindex(wiki)
        assert (await settled(host.search, wiki)).state == "error"
        panel = await panel_of(ada)
    assert "poisoned. It is tried again by itself after a while" in panel
    assert "Search by meaning knows 4 of 5 pages; by words all can be found." in panel


async def test_a_status_that_cannot_be_had_breaks_no_page(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)

    async def never(_: Wiki) -> ReindexStatus:
        await trio.sleep_forever()

    monkeypatch.setattr(index_status, "STATUS_DEADLINE_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(host.search, "status", never)
        assert "cannot be told just now" in await panel_of(ada)
        assert (await ada.get(PLATFORM, f"{NOTES}/index")).status_code == 503
    (host.data.wiki(wiki.id).git_dir / "HEAD").write_text("garbage")
    assert "cannot be told just now" in await panel_of(ada)


def status_of(**more: object) -> ReindexStatus:
    values: dict[str, object] = {
        "state": "in_progress", "pages_total": 1_000, "pages_indexed": 412, "chunks_total": 3_020,
        "chunks_indexed": 3_020, "head": "f" * 40, "indexed_head": None, "started_at": None, "completed_at": None,
        "error_message": None, "eta_s": None, "model": "mini",
    }  # fmt: skip
    return ReindexStatus(**(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "sentence", "percent"),
    [
        ({}, "412 of 1,000 pages done; 3,020 passages known.", 41),
        ({"eta_s": 12.0}, "412 of 1,000 pages done; 3,020 passages known. Less than a minute left.", 41),
        ({"eta_s": 60.0}, "412 of 1,000 pages done; 3,020 passages known. About 1 minute left.", 41),
        ({"eta_s": 7_300.0}, "412 of 1,000 pages done; 3,020 passages known. About 2 hours left.", 41),
        ({"pages_indexed": 1_000}, "Looking through all 1,000 pages; 3,020 passages known.", 100),
        ({"pages_indexed": 0, "chunks_indexed": 0}, "0 of 1,000 pages done.", 0),
        ({"pages_total": 0, "pages_indexed": 0, "state": "complete"}, "There is no page yet.", None),
        (
            {"pages_total": 1, "pages_indexed": 1, "chunks_indexed": 1, "state": "complete"},
            "Search by meaning knows the only page, in 1 passage.",
            None,
        ),
    ],
)
def test_how_far_it_is_in_words(changed: dict[str, object], sentence: str, percent: int | None) -> None:
    told = tell(status_of(**changed))
    assert (told.sentence, told.percent, told.problem) == (sentence, percent, "")
