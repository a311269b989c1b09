"""Codes and access tokens: single use, binding, and what a second use of a code means."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from proxy.hosts import WikiHost
from robot.access import grant_role, may
from robot.audit import OPERATOR
from robot.clock import moment
from robot.credential_uses import CredentialUses
from robot.model import Action, Agent, Health, Role
from robot.oauth import codes, tokens
from robot.oauth.codes import CODE_LIFETIME_S, Consent, Shown, issue_code, redeem_code
from robot.oauth.connections import find_connection, list_connections, revoke_connection
from robot.oauth.pairs import challenge_of
from robot.oauth.tokens import Fault, Issued, Refused, verify_access
from tests.robot.oauth_stage import BOTH, LIVES, READ, VERIFIER, Stage, fault, good
from tests.robot.small_host import SmallHost, withdraw_role


async def test_a_code_works_once_and_ends_everything_when_it_comes_again(stage: Stage) -> None:
    code = await stage.code()
    issued = good(await stage.redeem(stage.shown(code)))
    assert stage.opens(issued.access_token)
    assert (issued.expires_in, issued.scopes) == (3600, BOTH)
    assert fault(await stage.redeem(stage.shown(code))) is Fault.GRANT
    assert not stage.opens(issued.access_token)
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.REUSED
    assert fault(await stage.redeem(stage.shown(code))) is Fault.GRANT
    # The person may let the client in again.
    assert stage.opens((await stage.connect()).access_token)
    assert stage.health() is Health.WELL


async def test_two_who_show_one_code_at_once_do_not_both_get_in(stage: Stage) -> None:
    code = await stage.code()
    outcomes: list[Issued | Refused] = []

    async def show() -> None:
        outcomes.append(await stage.redeem(stage.shown(code)))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(show)
    [issued] = [outcome for outcome in outcomes if isinstance(outcome, Issued)]
    assert not stage.opens(issued.access_token)


async def test_a_code_is_bound_to_everything_it_was_asked_with(stage: Stage) -> None:
    for changed, expected in (
        ({"client_id": "client_2"}, Fault.GRANT),
        ({"redirect_uri": "https://agent.example/c"}, Fault.GRANT),
        ({"redirect_uri": "https://agent.example/cb/"}, Fault.GRANT),
        ({"verifier": "w" * 43}, Fault.GRANT),
        ({"verifier": challenge_of(VERIFIER)}, Fault.GRANT),
        ({"place": WikiHost("other")}, Fault.TARGET),
        ({"place": WikiHost("missing")}, Fault.TARGET),
    ):
        shown = stage.shown(await stage.code())
        assert fault(await stage.redeem(replace(shown, **changed))) is expected, changed
        assert fault(await stage.redeem(shown)) is Fault.GRANT  # it is gone after one wrong attempt
    assert stage.count("connections") == stage.count("oauth_codes") == 0
    # A client that names no resource means the one that its code is for.
    assert good(await stage.redeem(replace(stage.shown(await stage.code()), place=None)))


async def test_a_code_is_too_old_after_a_minute(stage: Stage) -> None:
    early, late = await stage.code(), await stage.code()
    stage.clock.now += CODE_LIFETIME_S - 1
    assert good(await stage.redeem(stage.shown(early)))
    stage.clock.now += 1
    assert fault(await stage.redeem(stage.shown(late))) is Fault.GRANT
    assert fault(await stage.redeem(stage.shown("robot_code_\udcff"))) is Fault.GRANT


async def test_a_role_that_changed_since_the_consent_counts(stage: Stage) -> None:
    code, later = await stage.code(), await stage.code()
    await grant_role(stage.db, stage.ada, stage.wiki, Role.VIEWER)
    assert good(await stage.redeem(stage.shown(code))).scopes == READ
    await withdraw_role(stage.db, stage.ada, stage.wiki)
    assert fault(await stage.redeem(stage.shown(later))) is Fault.GRANT


async def test_people_fill_no_table(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "MAX_CODES", 3)
    monkeypatch.setattr(codes, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(tokens, "MAX_PAIRS", 5)
    for _ in range(9):
        await stage.code()
    assert stage.count("oauth_codes") == 3
    for number in range(9):
        stage.clock.now += 1
        code = await stage.code(client_id=f"client_{number}")
        good(await stage.redeem(replace(stage.shown(code), client_id=f"client_{number}")))
    kept = {connection.client_id for connection, _ in list_connections(stage.db, stage.wiki)}
    assert kept == {f"client_{number}" for number in range(5, 9)}
    stage.client_id = "client_8"
    code = await stage.code(client_id="client_8")
    issued = good(await stage.redeem(replace(stage.shown(code), client_id="client_8")))
    for _ in range(20):
        issued = good(await stage.refresh(issued.refresh_token))
    assert stage.opens(issued.access_token)
    rows = stage.db.all(
        "SELECT 1 FROM oauth_tokens JOIN connections ON id = connection_id WHERE client_id = 'client_8'"
    )
    assert len(rows) == 5


async def test_an_access_token_opens_its_own_wiki_for_its_time(stage: Stage) -> None:
    issued = await stage.connect()
    assert issued.access_token.startswith("robot_access_")
    assert len(issued.access_token) - len("robot_access_") >= 27  # 160 bits in base64
    found = verify_access(stage.db, issued.access_token, stage.wiki.id, clock=stage.clock)
    assert found is not None
    connection, user, role = found
    assert (connection.client_id, user, role) == ("client_1", stage.ada, Role.OWNER)
    assert not stage.opens(issued.access_token, stage.other)
    for wrong in (
        issued.refresh_token,
        issued.access_token[:-1],
        issued.access_token + "x",
        "robot_access_" + "x" * 999,
    ):
        assert not stage.opens(wrong)
    stage.clock.now += 3599
    assert stage.opens(issued.access_token)
    stage.clock.now += 1
    assert not stage.opens(issued.access_token)


async def test_what_a_connection_may_follows_its_person(stage: Stage) -> None:
    access = (await stage.connect()).access_token

    def allows(action: Action) -> bool:
        found = verify_access(stage.db, access, stage.wiki.id, clock=stage.clock)
        assert found is not None
        connection, user, role = found
        return may(Agent(user, role, connection, "x"), action, stage.wiki)

    assert allows(Action.WRITE)
    assert not allows(Action.ADMINISTER)
    await grant_role(stage.db, stage.ada, stage.wiki, Role.VIEWER)
    assert allows(Action.READ)
    assert not allows(Action.WRITE)
    await withdraw_role(stage.db, stage.ada, stage.wiki)
    assert not stage.opens(access)
    assert stage.count("connections") == 0


async def test_less_consent_counts_at_once_and_more_only_for_new_tokens(stage: Stage) -> None:
    reading = await stage.connect(READ)
    writing = await stage.connect(BOTH)
    assert stage.count("connections") == 1
    assert stage.scopes(reading.access_token) == READ
    assert stage.scopes(writing.access_token) == BOTH
    assert good(await stage.refresh(reading.refresh_token)).scopes == READ
    await stage.connect(READ)
    assert stage.scopes(writing.access_token) == READ
    assert good(await stage.refresh(writing.refresh_token)).scopes == READ


async def test_a_smaller_folder_counts_at_once_and_a_larger_only_for_new_tokens(stage: Stage) -> None:
    garden = await stage.connect(prefix="Projects/Garden/")
    projects = await stage.connect(prefix="Projects/")
    everywhere = await stage.connect()
    assert stage.count("connections") == 1
    folders = [stage.folder(issued.access_token) for issued in (garden, projects, everywhere)]
    assert folders == ["Projects/Garden/", "Projects/", None]
    renewed = good(await stage.refresh(garden.refresh_token))
    assert stage.folder(renewed.access_token) == "Projects/Garden/"
    await stage.connect(prefix="Projects/")
    folders = [stage.folder(issued.access_token) for issued in (garden, projects, everywhere)]
    assert folders == ["Projects/Garden/", "Projects/", "Projects/"]


async def test_a_token_of_one_folder_opens_no_other_that_was_consented_to_since(stage: Stage) -> None:
    garden = await stage.connect(prefix="Projects/Garden/")
    kitchen = await stage.connect(prefix="Projects/Gardening/")
    assert not stage.opens(garden.access_token)
    assert fault(await stage.refresh(garden.refresh_token)) is Fault.GRANT
    assert stage.folder(kitchen.access_token) == "Projects/Gardening/"
    assert stage.health() is Health.REFUSED


async def test_a_revoked_connection_is_refused_at_once(stage: Stage) -> None:
    issued = await stage.connect()
    [(connection, _)] = list_connections(stage.db, stage.wiki, stage.ada)
    assert find_connection(stage.db, stage.other, connection.id) is None
    assert not await revoke_connection(stage.db, stage.other, connection.id, by=OPERATOR)
    assert await revoke_connection(stage.db, stage.wiki, connection.id, by=OPERATOR)
    assert find_connection(stage.db, stage.wiki, connection.id) is None
    assert not stage.opens(issued.access_token)
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.count("oauth_tokens") == stage.count("oauth_codes") == 0


async def test_uses_of_connections_are_written_down(stage: Stage) -> None:
    access = (await stage.connect()).access_token
    found = verify_access(stage.db, access, stage.wiki.id, clock=stage.clock)
    assert found is not None
    assert found[0].last_used is None
    uses = CredentialUses(stage.db, clock=stage.clock)
    uses.note(found[0])
    await uses.flush()
    [(connection, _)] = list_connections(stage.db, stage.wiki)
    assert connection.last_used == moment(int(stage.clock.now))


async def test_a_host_with_real_wikis_counts_connections_of_a_deleted_one(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    code = await issue_code(
        host.db, Consent(host.ada, wiki, "c", "n", "https://a.example/", challenge_of(VERIFIER), BOTH)
    )
    good(await redeem_code(host.db, Shown("c", code, "https://a.example/", VERIFIER, None), LIVES))
    await host.db.write(lambda connection: connection.execute("DELETE FROM wikis WHERE id = ?", (wiki.id,)))
    for table in ("connections", "oauth_codes", "oauth_tokens"):
        assert host.db.one(f"SELECT 1 FROM {table}") is None
