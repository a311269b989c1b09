"""What happened in a wiki, in one order: changes of its pages, calls of agents, and what was done to its settings.

Each source keeps an order of its own, and where a page of the timeline ends is a place in each of them.
"""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from robot.activity_log import AgentCall, list_calls
from robot.audit import Recorded, list_entries
from robot.contents import Contents
from robot.db import Database
from robot.model import User, Wiki
from wikihost.content import Content
from wikihost.errors import RevisionNotFound
from wikihost.values import LoggedCommit

Happening = LoggedCommit | AgentCall | Recorded


class Sort(StrEnum):
    """What somebody wants to see."""

    CHANGES = "changes"
    CALLS = "calls"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Place:
    """The last of each source that was seen."""

    commit: str | None = None
    call: int | None = None
    entry: tuple[int, int] | None = None

    def __str__(self) -> str:
        at, entry_id = self.entry or (0, 0)
        return f"{self.commit or 0}.{self.call or 0}.{at}.{entry_id}"


_PLACE = re.compile(r"([0-9a-f]{40}|0)\.(\d{1,18})\.(\d{1,12})\.(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of what happened: of one kind, of one person, of one agent (as `robot.activity_log` tells them apart).

    `whose` are the calls that may be seen, None for all; only whoever sees all sees what was done to settings.
    """

    whose: User | None
    sort: Sort | None = None
    person: User | None = None
    email: str | None = None
    credential: str | None = None
    client: str | None = None

    def has(self, sort: Sort) -> bool:
        """Whether that kind is wanted, and may be seen."""
        if sort is Sort.SETTINGS and self.whose is not None:
            return False
        is_of_agent = self.credential is not None or self.client is not None
        return sort is Sort.CALLS if is_of_agent else self.sort in (None, sort)


def place_of(cursor: str) -> Place:
    """The place that a cursor names; the beginning when it is none (pure)."""
    match = _PLACE.fullmatch(cursor)
    if match is None:
        return Place()
    commit, call, at, entry_id = match.groups()
    return Place(
        None if commit == "0" else commit, int(call) or None, (int(at), int(entry_id)) if int(entry_id) else None
    )


async def read_timeline(
    db: Database, contents: Contents, wiki: Wiki, wanted: Wanted, before: Place, limit: int
) -> tuple[list[Happening], Place | None]:
    """What happened, newest first, before a place; and the place to go on from, None at the end.

    Raises the `ContentError`s of a disk that fails.
    """
    commits = await _commits(contents, wiki, wanted, before, limit + 1) if wanted.has(Sort.CHANGES) else []
    calls = await _calls(db, wiki, wanted, before, limit + 1) if wanted.has(Sort.CALLS) else []
    entries = await _entries(db, wiki, wanted, before, limit + 1) if wanted.has(Sort.SETTINGS) else []
    merged: Iterator[Happening] = heapq.merge(commits, calls, entries, key=moment_of, reverse=True)
    found = [happening for happening, _ in zip(merged, range(limit + 1), strict=False)]
    place = before
    for happening in found[:limit]:
        place = _after(place, happening)
    return found[:limit], place if len(found) > limit else None


def moment_of(happening: Happening) -> datetime:
    """When it was."""
    return happening.commit.date if isinstance(happening, LoggedCommit) else happening.at


async def people_of(db: Database, wiki: Wiki) -> list[sqlite3.Row]:
    """Who has, or had, a part in the wiki: `id`, `name` and `display_name`, by name."""
    return await db.scan(
        "SELECT id, name, display_name FROM users WHERE id IN (SELECT user_id FROM grants WHERE wiki_id = ?1"
        " UNION SELECT user_id FROM agent_days WHERE wiki_id = ?1"
        " UNION SELECT actor_id FROM audit WHERE wiki_id = ?1) ORDER BY display_name, name",
        (wiki.id,),
    )


def _after(place: Place, happening: Happening) -> Place:
    match happening:
        case LoggedCommit(commit=commit):
            return replace(place, commit=commit.revision)
        case AgentCall():
            return replace(place, call=happening.id)
        case Recorded():
            return replace(place, entry=(int(happening.at.timestamp()), happening.id))


async def _commits(contents: Contents, wiki: Wiki, wanted: Wanted, before: Place, limit: int) -> Sequence[LoggedCommit]:
    def look(content: Content) -> Sequence[LoggedCommit]:
        try:
            return content.changelog(limit, before.commit, wanted.email)[0]
        except RevisionNotFound:
            return []

    return await contents.run(wiki, look)


async def _calls(db: Database, wiki: Wiki, wanted: Wanted, before: Place, limit: int) -> Sequence[AgentCall]:
    return await list_calls(
        db,
        wiki,
        wanted.whose or wanted.person,
        credential=wanted.credential,
        client=wanted.client,
        # A call that changed something is there as the change.
        with_changes=not wanted.has(Sort.CHANGES),
        before=before.call,
        limit=limit,
    )


async def _entries(db: Database, wiki: Wiki, wanted: Wanted, before: Place, limit: int) -> Sequence[Recorded]:
    person = None if wanted.person is None else wanted.person.id
    return await list_entries(db, wiki, actor_id=person, before=before.entry, limit=limit)
