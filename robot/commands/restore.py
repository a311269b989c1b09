"""`robot restore`"""

from __future__ import annotations

import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
import trio

from robot.amounts import counted, file_size
from robot.audit import OPERATOR, AuditAction, Entry
from robot.backup.destinations import open_store
from robot.backup.manifest import Manifest, NoManifest, list_backups, read_manifest
from robot.backup.pieces import Source, open_source
from robot.backup.proving import prove
from robot.backup.report import By, of_taken_in, print_out
from robot.backup.restoring import Keys, Progress, restore_host
from robot.backup.sealing import read_passphrase
from robot.backup.store import Store
from robot.backup.taking_in import TakenIn, take_in, wiki_in_backup
from robot.commands.opened import open_platform, person_named
from robot.logs import escaped
from robot.quotas import default_quota
from robot.settings import Settings, load
from robot.wikis import InvalidWiki
from wikihost.layout import DataDir
from wikihost.transfer import held_directory


@click.command("restore")
@click.argument("source")
@click.option("--list", "listed", is_flag=True, help="Name the backups at SOURCE.")
@click.option(
    "--check", is_flag=True, help="Restore into a scratch directory, verify all of it, print what was proved."
)
@click.option("--at", "run", metavar="ID", help="Which backup; the newest by default.")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="Where: the data directory by default.")
@click.option("--wiki", "slug", metavar="SLUG", help="Take only this wiki, into the host that is here.")
@click.option("--as", "beside", metavar="NEW_SLUG", help="With --wiki: beside the present one, at this address.")
@click.option("--owner", metavar="NAME", help="With --wiki: who owns it, whoever else does.")
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path), help="What opens the sealed keys; the setting by default."
)
@click.pass_obj
def command(
    config: Path | None,
    source: str,
    listed: bool,
    check: bool,
    run: str | None,
    to: Path | None,
    slug: str | None,
    beside: str | None,
    owner: str | None,
    passphrase_file: Path | None,
) -> None:
    """Restore the backup at SOURCE: a whole host into an empty data directory, or with --wiki one wiki.

    SOURCE is what `robot backup` was given.
    """
    if listed + check + (slug is not None) > 1:
        raise click.UsageError("Choose one of --list, --check and --wiki.")
    if slug is None and (beside or owner):
        raise click.UsageError("--as and --owner are for --wiki.")
    if slug is not None and to is not None:
        raise click.UsageError("A wiki is restored into the host of the settings; --to is for whole hosts.")
    store = open_store(source)
    if listed:
        _list(store)
        return
    found = open_source(store, run)
    if slug is not None:
        _restore_wiki(config, found, slug, beside, owner)
        return
    settings = load(config).settings
    passphrase = _passphrase(settings, passphrase_file)
    if check:
        _check(found, to, passphrase)
    else:
        _restore_host(found, DataDir((to or settings.data).absolute()), passphrase)


def _list(store: Store) -> None:
    for run in list_backups(store):
        try:
            manifest = read_manifest(store, run)
        except NoManifest as error:
            click.echo(f"{run}\t{escaped(str(error))}")
            continue
        click.echo(
            f"{run}\t{manifest.mark_at:%Y-%m-%d %H:%M:%S} UTC\t{escaped(manifest.domain)}\t{_wikis(manifest)}"
            f"\t{file_size(manifest.size_bytes)}\trobot {escaped(manifest.robot)}"
        )


def _wikis(manifest: Manifest) -> str:
    return counted(len(manifest.wikis), "wiki")


def _passphrase(settings: Settings, file: Path | None) -> str | None:
    file = file or settings.backup_passphrase_file
    return None if file is None else read_passphrase(file)


def _check(found: Source, to: Path | None, passphrase: str | None) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="robot-check-", dir=to) as scratch, _progress("Checking") as progress:
        findings = prove(found, Path(scratch), passphrase, progress)
    by = By(version("robot"), socket.gethostname(), datetime.now(UTC), time.monotonic() - began)
    click.echo(print_out(found, findings, by))
    if not findings.is_good:
        sys.exit(1)


def _restore_host(found: Source, data: DataDir, passphrase: str | None) -> None:
    with _progress("Restoring") as progress:
        keys = restore_host(found, data, passphrase, progress)
    manifest = found.manifest
    click.echo(f"{escaped(manifest.domain)} is in {data.root}, with {_wikis(manifest)}.")
    click.echo(f"It is as of {manifest.mark_at:%Y-%m-%d %H:%M:%S} UTC. Whatever was revoked since then works again:")
    click.echo("look through tokens, members and sessions. Search indexes are built when robot runs.")
    click.echo(_of_keys(found, keys))
    for problem in manifest.problems.values():
        click.echo(f"{escaped(problem)} What it has of that wiki, if anything, is of an earlier backup.")


def _of_keys(found: Source, keys: Keys | None) -> str:
    if keys is not None:
        return "Its keys are back."
    why = "the backup has none" if found.manifest.sealed_keys is None else "no passphrase was given"
    return f"Its keys are not ({why}): robot makes new ones when it starts, and everybody signs in again."


def _restore_wiki(config: Path | None, found: Source, slug: str, beside: str | None, owner: str | None) -> None:
    with open_platform(config) as opened:
        scratch = opened.data.transfers / f"restore-{secrets.token_hex(8)}"
        with held_directory(scratch), wiki_in_backup(found, slug, scratch) as (belongings, kept):
            done = Entry(AuditAction.WIKI_RESTORED, OPERATOR, target=belongings.wiki.name, detail=found.manifest.id)
            work = partial(
                take_in,
                opened.db,
                opened.data,
                belongings,
                kept,
                done,
                beside=beside,
                owner=None if owner is None else person_named(opened.db, owner),
                usual=default_quota(opened.settings),
            )
            click.echo(of_taken_in(_try(work, beside), opened.address))


def _try(work: Callable[[], Awaitable[TakenIn]], beside: str | None) -> TakenIn:
    try:
        return trio.run(work)
    except InvalidWiki as error:
        advice = "" if beside else " `--as` takes it beside the wiki that is there."
        raise click.ClickException(f"{error}{advice}") from error


@contextmanager
def _progress(label: str) -> Iterator[Progress]:
    """A bar on a terminal; nothing where nobody looks."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield progress
