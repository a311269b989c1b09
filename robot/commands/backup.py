"""`robot backup`"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import click
import trio

from robot.amounts import counted, file_size
from robot.backup.destinations import open_store
from robot.backup.directory import DirectoryStore
from robot.backup.retention import Retention
from robot.backup.sealing import read_passphrase
from robot.backup.store import Store, StoreRefused
from robot.backup.taking import Order, Taken, take_backup
from robot.commands.opened import Opened, open_platform
from robot.logs import escaped
from wikihost.layout import DataDir

# Whoever reads pages meanwhile comes first.
_NICE = 10
_SAY_EVERY_S = 10.0


@click.command("backup")
@click.argument("dest", required=False)
@click.pass_obj
def command(config: Path | None, dest: str | None) -> None:
    """Copy the whole host to DEST (`backup_destination` by default): a directory, or s3://bucket/prefix.

    The host may run meanwhile. After the first, only what changed is written.
    """
    with open_platform(config) as opened:
        order = _order(opened, dest or opened.settings.backup_destination)
        os.nice(_NICE)
        began = time.monotonic()
        taken = trio.run(partial(take_backup, order, _Terminal()))
        _say_result(taken, order.store, time.monotonic() - began)
        if taken.manifest.problems:
            raise click.ClickException("The backup is not whole: see above. What it has can be restored.")


def _order(opened: Opened, dest: str) -> Order:
    if not dest:
        raise click.ClickException("Say where to: `robot backup DEST`, or set backup_destination.")
    store = open_store(dest)
    _refuse_own_directory(store, opened.data)
    settings = opened.settings
    secret = settings.backup_passphrase_file
    return Order(
        data=opened.data,
        db=opened.db,
        domain=settings.domain,
        store=store,
        passphrase=None if secret is None else read_passphrase(secret),
        retention=Retention(settings.backup_keep_days, settings.backup_keep_last),
    )


def _refuse_own_directory(store: Store, data: DataDir) -> None:
    if isinstance(store, DirectoryStore) and Path(store.address).resolve().is_relative_to(data.root.resolve()):
        raise StoreRefused(f"{store.address} is in the data directory and would be lost with it; name another place.")


def _say_result(taken: Taken, store: Store, seconds: float) -> None:
    manifest = taken.manifest
    removed = f", {taken.removed} old removed" if taken.removed else ""
    click.echo(
        f"Backup {manifest.id} is at {store.address}: {counted(len(manifest.wikis), 'wiki')}, "
        f"{file_size(taken.brought_bytes)} new of {file_size(manifest.size_bytes)}, {seconds:.1f} s{removed}. "
        f"It has all that was written before {manifest.mark_at:%Y-%m-%d %H:%M:%S} UTC."
    )


class _Terminal:
    """Tells a terminal how a backup goes on by one line that changes, and a log by a line now and then."""

    def __init__(self) -> None:
        self._wikis = 0
        self._said = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def began(self, wikis: int) -> None:
        self._wikis = wikis

    def went_on(self, wikis: int, brought_bytes: int) -> None:
        line = f"{wikis} of {counted(self._wikis, 'wiki')}, {file_size(brought_bytes)} written"
        if self._is_terminal:
            click.echo(f"\r{line} \033[K", err=True, nl=wikis == self._wikis)
        elif time.monotonic() - self._said > _SAY_EVERY_S:
            self._said = time.monotonic()
            click.echo(line, err=True)

    def warn(self, sentence: str) -> None:
        click.echo(f"{chr(13) if self._is_terminal else ''}{escaped(sentence)}", err=True)
