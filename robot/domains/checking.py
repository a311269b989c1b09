"""Looks at DNS, and puts what follows in force."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from robot.address import PublicAddress
from robot.audit import ROBOT, AuditAction, Doer, Entry, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.domains.claims import Claim, claim_of_row, find_claim
from robot.domains.evidence import DomainRecords, Evidence, gather_evidence
from robot.domains.judgement import judge, ousted
from robot.model import Wiki
from robot.signin.sessions import end_wiki_sessions
from robot.wikis import IN_SERVICE

log = logging.getLogger(__name__)


class Checks:
    """Checks one wiki's domain at a time."""

    def __init__(
        self, db: Database, records: DomainRecords, address: PublicAddress, *, clock: Clock = wall_clock
    ) -> None:
        self._db = db
        self._records = records
        self._address = address
        self._clock = clock

    async def check(self, wiki: Wiki, by: Doer = ROBOT) -> None:
        """Ask DNS about the domain that the wiki wants or has, and let follow what does. Raises `DatabaseError`."""
        claim = find_claim(self._db, wiki)
        if claim is None:
            return
        evidence = await gather_evidence(self._records, claim.domain, wiki.slug, self._address)

        def settle(connection: sqlite3.Connection) -> None:
            now = moment(int(self._clock()))
            row = connection.execute("SELECT * FROM domains WHERE wiki_id = ?", (wiki.id,)).fetchone()
            # Meanwhile the wiki may want another domain, or none.
            current = None if row is None else claim_of_row(row)
            if current is not None and (current.domain, current.challenge) == (claim.domain, claim.challenge):
                for entry in _settle(connection, current, evidence, by, now):
                    record(connection, entry, clock=self._clock)

        await self._db.write(settle)


def _settle(
    connection: sqlite3.Connection, claim: Claim, evidence: Evidence, by: Doer, now: datetime
) -> Iterator[Entry]:
    """Write down what follows; the entries are of what that was."""
    holder = _find_holder(connection, claim)
    after = judge(claim, evidence, holder if holder and _is_there(connection, holder) else None, now)
    if after.is_in_force and holder is not None:
        # It goes first: a domain is in force for one wiki at most.
        loser = ousted(holder)
        _store(connection, loser)
        end_wiki_sessions(connection, loser.wiki_id)
        yield _entry(AuditAction.DOMAIN_SWITCHED_OFF, ROBOT, loser)
    _store(connection, after)
    if claim.is_in_force and claim.failing_since is None and after.failing_since is not None:
        end_wiki_sessions(connection, after.wiki_id)
    if after.is_in_force and not claim.is_in_force:
        yield _entry(AuditAction.DOMAIN_IN_FORCE, by, after)
    elif claim.is_in_force and not after.is_in_force:
        log.warning("wiki %s: the domain %s was switched off", claim.wiki_id, claim.domain.name)
        yield _entry(AuditAction.DOMAIN_SWITCHED_OFF, ROBOT, after)


def _find_holder(connection: sqlite3.Connection, claim: Claim) -> Claim | None:
    """The claim by which another wiki has the domain."""
    row = connection.execute(
        "SELECT * FROM domains WHERE domain = ? AND verified_at IS NOT NULL AND wiki_id != ?",
        (claim.domain.name, claim.wiki_id),
    ).fetchone()
    return None if row is None else claim_of_row(row)


def _is_there(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Whether the claim's wiki was not deleted; one that can still be had back holds no domain back."""
    sql = f"SELECT 1 FROM wikis WHERE id = ? AND {IN_SERVICE}"  # noqa: S608  (a constant)
    return connection.execute(sql, (claim.wiki_id,)).fetchone() is not None


def _store(connection: sqlite3.Connection, claim: Claim) -> None:
    verified, checked, failing_since = (
        None if at is None else int(at.timestamp()) for at in (claim.verified, claim.checked, claim.failing_since)
    )
    connection.execute(
        "UPDATE domains SET verified_at = ?, checked_at = ?, failing_since = ?, record_problem = ?,"
        " address_problem = ?, problem = ? WHERE wiki_id = ?",
        (
            verified,
            checked,
            failing_since,
            claim.record_problem,
            claim.address_problem,
            claim.problem,
            claim.wiki_id,
        ),
    )


def _entry(action: AuditAction, by: Doer, claim: Claim) -> Entry:
    return Entry(action, by, claim.wiki_id, target=claim.domain.name, detail=claim.problem or "")
