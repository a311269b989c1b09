"""A host with wikis to copy, and what its backups give back, as git and SQLite themselves see it."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from robot.backup.directory import DirectoryStore
from robot.backup.journal import BackupRow, last_begun
from robot.backup.manifest import Manifest, WikiCopy, list_backups, read_manifest
from robot.backup.retention import Retention
from robot.backup.store import Store
from robot.backup.taking import Order, Taken, take_backup
from robot.clock import Clock, wall_clock
from robot.model import Wiki
from tests.robot.small_host import ADDRESS, SmallHost
from tests.wikihost.wikis import ADA
from wikihost.layout import WikiHome
from wikihost.writer import Writer

RETENTION = Retention(30, 7)
PASSPHRASE = "a long sentence that nobody guesses"


@dataclass
class Heard:
    """A `Witness` that keeps what it is told."""

    warnings: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def began(self, wikis: int) -> None:
        self.steps.append(wikis)

    def went_on(self, wikis: int, brought_bytes: int) -> None:
        self.steps.append(wikis)

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)


@dataclass
class BackupStage:
    """Where backups are made from, and to: `root` unless a test names another store."""

    host: SmallHost
    root: Path
    heard: Heard = field(default_factory=Heard)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.root)

    async def take(
        self,
        *,
        store: Store | None = None,
        passphrase: str | None = None,
        retention: Retention = RETENTION,
        clock: Clock = wall_clock,
    ) -> Taken:
        order = Order(
            data=self.host.data,
            db=self.host.db,
            domain=ADDRESS.domain,
            store=store or self.store,
            passphrase=passphrase,
            retention=retention,
        )
        return await take_backup(order, self.heard, clock=clock)

    def home(self, wiki: Wiki) -> WikiHome:
        return self.host.data.wiki(wiki.id)

    def save(self, wiki: Wiki, name: str, text: str | bytes) -> str:
        writer = Writer(self.home(wiki))
        data = text.encode() if isinstance(text, str) else text
        try:
            return writer.commit({name: data}, author=ADA, message=f"Change {name}").head
        finally:
            writer.close()

    def last_row(self) -> BackupRow:
        row = last_begun(self.host.db)
        assert row is not None
        return row

    def manifests(self) -> list[Manifest]:
        return [read_manifest(self.store, run) for run in list_backups(self.store)]


def copy_of(manifest: Manifest, wiki: Wiki) -> WikiCopy:
    (found,) = [copy for copy in manifest.wikis if copy.id == wiki.id]
    return found


def fetch(store: Store, manifest: Manifest, name: str) -> bytes:
    """A file of a backup, which is as the manifest says."""
    data = b"".join(store.get(name))
    said = manifest.files[name]
    assert (len(data), hashlib.sha256(data).hexdigest()) == (said.bytes, said.sha256)
    return data


def put_together(store: Store, manifest: Manifest, wiki: Wiki, place: Path) -> Path:
    """A repository made of a backup by git alone, without fault, its references as the manifest has them."""
    copied = copy_of(manifest, wiki)
    run("git", "init", "--quiet", "--bare", str(place))
    for number, name in enumerate(copied.bundles):
        bundle = place / f"{number}.bundle"
        bundle.write_bytes(fetch(store, manifest, name))
        run("git", "-C", str(place), "bundle", "unbundle", str(bundle))
    for name, oid in copied.refs.items():
        run("git", "-C", str(place), "update-ref", name, oid)
    run("git", "-C", str(place), "symbolic-ref", "HEAD", copied.branch)
    assert run("git", "-C", str(place), "fsck", "--strict", "--no-dangling") == ""
    return place


def database_of(store: Store, manifest: Manifest, name: str, place: Path) -> Path:
    """A database of a backup, unpacked; SQLite finds no fault with it."""
    place.write_bytes(gzip.decompress(fetch(store, manifest, name)))
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return place


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout.strip()
