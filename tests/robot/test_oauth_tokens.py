"""Codes and tokens: single use, binding, rotation with grace, and what a second use of a secret means."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from robot.access import grant_role, may, withdraw_role
from robot.accounts import create_user
from robot.clock import moment
from robot.db import Database
from robot.model import Action, Agent, Health, Role, Scope, User, Visibility, Wiki
from robot.oauth import codes, tokens
from robot.oauth.codes import CODE_LIFETIME_S, Consent, Shown, issue_code, redeem_code
from robot.oauth.connections import find_connection, list_connections, revoke_connection
from robot.oauth.pairs import access_of, challenge_of, successor_of
from robot.oauth.refreshing import ShownRefresh, refresh, revoke
from robot.oauth.sweeping import DEAD_CONNECTION_KEPT_S, USED_CODE_KEPT_S, Sweeper
from robot.oauth.tokens import GRACE_S, Fault, Issued, Lives, Refused, verify_access
from robot.secret import new_id
from robot.tokens import TokenUses
from tests.robot.small_host import FakeClock, SmallHost

KILLED = """
    import os, signal, sys
    from pathlib import Path
    import trio
    from robot.db import Database
    from robot.oauth.refreshing import ShownRefresh, refresh
    from robot.oauth.tokens import Lives

    async def main():
        db = Database.open(Path(sys.argv[1]))
        await refresh(db, ShownRefresh("client_1", sys.argv[2], frozenset(), None), Lives())
        os.kill(os.getpid(), signal.SIGKILL)

    trio.run(main)
"""
VERIFIER = "v" * 43
BOTH = frozenset(Scope)
READ = frozenset({Scope.READ})
LIVES = Lives(access_s=3600, refresh_s=30 * 86400)


@dataclass
class Stage:
    """A database with one person and two wikis, and a client that was consented to; time stands still."""

    db: Database
    ada: User
    wiki: Wiki
    other: Wiki
    clock: FakeClock = field(default_factory=FakeClock)
    lives: Lives = LIVES
    client_id: str = "client_1"

    async def code(self, scopes: frozenset[Scope] = BOTH, *, client_id: str = "client_1") -> str:
        consent = Consent(
            user=self.ada,
            wiki=self.wiki,
            client_id=client_id,
            client_name="Agent Smith",
            redirect_uri="https://agent.example/cb",
            challenge=challenge_of(VERIFIER),
            scopes=scopes,
        )
        return await issue_code(self.db, consent, clock=self.clock)

    def shown(self, code: str) -> Shown:
        return Shown("client_1", code, "https://agent.example/cb", VERIFIER, self.wiki.slug)

    async def redeem(self, shown: Shown) -> Issued | Refused:
        return await redeem_code(self.db, shown, self.lives, clock=self.clock)

    async def connect(self, scopes: frozenset[Scope] = BOTH) -> Issued:
        return good(await self.redeem(self.shown(await self.code(scopes))))

    async def refresh(
        self, token: str, *, scopes: frozenset[Scope] = frozenset(), slug: str | None = None
    ) -> Issued | Refused:
        shown = ShownRefresh(self.client_id, token, scopes, slug)
        return await refresh(self.db, shown, self.lives, clock=self.clock)

    def opens(self, access: str, wiki: Wiki | None = None) -> bool:
        return verify_access(self.db, access, (wiki or self.wiki).id, clock=self.clock) is not None

    def scopes(self, access: str) -> frozenset[Scope]:
        found = verify_access(self.db, access, self.wiki.id, clock=self.clock)
        assert found is not None
        return found[0].scopes

    def health(self) -> Health:
        [(connection, _)] = list_connections(self.db, self.wiki, clock=self.clock)
        return connection.health

    def count(self, table: str) -> int:
        row = self.db.one(f"SELECT count(*) FROM {table}")
        assert row is not None
        return int(row[0])


def good(outcome: Issued | Refused) -> Issued:
    assert isinstance(outcome, Issued), outcome
    return outcome


def fault(outcome: Issued | Refused | None) -> Fault:
    assert isinstance(outcome, Refused), outcome
    return outcome.fault


async def open_stage(root: Path) -> Stage:
    db = Database.open(root / "robot.db")
    ada = await create_user(db, "ada", "Ada Lovelace")
    return Stage(db, ada, await add_wiki(db, ada, "notes"), await add_wiki(db, ada, "other"))


async def add_wiki(db: Database, owner: User, slug: str) -> Wiki:
    wiki = Wiki(new_id("w"), slug, slug.title(), "", Visibility.PRIVATE, moment(0))
    await db.write(
        lambda connection: connection.execute(
            "INSERT INTO wikis (id, slug, name, description, visibility, state, created_at)"
            " VALUES (?, ?, ?, '', 'private', 'ready', 0)",
            (wiki.id, slug, wiki.name),
        )
    )
    await grant_role(db, owner, wiki, Role.OWNER)
    return wiki


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = await open_stage(tmp_path)
    yield made
    made.db.close()


# Codes


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
        ({"slug": "other"}, Fault.TARGET),
        ({"slug": "missing"}, Fault.TARGET),
    ):
        shown = stage.shown(await stage.code())
        assert fault(await stage.redeem(replace(shown, **changed))) is expected, changed
        assert fault(await stage.redeem(shown)) is Fault.GRANT  # it is gone after one wrong attempt
    assert stage.count("connections") == stage.count("oauth_codes") == 0
    # A client that names no resource means the one that its code is for.
    assert good(await stage.redeem(replace(stage.shown(await stage.code()), slug=None)))


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


# Access tokens


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


async def test_a_revoked_connection_is_refused_at_once(stage: Stage) -> None:
    issued = await stage.connect()
    [(connection, _)] = list_connections(stage.db, stage.wiki, stage.ada)
    assert find_connection(stage.db, stage.other, connection.id) is None
    assert not await revoke_connection(stage.db, stage.other, connection.id)
    assert await revoke_connection(stage.db, stage.wiki, connection.id)
    assert find_connection(stage.db, stage.wiki, connection.id) is None
    assert not stage.opens(issued.access_token)
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.count("oauth_tokens") == stage.count("oauth_codes") == 0


async def test_uses_of_connections_are_written_down(stage: Stage) -> None:
    access = (await stage.connect()).access_token
    found = verify_access(stage.db, access, stage.wiki.id, clock=stage.clock)
    assert found is not None
    assert found[0].last_used is None
    uses = TokenUses(stage.db, clock=stage.clock)
    uses.note(found[0])
    await uses.flush()
    [(connection, _)] = list_connections(stage.db, stage.wiki)
    assert connection.last_used == moment(int(stage.clock.now))


# Refresh tokens


async def test_a_lost_answer_is_given_again(stage: Stage) -> None:
    """Robot was killed, or the network broke, after the rotation was on disk and before the client read of it."""
    first = await stage.connect()
    lost = good(await stage.refresh(first.refresh_token))
    stage.clock.now += GRACE_S - 1
    again = good(await stage.refresh(first.refresh_token))
    assert (again.access_token, again.refresh_token) == (lost.access_token, lost.refresh_token)
    assert again.expires_in == 3600 - (GRACE_S - 1)
    assert stage.opens(again.access_token)
    assert stage.opens(first.access_token)  # requests under way are not cut off
    assert good(await stage.refresh(again.refresh_token))


async def test_killed_between_rotation_and_answer(stage: Stage) -> None:
    """The rotation is on disk, the client never hears of it, and another process answers next."""
    stage.clock.now = time.time()
    first = await stage.connect()
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(stage.db.path), first.refresh_token]
    assert (await trio.run_process(words, check=False, capture_stderr=True)).returncode == -9
    assert stage.count("oauth_tokens") == 2
    again = good(await stage.refresh(first.refresh_token))
    assert stage.count("oauth_tokens") == 2
    assert stage.opens(again.access_token)
    assert good(await stage.refresh(again.refresh_token))


async def test_a_refresh_token_that_comes_late_ends_the_connection(stage: Stage) -> None:
    first, device = await stage.connect(), await stage.connect()
    second = good(await stage.refresh(first.refresh_token))
    third = good(await stage.refresh(second.refresh_token))
    stage.clock.now += GRACE_S
    assert fault(await stage.refresh(first.refresh_token)) is Fault.GRANT
    for issued in (first, second, third, device):
        assert not stage.opens(issued.access_token)
        assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.REUSED


async def test_twenty_refreshes_at_once_get_the_same_tokens(stage: Stage) -> None:
    first = await stage.connect()
    outcomes: list[Issued] = []

    async def ask() -> None:
        outcomes.append(good(await stage.refresh(first.refresh_token)))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert len({(issued.access_token, issued.refresh_token) for issued in outcomes}) == 1
    stage.clock.now += 10 * GRACE_S
    assert good(await stage.refresh(outcomes[0].refresh_token))
    assert stage.health() is Health.WELL
    assert stage.count("oauth_tokens") == 3


async def test_who_is_late_gets_what_followed_since(stage: Stage) -> None:
    """With short lives a token can be replaced several times within its grace."""
    stage.lives = Lives(access_s=3, refresh_s=1000)
    first = await stage.connect()
    second = good(await stage.refresh(first.refresh_token))
    third = good(await stage.refresh(second.refresh_token))
    assert good(await stage.refresh(first.refresh_token)).refresh_token == third.refresh_token
    stage.clock.now += 3
    assert not stage.opens(third.access_token)
    fresh = good(await stage.refresh(first.refresh_token))
    assert stage.opens(fresh.access_token)
    assert fresh.expires_in == 3


async def test_refreshing_slides_and_ends(stage: Stage) -> None:
    issued = await stage.connect()
    for _ in range(3):
        stage.clock.now += LIVES.refresh_s - 1
        issued = good(await stage.refresh(issued.refresh_token))
    assert stage.health() is Health.WELL
    stage.clock.now += LIVES.refresh_s
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.EXPIRED


async def test_a_refresh_token_is_bound_to_client_wiki_and_scopes(stage: Stage) -> None:
    issued = await stage.connect(READ)
    assert fault(await stage.refresh(issued.refresh_token, slug="other")) is Fault.TARGET
    assert stage.health() is Health.REFUSED
    assert fault(await stage.refresh(issued.refresh_token, scopes=BOTH)) is Fault.SCOPE
    stage.client_id = "client_2"
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    stage.client_id = "client_1"
    assert fault(await stage.refresh(issued.access_token)) is Fault.GRANT
    assert good(await stage.refresh(issued.refresh_token, slug="notes", scopes=READ))
    assert stage.health() is Health.WELL


async def test_a_refresh_without_a_role_is_refused(stage: Stage) -> None:
    issued = await stage.connect()
    await stage.db.write(lambda connection: connection.execute("DELETE FROM grants"))
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.REFUSED


async def test_revoking_takes_back_one_sign_in_of_the_client(stage: Stage) -> None:
    laptop, desktop = await stage.connect(), await stage.connect()
    renewed = good(await stage.refresh(laptop.refresh_token))
    assert fault(await revoke(stage.db, "client_2", renewed.refresh_token)) is Fault.GRANT
    assert await revoke(stage.db, "client_1", "robot_refresh_unknown") is None
    assert await revoke(stage.db, "client_1", renewed.refresh_token) is None
    for issued in (laptop, renewed):
        assert not stage.opens(issued.access_token)
        assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.opens(desktop.access_token)
    assert await revoke(stage.db, "client_1", desktop.access_token) is None
    assert not stage.opens(desktop.access_token)
    assert stage.count("connections") == 0


async def test_what_is_over_is_swept(stage: Stage) -> None:
    unused, used = await stage.code(), await stage.code()
    issued = good(await stage.redeem(stage.shown(used)))
    good(await stage.refresh(issued.refresh_token))
    sweeper = Sweeper(stage.db, clock=stage.clock)
    await sweeper.sweep()
    assert (stage.count("oauth_codes"), stage.count("oauth_tokens")) == (2, 2)
    assert good(await stage.refresh(issued.refresh_token))  # its salt is there during its grace
    stage.clock.now += CODE_LIFETIME_S
    await sweeper.sweep()
    assert stage.count("oauth_codes") == 1
    assert stage.db.one("SELECT 1 FROM oauth_tokens WHERE salt IS NOT NULL") is None
    assert fault(await stage.redeem(stage.shown(unused))) is Fault.GRANT
    stage.clock.now += USED_CODE_KEPT_S
    await sweeper.sweep()
    assert stage.count("oauth_codes") == 0
    stage.clock.now += LIVES.refresh_s
    await sweeper.sweep()
    assert (stage.count("oauth_tokens"), stage.count("connections")) == (0, 1)
    stage.clock.now += DEAD_CONNECTION_KEPT_S
    await sweeper.sweep()
    assert stage.count("connections") == 0


async def test_the_sweeper_sweeps(stage: Stage) -> None:
    await stage.code()
    stage.clock.now += CODE_LIFETIME_S
    swept = trio.Event()

    class Watched(Sweeper):
        async def sweep(self) -> None:
            await super().sweep()
            swept.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: Watched(stage.db, clock=stage.clock).run(every_s=0.01))
        with trio.fail_after(5):
            await swept.wait()
        nursery.cancel_scope.cancel()
    assert stage.count("oauth_codes") == 0


async def test_no_secret_is_stored(stage: Stage) -> None:
    code = await stage.code()
    issued = good(await stage.redeem(stage.shown(code)))
    renewed = good(await stage.refresh(issued.refresh_token))
    await stage.db.write(lambda connection: None)
    stored = b"".join(path.read_bytes() for path in stage.db.path.parent.iterdir())
    for secret in (
        code,
        issued.access_token,
        issued.refresh_token,
        renewed.access_token,
        renewed.refresh_token,
        VERIFIER,
    ):
        for prefix in ("robot_code_", "robot_access_", "robot_refresh_"):
            assert secret.removeprefix(prefix).encode() not in stored


@given(st.text(min_size=1, max_size=60), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_pairs_follow_only_from_the_secret_and_the_salt(refresh_token: str, salt: bytes, other: bytes) -> None:
    assert successor_of(refresh_token, salt) == successor_of(refresh_token, salt)
    made = {refresh_token, access_of(refresh_token), successor_of(refresh_token, salt)}
    assert len(made) == 3
    assert (successor_of(refresh_token, salt) == successor_of(refresh_token, other)) is (salt == other)


class Holders(RuleBasedStateMachine):
    """Honest clients lose answers, ask twice and wait; a thief shows what it once saw.

    A client that holds the newest pair always gets on, unless an older token came after its grace.
    """

    def __init__(self) -> None:
        super().__init__()
        self._root = TemporaryDirectory()

    @initialize()
    def open(self) -> None:
        self.stage = trio.run(open_stage, Path(self._root.name))
        self.held = trio.run(self.stage.connect)
        self.replaced: dict[str, float] = {}
        self.is_ended = False

    @rule(loses_answer=st.booleans())
    def renew(self, loses_answer: bool) -> None:
        asked = self.held.refresh_token
        outcome = trio.run(self.stage.refresh, asked)
        if self.is_ended:
            assert fault(outcome) is Fault.GRANT
            return
        issued = good(outcome)
        self.replaced.setdefault(asked, self.stage.clock.now)
        if not loses_answer:
            self.held = issued
        elif self.replaced[asked] + GRACE_S > self.stage.clock.now:
            self.held = good(trio.run(self.stage.refresh, asked))

    @rule(data=st.data())
    def show_an_old_one(self, data: st.DataObject) -> None:
        if not self.replaced:
            return
        old = data.draw(st.sampled_from(sorted(self.replaced)))
        is_late = self.replaced[old] + GRACE_S <= self.stage.clock.now
        outcome = trio.run(self.stage.refresh, old)
        if self.is_ended or is_late:
            assert fault(outcome) is Fault.GRANT
            self.is_ended = True
        else:
            self.held = good(outcome)

    @rule(seconds=st.integers(1, 2 * GRACE_S))
    def wait(self, seconds: int) -> None:
        self.stage.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        trio.run(Sweeper(self.stage.db, clock=self.stage.clock).sweep)

    @invariant()
    def one_chain_lives(self) -> None:
        if not hasattr(self, "stage"):
            return
        living = self.stage.db.all("SELECT 1 FROM oauth_tokens WHERE replaced_at IS NULL")
        assert len(living) == (0 if self.is_ended else 1)
        assert (self.stage.health() is Health.REUSED) is self.is_ended

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.db.close()
        self._root.cleanup()


TestHolders = Holders.TestCase
TestHolders.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


async def test_a_host_with_real_wikis_counts_connections_of_a_deleted_one(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    code = await issue_code(
        host.db, Consent(host.ada, wiki, "c", "n", "https://a.example/", challenge_of(VERIFIER), BOTH)
    )
    good(await redeem_code(host.db, Shown("c", code, "https://a.example/", VERIFIER, None), LIVES))
    await host.db.write(lambda connection: connection.execute("DELETE FROM wikis WHERE id = ?", (wiki.id,)))
    for table in ("connections", "oauth_codes", "oauth_tokens"):
        assert host.db.one(f"SELECT 1 FROM {table}") is None
