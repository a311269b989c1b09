"""`robot upgrade`"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from robot.datadir import DataDirLock
from robot.db import Database
from robot.release import Release
from robot.settings import load
from robot.upgrade import Migrating, Plan, plan_upgrade
from wikihost.layout import DataDir

EXIT_PROBLEM = 1
EXIT_WOULD_CHANGE = 3


@click.command("upgrade")
@click.option("--check", "only_check", is_flag=True, help="Say what would change, and change nothing.")
@click.pass_obj
def command(config: Path | None, only_check: bool) -> None:
    """Bring the data directory to this release, as the next start would; the host must be stopped.

    With --check the exit code is 0 if nothing would change, 3 if something would, 1 if it cannot be done.
    """
    settings = load(config).settings
    data = DataDir(settings.data.absolute())
    if not data.robot_db.exists():
        click.echo(f"There is nothing in {data.root} yet; the first start makes it.")
        return
    try:
        plan = plan_upgrade(settings, data)
    except sqlite3.Error as error:
        raise click.ClickException(
            f"The database {data.robot_db} is damaged ({error}); restore it from a backup."
        ) from error
    click.echo(f"data: {data.root}")
    for line in _lines(plan):
        click.echo(line)
    if plan.problem:
        click.echo(f"problem: {plan.problem}")
        sys.exit(EXIT_PROBLEM)
    if only_check:
        sys.exit(EXIT_WOULD_CHANGE if plan.changes_something else 0)
    with DataDirLock(data):
        Database.open(data.robot_db).close()
    click.echo("The data is ready for this release; start the host.")


def _lines(plan: Plan) -> Iterator[str]:
    """The plan in words; what stays as it is, is not told."""
    yield from _release_lines(plan.was, plan.now, plan.wikis)
    if plan.migrating:
        yield from _migration_lines(plan.migrating)
    if plan.embedded_anew:
        yield f"search by meaning: {_wikis(plan.embedded_anew)} embedded anew in the background; words answer meanwhile"
    if not plan.changes_something:
        yield "Nothing would change."


def _release_lines(was: Release | None, now: Release, wikis: int) -> Iterator[str]:
    if was is None:
        yield f"robot: {now.robot}; which release ran here before is not written down"
        return
    for name, before, after in (("robot", was.robot, now.robot), ("Otter Wiki", was.otterwiki, now.otterwiki)):
        yield f"{name}: {before}" if before == after else f"{name}: {before} → {after}"
    if was.catalog != now.catalog:
        yield f"catalogs: {_wikis(wikis)} built anew from git, each when it is next used"
    if new := sorted(set(now.settings) - set(was.settings)):
        yield f"new settings: {', '.join(new)}"
    if gone := sorted(set(was.settings) - set(now.settings)):
        yield f"settings that are gone: {', '.join(gone)}"


def _migration_lines(migrating: Migrating) -> Iterator[str]:
    newest = migrating.version + len(migrating.steps)
    yield f"database: schema {migrating.version} → {newest}, by {', '.join(migrating.steps)}"
    if not migrating.problem:
        yield f"tried on a copy: it takes {migrating.tried_s:.1f} s"
    yield f"first it is copied to {migrating.copy}"
    yield f"room: {migrating.needed / 2**20:.1f} MiB are needed on its disk, {migrating.free / 2**20:.0f} MiB are free"


def _wikis(count: int) -> str:
    return "1 wiki is" if count == 1 else f"{count} wikis are"
