"""A database with a person, two wikis and a client that was consented to, where time stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from proxy.hosts import OwnDomain, WikiHost
from robot.access import grant_role
from robot.accounts import create_user
from robot.clock import moment
from robot.db import Database
from robot.model import Health, Role, Scope, User, Visibility, Wiki
from robot.oauth.codes import Consent, Shown, issue_code, redeem_code
from robot.oauth.connections import list_connections
from robot.oauth.pairs import challenge_of
from robot.oauth.refreshing import ShownRefresh, refresh
from robot.oauth.tokens import Fault, Issued, Lives, Refused, verify_access
from robot.secret import new_id
from tests.robot.small_host import FakeClock

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

    async def code(
        self, scopes: frozenset[Scope] = BOTH, *, client_id: str = "client_1", prefix: str | None = None
    ) -> str:
        consent = Consent(
            user=self.ada,
            wiki=self.wiki,
            client_id=client_id,
            client_name="Agent Smith",
            redirect_uri="https://agent.example/cb",
            challenge=challenge_of(VERIFIER),
            scopes=scopes,
            prefix=prefix,
        )
        return await issue_code(self.db, consent, clock=self.clock)

    def shown(self, code: str) -> Shown:
        return Shown("client_1", code, "https://agent.example/cb", VERIFIER, WikiHost(self.wiki.slug))

    async def redeem(self, shown: Shown) -> Issued | Refused:
        return await redeem_code(self.db, shown, self.lives, clock=self.clock)

    async def connect(self, scopes: frozenset[Scope] = BOTH, *, prefix: str | None = None) -> Issued:
        return good(await self.redeem(self.shown(await self.code(scopes, prefix=prefix))))

    async def refresh(
        self, token: str, *, scopes: frozenset[Scope] = frozenset(), place: WikiHost | OwnDomain | None = None
    ) -> Issued | Refused:
        shown = ShownRefresh(self.client_id, token, scopes, place)
        return await refresh(self.db, shown, self.lives, clock=self.clock)

    def opens(self, access: str, wiki: Wiki | None = None) -> bool:
        return verify_access(self.db, access, (wiki or self.wiki).id, clock=self.clock) is not None

    def scopes(self, access: str) -> frozenset[Scope]:
        found = verify_access(self.db, access, self.wiki.id, clock=self.clock)
        assert found is not None
        return found[0].scopes

    def folder(self, access: str) -> str | None:
        found = verify_access(self.db, access, self.wiki.id, clock=self.clock)
        assert found is not None
        return found[0].prefix

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
