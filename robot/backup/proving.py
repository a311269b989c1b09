"""Whether a backup can be restored: by restoring it, a wiki at a time, and looking at all that came out.

Nothing is left afterwards, and no more disk is needed than for the platform's database and the largest wiki.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from robot.backup.live_database import count_rows
from robot.backup.manifest import Manifest, WikiCopy
from robot.backup.pieces import BackupDamaged, Source
from robot.backup.platform_copy import wikis_to_come_back
from robot.backup.restoring import (
    Progress,
    naming_the_wiki,
    open_keys,
    refuse_too_little_room,
    restore_copy,
    take_database,
)
from robot.backup.sealing import CannotSeal
from robot.backup.store import StoreError
from robot.migrate import NotOurDatabase, SchemaTooNew
from wikihost.errors import StorageFailed
from wikihost.layout import WikiHome
from wikihost.restoring import CopyDamaged, Proved, prove_database, prove_wiki


@dataclass
class Findings:
    """What a check found: `damage` names each piece that is wrong, and what is wrong with it."""

    damage: list[str] = field(default_factory=list)
    rows: int = 0
    tables: int = 0
    people: int = 0
    keys: int | None = None
    wikis: int = 0
    commits: int = 0
    pages: int = 0
    files: int = 0

    @property
    def is_good(self) -> bool:
        return not self.damage

    def add(self, proved: Proved) -> None:
        """Count a wiki with which nothing is wrong."""
        self.wikis += 1
        self.commits += proved.commits
        self.pages += proved.pages
        self.files += proved.files


def prove(source: Source, scratch: Path, passphrase: str | None, progress: Progress) -> Findings:
    """Restore all of a backup below the empty directory `scratch`, and say what is wrong with it.

    Whatever is wrong with one piece, the others are looked at. Raises `NoRoom`, OSError, and the `StorageFull` of
    `scratch`.
    """
    manifest, findings = source.manifest, Findings()
    largest = max((source.pieces.bytes_of(copy) for copy in manifest.wikis), default=0)
    refuse_too_little_room(scratch, manifest.files[manifest.robot_db].bytes + largest)
    findings.damage += manifest.problems.values()
    findings.damage += _prove_platform(source, scratch / "robot.db", findings)
    findings.damage += _prove_keys(source, passphrase, findings)
    for done, copy in enumerate(manifest.wikis):
        progress(done, len(manifest.wikis))
        findings.damage += _prove_copy(source, copy, scratch, findings)
    progress(len(manifest.wikis), len(manifest.wikis))
    return findings


def _prove_platform(source: Source, place: Path, findings: Findings) -> Iterator[str]:
    manifest = source.manifest
    try:
        take_database(source, place)
        prove_database(place)
        with closing(sqlite3.connect(place)) as db:
            rows = count_rows(db)
            findings.tables, findings.rows, findings.people = len(rows), sum(rows.values()), rows.get("users", 0)
            yield from _differing_rows(manifest.rows, rows)
            yield from _differing_wikis(manifest, wikis_to_come_back(db))
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version != manifest.schema_version:
                yield f"{manifest.robot_db}: has schema {version}, and the manifest says {manifest.schema_version}"
    except (BackupDamaged, StoreError) as error:
        yield str(error)
    except (CopyDamaged, NotOurDatabase, SchemaTooNew, sqlite3.Error) as error:
        yield f"{manifest.robot_db}: {error}"


def _differing_rows(said: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    for table in sorted(said.keys() | found.keys()):
        if said.get(table) != found.get(table):
            yield f"robot.db: table {table} has {found.get(table)} rows, and the manifest says {said.get(table)}"


def _differing_wikis(manifest: Manifest, rows: Mapping[str, str | None]) -> Iterator[str]:
    slugs = {copy.id: copy.slug for copy in manifest.wikis}
    for wiki_id in sorted(rows.keys() - slugs.keys() - manifest.problems.keys()):
        yield f"wiki {rows[wiki_id]} ({wiki_id}): is in robot.db, and the backup has no copy of it"
    for wiki_id in sorted(slugs.keys() & rows.keys()):
        if slugs[wiki_id] != rows[wiki_id]:
            yield f"wiki {rows[wiki_id]} ({wiki_id}): the manifest has it at another address, {slugs[wiki_id]}"


def _prove_keys(source: Source, passphrase: str | None, findings: Findings) -> Iterator[str]:
    name = source.manifest.sealed_keys
    try:
        keys = open_keys(source, passphrase)
        if keys is not None:
            findings.keys = len(keys.host) + len(keys.wikis)
        elif name is not None:
            for _ in source.pieces.read(name):
                pass
    except (BackupDamaged, StoreError) as error:
        yield str(error)
    except CannotSeal as error:
        yield f"{name}: {error}"


def _prove_copy(source: Source, copy: WikiCopy, scratch: Path, findings: Findings) -> Iterator[str]:
    home = WikiHome(scratch / "wikis" / "checked")
    try:
        restore_copy(source.pieces, copy, home, scratch=scratch)
        with naming_the_wiki(copy):
            proved = prove_wiki(home)
            if (proved.commits, proved.files) != (copy.commits, copy.files):
                raise CopyDamaged(
                    f"has {proved.commits} commits and {proved.files} files, and the manifest says {copy.commits} and"
                    f" {copy.files}"
                )
        findings.add(proved)
    except (BackupDamaged, StoreError) as error:
        yield str(error)
    except StorageFailed as error:
        yield f"wiki {copy.slug or copy.id} ({copy.id}): {error}"
    finally:
        shutil.rmtree(home.root, ignore_errors=True)
