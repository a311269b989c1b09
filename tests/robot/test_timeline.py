"""What happened in a wiki, in one order, and who may see which part of it."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.access import grant_role
from robot.accounts import change_display_name, find_user_by_name
from robot.activity import Deed
from robot.audit import doer_of, operating
from robot.freezing import freeze, unfreeze
from robot.model import Role, Scope, User, Visibility, Wiki
from robot.timeline import Happening, Place, Sort, Wanted, moment_of, place_of, read_timeline
from robot.tokens import create_token
from robot.wikis import change_wiki
from tests.robot.small_host import ADDRESS, SmallHost
from tests.robot.test_activity import a_site

PLATFORM = ADDRESS.platform_origin
HERE = "/app/wiki/notes/activity"


async def a_history(host: SmallHost) -> Wiki:
    """A wiki in which two people, an agent of each, and the operator did something."""
    site, adas, eves = await a_site(host)
    wiki = site.wiki
    for agent in (adas, eves):
        host.activity.note(Deed(wiki, agent, "mcp", "read_note", ["Home"]))
    await host.activity.flush()
    await change_wiki(
        host.db,
        wiki,
        name="Field notes",
        description="",
        guidance="my secret guidance",
        visibility=Visibility.PUBLIC,
        git_enabled=False,
        by=doer_of(host.ada),
    )
    await freeze(host.db, host.data, wiki)
    await unfreeze(host.db, host.data, wiki, by=operating(host.eve))
    return wiki


async def page_of(host: SmallHost, user: User, query: str = "") -> str:
    browser = await host.signed_in(user)
    answer = await browser.get(PLATFORM, f"{HERE}{query}")
    assert answer.status_code == 200
    return str(await answer.get_data(as_text=True)).partition('id="timeline"')[2]


async def test_an_owner_sees_people_agents_and_the_operator_together(host: SmallHost) -> None:
    await a_history(host)
    page = await page_of(host, host.ada)
    for words in (
        "Ada Lovelace (Claude Code)",
        "Eve (Bot)",
        "read note",
        "changed the settings: name, description, guidance",
        "made the wiki public",
        "switched git off",
        "The operator",
        "made the wiki read-only",
        "let the wiki be written again",
        "made the token laptop",
        "reads and writes",
        "created the wiki Notes",
    ):
        assert words in page, words
    assert "secret guidance" not in page
    assert page.count('<span class="badge agent">agent</span>') == 5, "three changes, two calls"
    assert page.count("Eve (Bot)") == page.count("Bot") == 2, "her agent has one name, whether it reads or writes"
    assert "[api]" not in page, "the door has words of its own"
    assert page.count('<span class="badge">operator</span>') == 1, "a person; the command line says so itself"


async def test_others_see_changes_and_their_own_agents(host: SmallHost) -> None:
    await a_history(host)
    for query in ("", "?sort=settings", "?person=ada", "?sort=everything", "?credential=&client="):
        page = await page_of(host, host.eve, query)
        assert "made the" not in page, query
        assert "laptop" not in page, query
    page = await page_of(host, host.eve)
    assert "Ada Lovelace (Claude Code)" in page, "what agents change, everybody reads in the history"
    assert page.count("read note") == 1
    page = await page_of(host, host.eve, "?client=Claude+Code")
    assert "There is nothing of this kind" in page


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("?sort=changes", "/-/commit/", "read note"),
        ("?sort=calls", "write note", "made the"),
        ("?sort=settings", "switched git off", "/-/commit/"),
        ("?person=eve", "let the wiki be written again", "Claude Code"),
        ("?person=ada", "switched git off", "Eve (Bot)"),
        ("?person=ada&sort=settings", "switched git off", "The operator"),
        ("?client=Bot", "read note", "Claude Code"),
    ],
)
async def test_filters(host: SmallHost, query: str, there: str, not_there: str) -> None:
    await a_history(host)
    page = (await page_of(host, host.ada, query)).partition("<tbody>")[2]
    assert there in page
    assert not_there not in page


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
async def test_pages_tell_everything_once(host: SmallHost, limit: int) -> None:
    wiki = await a_history(host)
    everything, none = await read_timeline(host.db, host.contents, wiki, Wanted(None), Place(), 1_000)
    assert none is None
    found: list[Happening] = []
    place: Place | None = Place()
    while place is not None:
        some, place = await read_timeline(host.db, host.contents, wiki, Wanted(None), place, limit)
        place = None if place is None else place_of(str(place))
        assert len(some) <= limit
        found += some
    assert found == everything
    moments = [moment_of(happening) for happening in found]
    assert moments == sorted(moments, reverse=True)
    assert len({str(happening) for happening in found}) == len(found) > 12


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "0.0.0.0", f"{'f' * 40}.0.0.0", "0.9999999999999999999.0.1", "0.1.1.-1", "0.0.²³.1", "0" * 5_000],
)
async def test_a_cursor_that_is_none_begins_at_the_beginning_or_the_end(host: SmallHost, cursor: str) -> None:
    await a_history(host)
    assert "<h2" in f"<h2{await page_of(host, host.ada, f'?before={quote(cursor)}')}"


@given(
    st.builds(
        Place,
        st.none() | st.text("0123456789abcdef", min_size=40, max_size=40),
        st.none() | st.integers(1, 10**17),
        st.none() | st.tuples(st.integers(0, 10**11), st.integers(1, 10**17)),
    )
)
def test_a_place_is_the_same_after_a_cursor(place: Place) -> None:
    assert place_of(str(place)) == place


async def test_a_viewer_may_look(host: SmallHost) -> None:
    wiki = await a_history(host)
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    assert "made the" not in await page_of(host, host.eve)
    assert not Wanted(host.eve, Sort.SETTINGS).has(Sort.SETTINGS)


async def test_nobody_passes_for_another_by_taking_their_name(host: SmallHost) -> None:
    wiki = await a_history(host)
    await change_display_name(host.db, host.eve, "Ada Lovelace")
    renamed = find_user_by_name(host.db, "eve")
    assert renamed is not None
    await create_token(host.db, renamed, wiki, "sly", [Scope.READ])
    row = re.search(r"<tr>(?:(?!<tr>).)*made the token sly", await page_of(host, host.ada), re.DOTALL)
    assert row is not None
    assert 'Ada Lovelace <span class="below">eve</span>' in row[0]
