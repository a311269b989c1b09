"""Refresh tokens: rotation with grace, what a second use means, revocation, and what is swept."""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from proxy.hosts import WikiHost
from robot.audit import ROBOT
from robot.deletion import delete_wiki_for_now, undelete_wiki
from robot.model import Health
from robot.oauth import tokens
from robot.oauth.codes import CODE_LIFETIME_S
from robot.oauth.pairs import access_of, successor_of
from robot.oauth.refreshing import revoke
from robot.oauth.sweeping import DEAD_CONNECTION_KEPT_S, USED_CODE_KEPT_S, Sweeper
from robot.oauth.tokens import GRACE_S, Fault, Issued, Lives
from tests.robot.oauth_stage import BOTH, LIVES, READ, VERIFIER, Stage, fault, good, open_stage

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


async def test_a_thief_cannot_renew_until_nobody_knows_the_stolen_token(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_PAIRS", 5)
    first = await stage.connect()
    stolen = first
    for _ in range(6):
        stolen = good(await stage.refresh(stolen.refresh_token))
    assert stage.opens(stolen.access_token)
    stage.clock.now += GRACE_S
    stage.client_id = "client_2"
    assert fault(await stage.refresh(first.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.WELL  # another client cannot end what is not its own
    stage.client_id = "client_1"
    assert fault(await stage.refresh(first.refresh_token)) is Fault.GRANT
    assert not stage.opens(stolen.access_token)
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
    assert fault(await stage.refresh(issued.refresh_token, place=WikiHost("other"))) is Fault.TARGET
    assert stage.health() is Health.REFUSED
    assert fault(await stage.refresh(issued.refresh_token, scopes=BOTH)) is Fault.SCOPE
    stage.client_id = "client_2"
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    stage.client_id = "client_1"
    assert fault(await stage.refresh(issued.access_token)) is Fault.GRANT
    assert good(await stage.refresh(issued.refresh_token, place=WikiHost("notes"), scopes=READ))
    assert stage.health() is Health.WELL


async def test_a_refresh_without_a_role_is_refused(stage: Stage) -> None:
    issued = await stage.connect()
    await stage.db.write(lambda connection: connection.execute("DELETE FROM grants"))
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert stage.health() is Health.REFUSED


async def test_nothing_opens_a_deleted_wiki_until_it_is_had_back(stage: Stage) -> None:
    code, issued = await stage.code(), await stage.connect()
    await delete_wiki_for_now(stage.db, stage.wiki, ROBOT, clock=stage.clock)
    assert not stage.opens(issued.access_token)
    assert fault(await stage.refresh(issued.refresh_token)) is Fault.GRANT
    assert fault(await stage.redeem(stage.shown(code))) is Fault.GRANT
    await undelete_wiki(stage.db, stage.wiki.id, ROBOT, clock=stage.clock)
    assert stage.opens(issued.access_token)
    assert good(await stage.refresh(issued.refresh_token))


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
            assert secret.removeprefix(prefix).rpartition(".")[2].encode() not in stored


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
TestHolders.settings = settings(max_examples=15, stateful_step_count=15, suppress_health_check=list(HealthCheck))
