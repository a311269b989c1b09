"""What it means for a data directory that this robot starts on it, found out beforehand; nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from robot.migrate import (
    NoRoomToUpgrade,
    check_version,
    copy_of,
    migrate,
    open_read_only,
    room_needed,
    shipped_migrations,
)
from robot.release import Release, last_release, this_release
from robot.search.indexing.run_record import find_all
from robot.search.model.choice import SwitchedOff, choose_model
from robot.search.values import ModelUnavailable
from robot.settings import Settings
from wikihost.layout import DataDir


@dataclass(frozen=True, slots=True)
class Migrating:
    """What becomes of the platform database. Sizes in bytes; `problem` is a sentence if the steps fail on a copy."""

    version: int
    steps: tuple[str, ...]
    copy: Path
    needed: int
    free: int
    tried_s: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`was` is the release that ran last, None where unknown; `wikis` is how many there are, whatever their state.

    `embedded_anew` counts those whose vectors are another model's.
    """

    was: Release | None
    now: Release
    wikis: int
    migrating: Migrating | None
    embedded_anew: int

    @property
    def problem(self) -> str | None:
        return self.migrating.problem if self.migrating else None

    @property
    def changes_something(self) -> bool:
        return self.migrating is not None or self.embedded_anew > 0 or (self.was is not None and self.was != self.now)


def plan_upgrade(settings: Settings, data: DataDir) -> Plan:
    """Look at a data directory that has a database. Its migrations are tried on a copy, among temporary files.

    Blocks. Raises SchemaTooNew, NotOurDatabase, sqlite3.Error.
    """
    version = check_version(data.robot_db)
    with closing(open_read_only(data.robot_db)) as connection:
        (wikis,) = connection.execute("SELECT count(*) FROM wikis").fetchone()
        steps = tuple(step.name for step in shipped_migrations()[version:])
        migrating = _try_migrations(connection, data.robot_db, version, steps) if steps else None
    return Plan(last_release(data), this_release(), wikis, migrating, _count_embedded_otherwise(settings, data))


def _try_migrations(connection: sqlite3.Connection, path: Path, version: int, steps: tuple[str, ...]) -> Migrating:
    needed, free = room_needed(connection), shutil.disk_usage(path.parent).free
    problem = None
    began = time.monotonic()
    try:
        with TemporaryDirectory(prefix="robot-upgrade-") as scratch:
            tried = Path(scratch) / path.name
            with closing(sqlite3.connect(tried, isolation_level=None)) as copy:
                connection.backup(copy)
                migrate(copy, tried)
    except (sqlite3.Error, NoRoomToUpgrade, OSError) as error:
        problem = f"The migrations fail on a copy of the database: {error}."
    if problem is None and free < needed:
        problem = (
            f"{needed / 2**20:.1f} MiB must be free on the disk of {path.parent}, and {free / 2**20:.1f} MiB are;"
            " make room."
        )
    return Migrating(version, steps, copy_of(path, version), needed, free, time.monotonic() - began, problem)


def _count_embedded_otherwise(settings: Settings, data: DataDir) -> int:
    """How many wikis have an index of another model; none where search by meaning is off, or its model not at hand."""
    model = choose_model(settings.embedding_model_dir, settings.embedding_model, data.models)
    try:
        model.check()
    except (SwitchedOff, ModelUnavailable):
        return 0
    return sum(record.model != model.model_id for record in find_all(data).values())
