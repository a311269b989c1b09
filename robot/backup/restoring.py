"""A host made of a backup, in an empty directory; and one wiki's home made of its part in a backup."""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robot.backup.manifest import WikiCopy
from robot.backup.pieces import BackupDamaged, Pieces, Source
from robot.backup.sealing import unseal
from robot.datadir import being_restored
from robot.migrate import check_version
from wikihost.layout import DataDir, WikiHome
from wikihost.objects import sync
from wikihost.quota import MIB
from wikihost.restoring import CopyDamaged, KeptWiki, restore_wiki

# What is in a backup is packed; less than this is surely too little.
GROWTH = 2
_SPARE_BYTES = 64 * MIB
_KEY_FILE = re.compile(r"keys/([A-Za-z0-9][A-Za-z0-9._-]*)")
_SESSION_KEY = re.compile(r"wikis/([^/]+)/session\.key")

Progress = Callable[[int, int], None]
"""Told how many of how many wikis are done."""


class NoRoom(Exception):
    """The disk has too little room for what is to be restored there; nothing was."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What was sealed: files of `keys/` by name, and by the wiki's id what signs the notices of its pages."""

    host: Mapping[str, bytes]
    wikis: Mapping[str, bytes]


def restore_host(source: Source, data: DataDir, passphrase: str | None, progress: Progress) -> Keys | None:
    """Restore a whole host into the empty directory `data`; which keys came along, None for none.

    They do when the backup has them and a passphrase is given. Else robot makes new ones at its start. Raises
    `BackupDamaged`, `CannotSeal`, `NoRoom`, `DataDirError`, `SchemaTooNew`, `StoreError`, `ContentError`, OSError;
    then the directory is as empty as before.
    """
    manifest = source.manifest
    with being_restored(data):
        refuse_too_little_room(data.root, manifest.size_bytes)
        keys = open_keys(source, passphrase)
        for folder in (data.keys, data.wikis):
            folder.mkdir(mode=0o700, exist_ok=True)
        for done, copy in enumerate(manifest.wikis):
            progress(done, len(manifest.wikis))
            restore_copy(source.pieces, copy, data.wiki(copy.id), scratch=data.transfers)
        shutil.rmtree(data.transfers, ignore_errors=True)
        if keys is not None:
            _write_keys(keys, data)
        take_database(source, data.robot_db)
        progress(len(manifest.wikis), len(manifest.wikis))
    return keys


def restore_copy(pieces: Pieces, copy: WikiCopy, home: WikiHome, *, scratch: Path) -> None:
    """Make the wiki at `home` of its part in a backup.

    Raises `BackupDamaged`, `StoreError`, `ContentError`, OSError.
    """
    with taken(pieces, copy, scratch) as kept, naming_the_wiki(copy):
        restore_wiki(home, kept)


@contextmanager
def taken(pieces: Pieces, copy: WikiCopy, scratch: Path) -> Iterator[KeptWiki]:
    """A wiki's part in a backup, on this disk until the block ends. Raises `BackupDamaged`, `StoreError`, OSError."""
    folder = scratch / f"restore-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        bundles = [folder / name.replace("/", "_") for name in copy.bundles]
        for name, place in zip(copy.bundles, bundles, strict=True):
            pieces.take(name, place)
        files = {}
        if copy.wiki_db is not None:
            files["wiki.db"] = folder / "wiki.db"
            pieces.take_unpacked(copy.wiki_db, files["wiki.db"])
        yield KeptWiki(copy.branch, copy.refs, bundles, files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def naming_the_wiki(copy: WikiCopy) -> Iterator[None]:
    """Turn what is wrong with a wiki's copy into `BackupDamaged`, which says whose it is."""
    try:
        yield
    except CopyDamaged as error:
        raise BackupDamaged(f"wiki {copy.slug or copy.id} ({copy.id})", str(error)) from error


def take_database(source: Source, place: Path) -> None:
    """Write the platform's database, durable and readable by this user only.

    Raises `BackupDamaged`, `SchemaTooNew`, `NotOurDatabase`, `StoreError`, OSError.
    """
    source.pieces.take_unpacked(source.manifest.robot_db, place)
    place.chmod(0o600)
    sync(place)
    try:
        check_version(place)
    except sqlite3.Error as error:
        raise BackupDamaged(source.manifest.robot_db, f"is no sound database: {error}") from error


def open_keys(source: Source, passphrase: str | None) -> Keys | None:
    """The keys that the backup has, None for none or without a passphrase.

    Raises `BackupDamaged`, `CannotSeal`, `StoreError`.
    """
    name = source.manifest.sealed_keys
    if name is None or passphrase is None:
        return None
    tar = unseal(b"".join(source.pieces.read(name)), passphrase)
    host, wikis = {}, {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is None:
                    continue
                if match := _KEY_FILE.fullmatch(member.name):
                    host[match[1]] = file.read()
                elif match := _SESSION_KEY.fullmatch(member.name):
                    wikis[match[1]] = file.read()
    except tarfile.TarError as error:
        raise BackupDamaged(name, f"cannot be unpacked: {error}") from error
    return Keys(host, wikis)


def refuse_too_little_room(place: Path, packed_bytes: int) -> None:
    """Raise `NoRoom` when so much of a backup surely does not fit there."""
    needed, free = GROWTH * packed_bytes + _SPARE_BYTES, shutil.disk_usage(place).free
    if free < needed:
        raise NoRoom(
            f"The disk of {place} has {free / MIB:,.0f} MiB free, and at least {needed / MIB:,.0f} MiB are needed; make"
            " room there, or name another directory with --to."
        )


def _write_keys(keys: Keys, data: DataDir) -> None:
    files = {data.keys / name: key for name, key in keys.host.items()}
    for wiki_id, key in keys.wikis.items():
        home = data.wiki(wiki_id)
        if home.root.is_dir():
            files[home.session_key] = key
    for place, key in files.items():
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
        sync(place)
        sync(place.parent)
