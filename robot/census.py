"""Everybody and every wiki of this host, a page at a time, for its operator: who and how much, not what is in them."""

# The only things put into SQL text here are column lists and conditions of this package.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import trio

from robot.accounts import USER_COLUMNS, user_of_row
from robot.clock import moment
from robot.db import Database, Row
from robot.model import User, Wiki
from robot.wikis import IN_SERVICE, KEPT, WIKI_COLUMNS, wiki_of_row
from wikihost.layout import DataDir
from wikihost.quota import Usage
from wikihost.usage import Ledger

PAGE_ROWS = 50

T = TypeVar("T")

PEOPLE_FILTERS: Mapping[str, str] = {
    "": "1",
    "operators": "users.is_operator = 1",
    "suspended": "users.suspended_at IS NOT NULL",
    "leaving": "users.leaving_at IS NOT NULL",
}
WIKI_FILTERS: Mapping[str, str] = {
    "": "1",
    "public": f"wikis.visibility = 'public' AND {IN_SERVICE}",
    "frozen": "wikis.frozen_at IS NOT NULL",
    "taken-down": "wikis.taken_down_at IS NOT NULL",
    "deleted": "wikis.purge_at IS NOT NULL",
}

_PERSON = (
    f"SELECT {USER_COLUMNS}, (SELECT handle FROM identities WHERE user_id = users.id AND handle IS NOT NULL"
    " ORDER BY last_used_at DESC LIMIT 1) AS handle,"
    " (SELECT count(*) FROM grants JOIN wikis ON wikis.id = grants.wiki_id"
    f" WHERE grants.user_id = users.id AND grants.role = 'owner' AND {KEPT}) AS owned,"
    " (SELECT max(coalesce(last_seen_at, created_at)) FROM sessions WHERE user_id = users.id) AS seen_at,"
    " (SELECT max(at) FROM (SELECT max(last_used_at) AS at FROM tokens WHERE user_id = users.id"
    " UNION ALL SELECT max(last_used_at) FROM connections WHERE user_id = users.id)) AS agents_seen_at"
    " FROM users"
)
_PERSON_MATCHES = (
    "(?1 = '' OR instr(users.name, ?1) OR instr(lower(users.display_name), ?1) OR EXISTS ("
    "SELECT 1 FROM identities WHERE user_id = users.id AND (instr(lower(handle), ?1) OR lower(subject) = ?1)))"
)
_WIKI = (
    f"SELECT {WIKI_COLUMNS}, wikis.purge_at AS purges_at, (SELECT group_concat(users.name, ' ') FROM grants"
    " JOIN users ON users.id = grants.user_id WHERE grants.wiki_id = wikis.id AND grants.role = 'owner') AS owners,"
    " (SELECT count(*) FROM grants WHERE grants.wiki_id = wikis.id) AS members FROM wikis"
)
_WIKI_MATCHES = (
    "(?1 = '' OR instr(wikis.slug, ?1) OR instr(lower(wikis.name), ?1) OR EXISTS (SELECT 1 FROM grants"
    " JOIN users ON users.id = grants.user_id"
    " WHERE grants.wiki_id = wikis.id AND grants.role = 'owner' AND users.name = ?1))"
)


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Some rows in order; `next_after` is what to go on after, None at the end."""

    rows: Sequence[T]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """`owned` wikis, deleted ones that can be had back among them; when a browser, and when an agent, was seen last."""

    user: User
    handle: str | None
    owned: int
    seen: datetime | None
    agents_seen: datetime | None


@dataclass(frozen=True, slots=True)
class WikiRow:
    """`owners` are user names; `purge` is when a deleted wiki goes for good. `usage` is as it was counted last."""

    wiki: Wiki
    owners: Sequence[str]
    members: int
    purge: datetime | None
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are; wikis that are deleted count apart."""

    people: int
    suspended: int
    leaving: int
    wikis: int
    frozen: int
    taken_down: int
    deleted: int


async def list_people(db: Database, *, search: str = "", only: str = "", after: str = "") -> Slice[PersonRow]:
    """People by user name, those after `after`, of whose names, handles or identities `search` is a part."""
    rows = await db.scan(
        f"{_PERSON} WHERE users.name > ?2 AND {PEOPLE_FILTERS[only]} AND {_PERSON_MATCHES}"
        f" ORDER BY users.name LIMIT {PAGE_ROWS + 1}",
        (_needle(search), after),
    )
    people = [_person_of(row) for row in rows]
    return _sliced(people, people[-2].user.name if len(people) > PAGE_ROWS else None)


async def find_person(db: Database, name: str) -> PersonRow | None:
    """The person of that user name."""
    rows = await db.scan(f"{_PERSON} WHERE users.name = ?", (name,))
    return _person_of(rows[0]) if rows else None


async def list_hosted(
    db: Database, data: DataDir, *, search: str = "", only: str = "", after: str = ""
) -> Slice[WikiRow]:
    """Wikis by address, those after `after`, of whose address or name `search` is a part, or that it owns."""
    rows = await db.scan(
        f"{_WIKI} WHERE wikis.slug > ?2 AND {KEPT} AND {WIKI_FILTERS[only]} AND {_WIKI_MATCHES}"
        f" ORDER BY wikis.slug LIMIT {PAGE_ROWS + 1}",
        (_needle(search), after),
    )
    wikis = await trio.to_thread.run_sync(lambda: [_wiki_of(data, row) for row in rows])
    return _sliced(wikis, wikis[-2].wiki.slug if len(wikis) > PAGE_ROWS else None)


async def find_hosted(db: Database, data: DataDir, wiki_id: str) -> WikiRow | None:
    """The wiki of that id, also a deleted one that can be had back."""
    rows = await db.scan(f"{_WIKI} WHERE wikis.id = ? AND {KEPT}", (wiki_id,))
    return await trio.to_thread.run_sync(_wiki_of, data, rows[0]) if rows else None


async def count_all(db: Database) -> Counts:
    """How many people and wikis there are."""
    rows = await db.scan(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM users WHERE suspended_at IS NOT NULL),"
        " (SELECT count(*) FROM users WHERE leaving_at IS NOT NULL),"
        " (SELECT count(*) FROM wikis WHERE state = 'ready'),"
        " (SELECT count(*) FROM wikis WHERE state = 'ready' AND frozen_at IS NOT NULL),"
        " (SELECT count(*) FROM wikis WHERE taken_down_at IS NOT NULL),"
        " (SELECT count(*) FROM wikis WHERE purge_at IS NOT NULL)"
    )
    return Counts(*rows[0])


def _needle(search: str) -> str:
    return search.strip().removeprefix("@").lower()


def _sliced(rows: Sequence[T], next_after: str | None) -> Slice[T]:
    return Slice(rows[:PAGE_ROWS], next_after)


def _person_of(row: Row) -> PersonRow:
    seen, agents_seen = (None if row[at] is None else moment(row[at]) for at in ("seen_at", "agents_seen_at"))
    return PersonRow(user_of_row(row), row["handle"], row["owned"], seen, agents_seen)


def _wiki_of(data: DataDir, row: Row) -> WikiRow:
    """Reads one small file of the wiki, and opens nothing."""
    wiki, purge = wiki_of_row(row), row["purges_at"]
    return WikiRow(
        wiki=wiki,
        owners=(row["owners"] or "").split(),
        members=row["members"],
        purge=None if purge is None else moment(purge),
        usage=Ledger(data.wiki(wiki.id).usage).last(),
    )
