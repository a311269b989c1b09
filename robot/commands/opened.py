"""What most verbs need: the settings and the open platform database, also while the server runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from robot.accounts import find_user_by_name
from robot.address import PublicAddress, public_address
from robot.datadir import DataDirLock, prepare
from robot.db import Database
from robot.migrate import is_upgrade_due
from robot.model import User, Wiki
from robot.settings import Settings, load
from robot.wikis import find_wiki_by_slug
from wikihost.layout import DataDir


@dataclass(frozen=True, slots=True)
class Opened:
    """The platform as a verb of the command line sees it."""

    settings: Settings
    address: PublicAddress
    data: DataDir
    db: Database


@contextmanager
def open_platform(config: Path | None) -> Iterator[Opened]:
    """Open the data directory that the settings name; made when missing, brought to this release while nobody runs.

    Raises `DataDirError` if a robot of another release runs on it, beside what `Database.open` raises.
    """
    settings = load(config).settings
    data = DataDir(settings.data.absolute())
    prepare(data)
    # The schema must not change under a host that knows the old one.
    with DataDirLock(data) if is_upgrade_due(data.robot_db) else nullcontext():
        db = Database.open(data.robot_db)
    try:
        yield Opened(settings, public_address(settings), data, db)
    finally:
        db.close()


def wiki_at(db: Database, slug: str) -> Wiki:
    wiki = find_wiki_by_slug(db, slug)
    if wiki is None:
        raise click.ClickException(f"There is no wiki {slug}; `robot wiki list` names them all.")
    return wiki


def person_named(db: Database, name: str) -> User:
    user = find_user_by_name(db, name)
    if user is None:
        raise click.ClickException(f"There is nobody named {name} here.")
    return user
