"""One backup, from its first look at the destination to its manifest.

The mark comes before the database is copied, and the database before the wikis. So a wiki that is made meanwhile is not
in it, one that ends meanwhile is taken out of the copied database, and whatever was acknowledged before the mark is in.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from robot.backup.journal import begin_row, fail_row, finish_row, last_begun, only_backup, own_runs
from robot.backup.manifest import (
    RUNS,
    Manifest,
    NoManifest,
    WikiCopy,
    list_backups,
    new_run,
    read_manifest,
    write_manifest,
)
from robot.backup.platform_copy import PlatformCopy, copy_platform, pack_keys, read_keys, settle_copy
from robot.backup.retention import Retention, tidy
from robot.backup.sealing import fingerprint, seal
from robot.backup.shipment import Shipment
from robot.backup.store import Store, StoreError, StoreRefused
from robot.backup.wiki_copy import WikiSource, by_id, copy_wiki, kept_as_it_was
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, DatabaseError
from robot.git.process import GitFailed
from wikihost.errors import ContentError, StorageFull
from wikihost.layout import DataDir
from wikihost.transfer import held_directory

T = TypeVar("T")

_SCRATCH = "backup-"
_INTERRUPTED = "It was interrupted."
_KEYS_LEFT_OUT = (
    "Keys are left out, since backup_passphrase_file names no passphrase to seal them with: after a restore everybody "
    "has to sign in again."
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be copied, and where to. Without a `passphrase` keys are left out."""

    data: DataDir
    db: Database
    domain: str
    store: Store
    passphrase: str | None
    retention: Retention


class Witness(Protocol):
    """Whoever is told how a backup goes on."""

    def began(self, wikis: int) -> None:
        """So many wikis are to be copied."""

    def went_on(self, wikis: int, brought_bytes: int) -> None:
        """So many are, and so much was written."""

    def warn(self, sentence: str) -> None:
        """Something that the operator should know."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A finished backup, and how much of it is new at the destination."""

    manifest: Manifest
    brought_bytes: int
    removed: int


async def take_backup(order: Order, witness: Witness, *, clock: Clock = wall_clock) -> Taken:
    """Make a backup; blocks nobody who uses the host.

    A wiki that cannot be read does not keep the others from being copied; it stands in the manifest's `problems`.
    Raises `BackupRunning`, `StoreError`, `StorageFull`, `DatabaseError`, OSError; then there is no backup, and the next
    run removes what this one wrote.
    """
    with only_backup(order.data):
        began = clock()
        last = last_begun(order.db)
        run = new_run(began, None if last is None else last.id)
        begin_row(order.db, run, order.store.address, began)
        try:
            taken = await _Run(order, run, began, witness, clock).take()
        except BaseException as error:
            problem = str(error) if isinstance(error, Exception) else _INTERRUPTED
            with contextlib.suppress(DatabaseError):  # what failed first is what the operator should read
                fail_row(order.db, run, clock(), problem or type(error).__name__)
            raise
        finish_row(order.db, taken.manifest)
        return taken


class _Run:
    """The steps of one backup."""

    def __init__(self, order: Order, run: str, began: float, witness: Witness, clock: Clock) -> None:
        self._order = order
        self._run = run
        self._began = began
        self._witness = witness
        self._clock = clock
        self._thread = trio.CapacityLimiter(1)
        self._removed = 0

    async def take(self) -> Taken:
        before = await self._blocking(self._look)
        sizes = await self._blocking(self._sizes)
        shipment = Shipment(self._order.store, self._run, before, sizes)
        self._sweep()
        scratch = self._order.data.transfers / f"{_SCRATCH}{self._run}"
        with held_directory(scratch):
            manifest = await self._copy(scratch, shipment, before)
        await self._blocking(partial(write_manifest, self._order.store, manifest))
        try:
            await self._blocking(self._tidy)
        except StoreError as error:  # the backup is finished all the same
            self._witness.warn(f"Old backups were not removed: {error}")
        return Taken(manifest, shipment.brought_bytes, self._removed)

    def _sweep(self) -> None:
        """Remove what killed backups left in the data directory: there is no other one that lives."""
        for left in self._order.data.transfers.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)

    async def _copy(self, scratch: Path, shipment: Shipment, before: Manifest | None) -> Manifest:
        mark = self._clock()
        copied = await self._blocking(partial(copy_platform, self._order.data, scratch / "robot.db"))
        self._witness.began(len(copied.wikis))
        wikis, gone, problems = await self._copy_wikis(copied, scratch, shipment, before)
        rows = await self._blocking(partial(settle_copy, copied, gone=gone, run=self._run))
        robot_db = await self._blocking(partial(shipment.bring_compressed, "robot.db.gz", copied.path))
        sealed_keys, keys_fingerprint = await self._blocking(partial(self._bring_keys, shipment, list(wikis), before))
        manifest = Manifest(
            robot=version("robot"),
            schema_version=copied.schema,
            id=self._run,
            domain=self._order.domain,
            began_at=moment(int(self._began)),
            mark_at=moment(int(mark)),
            finished_at=moment(int(self._clock())),
            robot_db=robot_db,
            rows=rows,
            sealed_keys=sealed_keys,
            keys_fingerprint=keys_fingerprint,
            wikis=tuple(wikis.values()),
            files=shipment.files,
            problems=problems,
        )
        # Not what was brought of a wiki that then failed, or went.
        return manifest.model_copy(update={"files": {name: shipment.files[name] for name in manifest.needed()}})

    async def _copy_wikis(
        self, copied: PlatformCopy, scratch: Path, shipment: Shipment, before: Manifest | None
    ) -> tuple[Mapping[str, WikiCopy], list[str], Mapping[str, str]]:
        """The copies by wiki, the wikis that ended meanwhile, and what is wrong with which."""
        had = by_id(before.wikis) if before else {}
        copies: dict[str, WikiCopy] = {}
        gone: list[str] = []
        problems: dict[str, str] = {}
        for done, (wiki_id, slug) in enumerate(copied.wikis.items()):
            self._witness.went_on(done, shipment.brought_bytes)
            source = WikiSource(wiki_id, slug, self._order.data.wiki(wiki_id))
            try:
                copies[wiki_id] = await copy_wiki(source, scratch, shipment, had.get(wiki_id))
            except StorageFull:
                raise  # the disk that we work on, too
            except (ContentError, GitFailed) as error:
                if not source.home.root.exists() and self._has_ended(wiki_id):
                    gone.append(wiki_id)
                    continue
                problems[wiki_id] = f"The wiki {slug} ({wiki_id}) could not be copied: {error}"
                self._witness.warn(problems[wiki_id])
                old = kept_as_it_was(had[wiki_id], shipment) if wiki_id in had else None
                if old is not None:
                    copies[wiki_id] = old
        self._witness.went_on(len(copied.wikis), shipment.brought_bytes)
        return copies, gone, problems

    def _has_ended(self, wiki_id: str) -> bool:
        """Whether somebody deleted it for good; a directory that is missing else is a fault."""
        row = self._order.db.one("SELECT state, purge_at FROM wikis WHERE id = ?", (wiki_id,))
        return row is None or (row["state"] == "deleting" and row["purge_at"] is None)

    def _bring_keys(
        self, shipment: Shipment, wikis: list[str], before: Manifest | None
    ) -> tuple[str | None, str | None]:
        """The name of the sealed keys, and their fingerprint."""
        passphrase = self._order.passphrase
        if passphrase is None:
            self._witness.warn(_KEYS_LEFT_OUT)
            return None, None
        found = read_keys(self._order.data, wikis)
        if not found:
            return None, None
        keys = pack_keys(found)
        mark = fingerprint(keys, passphrase)
        if before and before.sealed_keys and before.keys_fingerprint == mark and shipment.has([before.sealed_keys]):
            shipment.keep([before.sealed_keys])
            return before.sealed_keys, mark
        return shipment.bring("keys.age", [seal(keys, passphrase)]), mark

    def _look(self) -> Manifest | None:
        """Find the backup that this one builds on, and clear the destination of what is not needed any more."""
        runs = list_backups(self._order.store)
        last = self._read_last(runs[-1]) if runs else None
        if last is not None and last.domain != self._order.domain:
            raise StoreRefused(
                f"{self._order.store.address} has backups of {last.domain}; each host needs a place of its own."
            )
        self._tidy()
        return last

    def _read_last(self, run: str) -> Manifest | None:
        try:
            return read_manifest(self._order.store, run)
        except NoManifest as error:
            self._witness.warn(f"{error} Everything is copied anew.")
            return None

    def _sizes(self) -> Mapping[str, int]:
        return {stored.name: stored.bytes for stored in self._order.store.list(RUNS)}

    def _tidy(self) -> None:
        own = own_runs(self._order.db, self._order.store.address)
        try:
            self._removed += tidy(self._order.store, self._order.domain, self._order.retention, own, self._clock())
        except NoManifest as error:
            self._witness.warn(f"{error} Old backups stay until that one is removed or mended.")

    async def _blocking(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._thread)
