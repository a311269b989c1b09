"""Which wiki wants which domain, and which is in force."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.domains.names import Domain, InvalidDomain
from robot.model import Wiki
from robot.signin.sessions import end_wiki_sessions

_CHALLENGE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Claim:
    """That a wiki wants a domain. It is the wiki's own since `verified`; `challenge` is the value to show in DNS.

    `failing_since` is when a domain in force was first found without what it needs. `record_problem` and
    `address_problem` are what the last check found wrong with each record, and `problem` is why the domain is not in
    force all the same, or any more: sentences.
    """

    wiki_id: str
    domain: Domain
    challenge: str
    created: datetime
    verified: datetime | None
    checked: datetime | None
    failing_since: datetime | None
    record_problem: str | None = None
    address_problem: str | None = None
    problem: str | None = None

    @property
    def is_in_force(self) -> bool:
        return self.verified is not None


def find_claim(db: Database, wiki: Wiki) -> Claim | None:
    """The domain that the wiki wants or has, in place."""
    row = db.one("SELECT * FROM domains WHERE wiki_id = ?", (wiki.id,))
    return None if row is None else claim_of_row(row)


async def claim_domain(db: Database, wiki: Wiki, domain: Domain, by: Doer, *, clock: Clock = wall_clock) -> None:
    """Write down that the wiki wants that domain; once more for the same one changes nothing. Raises `InvalidDomain`.

    Others may want it too. That says nothing about whether they exist.
    """

    def insert(connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT domain FROM domains WHERE wiki_id = ?", (wiki.id,)).fetchone()
        if row is not None and row["domain"] == domain.name:
            return
        if row is not None:
            raise InvalidDomain(f"The wiki has asked for {row['domain']}. Remove that first: a wiki has one domain.")
        now = int(clock())
        connection.execute(
            "INSERT INTO domains (wiki_id, domain, challenge, created_at) VALUES (?, ?, ?, ?)",
            (wiki.id, domain.name, secrets.token_hex(_CHALLENGE_BYTES), now),
        )
        record(connection, Entry(AuditAction.DOMAIN_ASKED_FOR, by, wiki.id, target=domain.name), clock=clock)

    await db.write(insert)


async def give_up(db: Database, wiki: Wiki, by: Doer, *, clock: Clock = wall_clock) -> None:
    """The wiki wants no domain any more; people read it at its first address again, from the next request on."""

    def delete(connection: sqlite3.Connection) -> None:
        row = connection.execute("DELETE FROM domains WHERE wiki_id = ? RETURNING domain", (wiki.id,)).fetchone()
        if row is not None:
            end_wiki_sessions(connection, wiki.id)
            entry = Entry(AuditAction.DOMAIN_REMOVED, by, wiki.id, target=row["domain"])
            record(connection, entry, clock=clock)

    await db.write(delete)


def claim_of_row(row: Row) -> Claim:
    """A claim from a row of `domains`."""
    moments = (row[column] for column in ("verified_at", "checked_at", "failing_since"))
    verified, checked, failing_since = (None if at is None else moment(at) for at in moments)
    return Claim(
        wiki_id=row["wiki_id"],
        domain=Domain(row["domain"]),
        challenge=row["challenge"],
        created=moment(row["created_at"]),
        verified=verified,
        checked=checked,
        failing_since=failing_since,
        record_problem=row["record_problem"],
        address_problem=row["address_problem"],
        problem=row["problem"],
    )
