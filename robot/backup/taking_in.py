"""A wiki of a backup, or a copy of a wiki that is here, taken into this host as a wiki of its own.

It has a new id, so nothing that opened another wiki opens it: tokens, connected agents, sessions and invitations stay
behind. People are known again by their account, or on another host by how they sign in; never by a user name, which
may be somebody else's there.

| | as it was | beside another (`beside`) |
|---|---|---|
| people | all who have an account here, in their roles | its owners |
| who may read | as then | its people alone |
| own domain | asked for again, with the value that is in DNS | none |
| name, description, guidance, git, quota, read-only, taken down | as then | as then |
"""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from robot.access import put_role
from robot.accounts import USER_COLUMNS, operator_of, user_of_row
from robot.audit import Entry, record
from robot.backup.pieces import Source
from robot.backup.restoring import naming_the_wiki, refuse_too_little_room, take_database, taken
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.hosting import ABANDONED_AFTER_S, make_hosted
from robot.model import Role, User, Visibility, Wiki
from robot.quotas import quota_of
from robot.secret import new_id
from robot.wikis import WIKI_COLUMNS, check_slug, wiki_of_row
from wikihost.layout import DataDir
from wikihost.quota import Quota
from wikihost.restoring import KeptWiki, restore_wiki

_BUILD_S = ABANDONED_AFTER_S - 60


class NotInBackup(Exception):
    """The backup has no such wiki; the message says so."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role in a wiki, and by which identities (provider, subject) they sign in."""

    user_id: str
    name: str
    role: Role
    identities: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Belongings:
    """What the platform has on a wiki besides its content. `domain` is its own, and the value that proves it in DNS."""

    wiki: Wiki
    frozen_at: int | None
    taken_down_at: int | None
    taken_down_why: str
    domain: tuple[str, str] | None
    members: Sequence[Member]


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of it: who has which role now, who of then has none, and which domain it asks for again."""

    wiki: Wiki
    members: Sequence[tuple[User, Role]]
    left_out: Sequence[Member]
    domain: str | None


@contextmanager
def wiki_in_backup(source: Source, slug: str, scratch: Path) -> Iterator[tuple[Belongings, KeptWiki]]:
    """What a backup has of the wiki at `slug`, in the directory `scratch` until the block ends.

    Raises `NotInBackup`, `NoRoom`, `BackupDamaged`, `StoreError`, `SchemaTooNew`, OSError. What the block raises of
    damage says whose it is.
    """
    copy = next((each for each in source.manifest.wikis if each.slug == slug), None)
    if copy is None:
        slugs = sorted(each.slug for each in source.manifest.wikis if each.slug)
        raise NotInBackup(f"The backup {source.manifest.id} has no wiki {slug}; it has: {', '.join(slugs) or 'none'}.")
    refuse_too_little_room(scratch, source.pieces.bytes_of(copy))
    place = scratch / "robot.db"
    take_database(source, place)
    with closing(Database.open(place)) as then:
        belongings = belongings_of(then, copy.id)
    with taken(source.pieces, copy, scratch) as kept, naming_the_wiki(copy):
        yield belongings, kept


def belongings_of(db: Database, wiki_id: str) -> Belongings:
    """What the platform has on that wiki. Raises `LookupError` when there is none."""
    row = db.one(
        f"SELECT {WIKI_COLUMNS}, taken_down_at, taken_down_why, domains.domain AS own_domain, challenge FROM wikis"
        " LEFT JOIN domains ON domains.wiki_id = wikis.id WHERE wikis.id = ?",
        (wiki_id,),
    )
    if row is None:
        raise LookupError(f"no wiki {wiki_id}")
    members = db.all(
        "SELECT users.id, users.name, grants.role FROM grants JOIN users ON users.id = grants.user_id"
        " WHERE grants.wiki_id = ? ORDER BY grants.rowid",
        (wiki_id,),
    )
    return Belongings(
        wiki=wiki_of_row(row),
        frozen_at=row["frozen_at"],
        taken_down_at=row["taken_down_at"],
        taken_down_why=row["taken_down_why"],
        domain=None if row["own_domain"] is None else (row["own_domain"], row["challenge"]),
        members=[Member(user_id, name, Role(role), _identities(db, user_id)) for user_id, name, role in members],
    )


def _identities(db: Database, user_id: str) -> frozenset[tuple[str, str]]:
    rows = db.all("SELECT provider, subject FROM identities WHERE user_id = ?", (user_id,))
    return frozenset((row["provider"], row["subject"]) for row in rows)


async def take_in(
    db: Database,
    data: DataDir,
    belongings: Belongings,
    kept: KeptWiki,
    done: Entry,
    *,
    beside: str | None,
    owner: User | None,
    usual: Quota,
    clock: Clock = wall_clock,
) -> TakenIn:
    """Host a wiki made of `kept`, also while the host runs; `done` is the entry of the audit, without the wiki's id.

    `beside` is the address of one that is to stand beside the wiki it is a copy of. `owner` owns it whoever else does;
    without one, and when none of its owners has an account here, the operator does.
    Raises as `hosting.create_hosted_wiki`, and `CopyDamaged`; then nothing was made.
    """
    found = [(member, _find_here(db, member)) for member in belongings.members]
    roles = _roles(found, owner, beside)
    if Role.OWNER not in roles.values():
        roles[await operator_of(db)] = Role.OWNER
    first = next(user for user, role in roles.items() if role is Role.OWNER)
    wiki = _as_here(belongings.wiki, beside, moment(int(clock())))
    domain = belongings.domain if beside is None else None

    def build() -> None:
        home = data.wiki(wiki.id)
        restore_wiki(home, kept, quota_of(wiki, usual))
        if wiki.is_frozen:
            home.frozen.touch()

    def settle(connection: sqlite3.Connection) -> None:
        _write_settings(connection, wiki.id, belongings)
        for user, role in roles.items():
            put_role(connection, user.id, wiki.id, role, clock())
        if domain is not None:
            connection.execute(
                "INSERT INTO domains (wiki_id, domain, challenge, created_at) VALUES (?, ?, ?, ?)",
                (wiki.id, *domain, int(clock())),
            )
        record(connection, replace(done, wiki_id=wiki.id), clock=clock)

    await make_hosted(db, data, wiki, first, build, settle, build_s=_BUILD_S)
    left_out = [member for member, user in found if user not in roles]
    return TakenIn(wiki, list(roles.items()), left_out, None if domain is None else domain[0])


def _find_here(db: Database, member: Member) -> User | None:
    """The account here that is this person's: the same one, or one that is signed in to with the same identity."""
    row = db.one(f"SELECT {USER_COLUMNS} FROM users WHERE id = ?", (member.user_id,))
    for identity in sorted(member.identities):
        row = row or db.one(
            f"SELECT {USER_COLUMNS} FROM identities JOIN users ON users.id = identities.user_id"
            " WHERE provider = ? AND subject = ?",
            identity,
        )
    return None if row is None else user_of_row(row)


def _roles(found: Sequence[tuple[Member, User | None]], owner: User | None, beside: str | None) -> dict[User, Role]:
    """Who gets which role; the one that was named first, then those of then in their order (pure)."""
    roles = {} if owner is None else {owner: Role.OWNER}
    for member, user in found:
        if user is not None and (beside is None or member.role is Role.OWNER):
            roles.setdefault(user, member.role)
    return roles


def _as_here(then: Wiki, beside: str | None, now: datetime) -> Wiki:
    """The wiki that is made of the one of then (pure)."""
    made = replace(then, id=new_id("w"), created=now, domain=None)
    if beside is None:
        return made
    return replace(made, slug=check_slug(beside), visibility=Visibility.PRIVATE)


def _write_settings(connection: sqlite3.Connection, wiki_id: str, belongings: Belongings) -> None:
    then = belongings.wiki
    connection.execute(
        "UPDATE wikis SET created_at = ?, git_enabled = ?, quota_pages = ?, quota_bytes = ?, guidance = ?,"
        " frozen_at = ?, taken_down_at = ?, taken_down_why = ? WHERE id = ?",
        (
            int(then.created.timestamp()),
            int(then.git_enabled),
            then.quota_pages,
            then.quota_bytes,
            then.guidance,
            belongings.frozen_at,
            belongings.taken_down_at,
            belongings.taken_down_why,
            wiki_id,
        ),
    )
