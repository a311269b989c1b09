from __future__ import annotations

import re

import pytest

from robot.access import grant_role, role_of
from robot.accounts import InvalidAccount, create_user, find_user_by_name
from robot.audit import OPERATOR
from robot.due import LOOK_EVERY_S
from robot.leaving import GRACE_S, Departures, OwnsAlone, ask_to_leave, delete_account, keep_account
from robot.model import Role, Scope, User
from robot.signin.identities import find_user, link_identity
from robot.signin.providers import Identity
from robot.standing import LastOperator, set_operator, suspend
from robot.tokens import create_token, list_tokens_of
from tests.robot.small_host import ADDRESS, Browser, FakeClock, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
ACCOUNT = "/app/account"
HERS = Identity("atproto", "did:plc:abc", "ada.example.org", "Ada")


def now_named(host: SmallHost, name: str) -> User:
    found = find_user_by_name(host.db, name)
    assert found is not None
    return found


def deeds(host: SmallHost) -> list[tuple[str, str, str]]:
    rows = host.db.all("SELECT action, actor_name, target FROM audit WHERE wiki_id IS NULL ORDER BY id")
    return [tuple(row) for row in rows]


async def test_the_account_page_shows_ways_in_browsers_agents_and_roles(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    hers = await host.make_wiki("hers", host.eve)
    await grant_role(host.db, host.ada, hers, Role.VIEWER)
    await create_token(host.db, host.ada, wiki, "Laptop", [Scope.WRITE], prefix="Reports")
    await create_token(host.db, host.eve, hers, "Not mine", [Scope.WRITE])
    await link_identity(host.db, host.ada, HERS)
    browser = await host.signed_in(host.ada)
    page = await text_of(await browser.get(PLATFORM, ACCOUNT))
    for shown in ("@ada.example.org", "did:plc:abc", "Bluesky", "Laptop", "Reports/", "notes.wiki.test", "viewer"):
        assert shown in page, shown
    assert "Not mine" not in page
    assert page.count("this one") == 1


async def test_a_display_name_is_changed_and_what_was_typed_is_kept(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    wrong = await browser.post(PLATFORM, f"{ACCOUNT}/name", form={"display_name": "A <b>"})
    page = await text_of(wrong)
    assert (wrong.status_code, 'value="A &lt;b&gt;"' in page, "neither &lt; nor &gt;" in page) == (400, True, True)
    answer = await browser.post(PLATFORM, f"{ACCOUNT}/name", form={"display_name": "  Ada   King "})
    assert answer.status_code == 303
    assert "Commits from now on show it" in await text_of((await browser.follow(answer, PLATFORM))[0])
    assert now_named(host, "ada").display_name == "Ada King"
    assert deeds(host)[-1] == ("display_name_changed", "Ada Lovelace", "Ada King")


async def test_browsers_are_signed_out_one_by_one_and_all_but_this(host: SmallHost) -> None:
    here, there, elsewhere = [await host.signed_in(host.ada) for _ in range(3)]
    eves = await host.signed_in(host.eve)
    (eves_id,) = [row["id"] for row in host.db.all("SELECT id FROM sessions WHERE user_id = ?", (host.eve.id,))]
    assert (await here.post(PLATFORM, f"{ACCOUNT}/sessions/{eves_id}/end")).status_code == 404
    page = await text_of(await there.get(PLATFORM, ACCOUNT))
    rows = re.findall(r"(?s)<tr>\s*<th scope=\"row\">.*?</tr>", page[page.index('id="browsers"') :])
    (its_own,) = [found[1] for row in rows if "this one" in row and (found := re.search(r"sessions/(\w+)/end", row))]
    assert (await here.post(PLATFORM, f"{ACCOUNT}/sessions/{its_own}/end")).status_code == 303
    assert (await there.get(PLATFORM, ACCOUNT)).status_code == 303
    assert (await elsewhere.get(PLATFORM, ACCOUNT)).status_code == 200
    assert (await here.post(PLATFORM, f"{ACCOUNT}/sessions/end-others")).status_code == 303
    assert [(await one.get(PLATFORM, ACCOUNT)).status_code for one in (here, elsewhere, eves)] == [200, 303, 200]


async def test_an_agent_is_let_go_from_the_account_and_leads_back_there(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await create_token(host.db, host.ada, wiki, "Laptop", [Scope.WRITE])
    browser = await host.signed_in(host.ada)
    found = re.search(r'href="(/app/wiki/notes/tokens/\w+/revoke\?back=account)"', await text_of(
        await browser.get(PLATFORM, ACCOUNT)
    ))  # fmt: skip
    assert found is not None
    asked = await text_of(await browser.get(PLATFORM, found[1]))
    assert f'action="{found[1]}"' in asked
    answer = await browser.post(PLATFORM, found[1])
    assert answer.headers["Location"] == "/app/account?done=token#agents"
    assert list_tokens_of(host.db, host.ada) == []


async def test_deleting_an_account_waits_until_its_wikis_have_other_owners(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    browser = await host.signed_in(host.ada)
    page = await text_of(await browser.get(PLATFORM, f"{ACCOUNT}/delete"))
    assert "you alone own a wiki" in page
    assert "/app/wiki/notes/export" in page
    refused = await browser.post(PLATFORM, f"{ACCOUNT}/delete", form={"name": "ada"})
    assert refused.status_code == 409
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    await suspend(host.db, host.eve, "", by=OPERATOR)  # an owner who gets in nowhere cannot look after it
    with pytest.raises(OwnsAlone, match="ada alone owns notes"):
        await ask_to_leave(host.db, host.ada)
    assert now_named(host, "ada").leaving is None


async def test_who_leaves_is_out_at_once_and_may_come_back(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    await create_token(host.db, host.ada, wiki, "Laptop", [Scope.WRITE])
    browser, other = await host.signed_in(host.ada), await host.signed_in(host.ada)
    wrong = await browser.post(PLATFORM, f"{ACCOUNT}/delete", form={"name": "eve"})
    assert (wrong.status_code, 'value="eve"' in await text_of(wrong)) == (400, True)
    answer = await browser.post(PLATFORM, f"{ACCOUNT}/delete", form={"name": " ada "})
    assert answer.status_code == 303
    assert "In 30 days" in await text_of((await browser.follow(answer, PLATFORM))[0])
    assert (await other.get(PLATFORM, ACCOUNT)).headers["Location"].startswith("/auth/login")
    assert list_tokens_of(host.db, host.ada) == []
    assert host.db.all("SELECT 1 FROM sessions") == []

    back = await host.signed_in(host.ada)
    answer = await back.get(PLATFORM, "/app/wiki/notes")
    assert answer.headers["Location"] == f"{ACCOUNT}/leaving"
    assert "Keep your account?" in await text_of(await back.get(PLATFORM, f"{ACCOUNT}/leaving"))
    answer = await back.post(PLATFORM, f"{ACCOUNT}/leaving")
    assert "Your account stays" in await text_of((await back.follow(answer, PLATFORM))[0])
    assert role_of(host.db, host.ada.id, wiki.id) is Role.OWNER
    assert [deed[0] for deed in deeds(host) if deed[0].startswith("account")] == ["account_leaving", "account_kept"]


async def test_to_stay_is_asked_of_those_who_leave_only(host: SmallHost) -> None:
    assert (await Browser(host).post(PLATFORM, f"{ACCOUNT}/leaving")).headers["Location"].startswith("/auth/login")
    ada = await host.signed_in(host.ada)
    assert (await ada.get(PLATFORM, f"{ACCOUNT}/leaving")).headers["Location"] == ACCOUNT
    await suspend(host.db, host.ada, "", by=OPERATOR)
    assert (await ada.post(PLATFORM, f"{ACCOUNT}/leaving")).status_code == 403


class Time:
    """A wall clock and a steady one, as a host sees them."""

    def __init__(self) -> None:
        self.wall, self.steady = FakeClock(), FakeClock(0)

    def pass_(self, seconds: float) -> None:
        self.wall.now += seconds
        self.steady.now += seconds


async def test_an_account_is_deleted_when_its_time_is_over(host: SmallHost) -> None:
    time = Time()
    departures = Departures(host.db, clock=time.wall, steady=time.steady)
    await link_identity(host.db, host.ada, HERS)
    await ask_to_leave(host.db, host.ada, clock=time.wall)
    time.pass_(GRACE_S - LOOK_EVERY_S)
    for _ in range(2):
        await departures.look()
        time.pass_(LOOK_EVERY_S)
        assert now_named(host, "ada").leaving is not None
    await departures.look()
    await departures.look()
    assert find_user_by_name(host.db, "ada") is None
    assert find_user(host.db, HERS.provider, HERS.subject) is None
    assert deeds(host)[-1] == ("account_deleted", "robot", "ada")
    with pytest.raises(InvalidAccount, match="taken"):  # commits bear the name
        await create_user(host.db, "ada", "Another Ada")


async def test_a_clock_that_jumps_deletes_nobody(host: SmallHost) -> None:
    time = Time()
    departures = Departures(host.db, clock=time.wall, steady=time.steady)
    await ask_to_leave(host.db, host.ada, clock=time.wall)
    await departures.look()
    for _ in range(3):  # a broken clock is put right within the hour, again and again
        time.pass_(LOOK_EVERY_S)
        time.wall.now += 2 * GRACE_S
        await departures.look()
        time.wall.now -= 2 * GRACE_S
        time.pass_(LOOK_EVERY_S)
        await departures.look()
    assert now_named(host, "ada").leaving is not None


@pytest.fixture
def time() -> Time:
    return Time()


async def look_when_due(host: SmallHost, time: Time) -> None:
    """The task's looks after the grace period."""
    departures = Departures(host.db, clock=time.wall, steady=time.steady)
    time.pass_(GRACE_S)
    for _ in range(3):
        await departures.look()
        time.pass_(LOOK_EVERY_S)


async def test_who_was_suspended_or_changed_their_mind_is_not_deleted(host: SmallHost, time: Time) -> None:
    for user in (host.ada, host.eve):
        await ask_to_leave(host.db, user, clock=time.wall)
    await suspend(host.db, host.ada, "", by=OPERATOR)
    await keep_account(host.db, host.eve)
    await look_when_due(host, time)
    assert now_named(host, "ada").suspended is not None
    assert now_named(host, "eve").leaving is None


async def test_who_came_to_own_a_wiki_alone_is_not_deleted(host: SmallHost, time: Time) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    await ask_to_leave(host.db, host.ada, clock=time.wall)
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    await look_when_due(host, time)
    assert now_named(host, "ada").leaving is not None


async def test_the_operator_deletes_an_account_at_once_but_not_the_last_operator(host: SmallHost) -> None:
    await set_operator(host.db, host.ada, is_operator=True, by=OPERATOR)
    with pytest.raises(LastOperator):
        await delete_account(host.db, host.ada, by=OPERATOR)
    await delete_account(host.db, host.eve, by=OPERATOR)
    assert find_user_by_name(host.db, "eve") is None
