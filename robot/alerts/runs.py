"""When the host ran: a run that has no end, and is not the present one, was killed or lost its machine."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_RUNS = 100
LAST_NOTE_S = 2.0


@asynccontextmanager
async def noted_run(db: Database, *, clock: Clock = wall_clock) -> AsyncIterator[None]:
    """Note that the host runs in this block; left by an exception, the run did not end in order.

    A disk that takes nothing keeps no host from running.
    """
    run = await _try(db, partial(_begin, now=int(clock())))
    yield
    if run is not None:
        with trio.move_on_after(LAST_NOTE_S, shield=True):
            await _try(db, partial(_end, run=run, now=int(clock())))


async def _try(db: Database, work: Callable[[sqlite3.Connection], T]) -> T | None:
    try:
        return await db.write(work)
    except DatabaseError as error:
        log.warning("whether this run ends in order is not noted: %s", error)
        return None


def _begin(connection: sqlite3.Connection, *, now: int) -> int:
    row = connection.execute("INSERT INTO runs (began_at) VALUES (?) RETURNING id", (now,)).fetchone()
    connection.execute("DELETE FROM runs WHERE id <= ?", (row["id"] - KEPT_RUNS,))
    return int(row["id"])


def _end(connection: sqlite3.Connection, *, run: int, now: int) -> None:
    connection.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (now, run))


def unclean_ends(db: Database) -> Sequence[float]:
    """When the host was started again after a run that had not ended in order, in place."""
    rows = db.all(
        "SELECT (SELECT min(began_at) FROM runs AS later WHERE later.id = runs.id + 1) AS again_at"
        " FROM runs WHERE ended_at IS NULL AND id < (SELECT max(id) FROM runs)"
    )
    return [row["again_at"] for row in rows if row["again_at"] is not None]
