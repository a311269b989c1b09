"""Copies of wikis that were taken down, which only the operator's passphrase opens.

A copy is a directory with the parts that a backup has of a wiki, each encrypted in the age format
(age-encryption.org/v1) to a key of its own, and that key sealed with the passphrase. The program `age` opens them
without robot: `age --decrypt --identity key.age commits.bundle.age > commits.bundle`. What stands open in `about.json`
says whose copy it is, who made it and why, and nothing of what is in the wiki.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import trio
from pydantic import BaseModel, ConfigDict

from robot.audit import OPERATOR, AuditAction, Doer, Entry, note
from robot.backup.directory import DirectoryStore
from robot.backup.manifest import StoredFile, WikiCopy, new_run
from robot.backup.sealing import CannotSeal, read_passphrase, seal
from robot.backup.shipment import Shipment
from robot.backup.store import StoreError
from robot.backup.wiki_copy import WikiSource, copy_wiki
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.git.process import GitFailed
from robot.model import Wiki
from wikihost.errors import ContentError
from wikihost.layout import DataDir
from wikihost.objects import sync
from wikihost.transfer import held_directory

FORMAT: Final = 1


class NotSealed(Exception):
    """No copy was kept; the message is a sentence that says why, and what to do."""


class About(BaseModel):
    """What stands open beside a sealed copy. `files` are the parts as they were before they were sealed."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    robot: str
    at: datetime
    by: str
    why: str
    wiki: str
    name: str
    copy_of: WikiCopy
    files: Mapping[str, StoredFile]


@dataclass(frozen=True, slots=True)
class SealedCopies:
    """Where they are kept, and who holds the passphrase; without a passphrase nothing can be sealed."""

    db: Database
    data: DataDir
    passphrase_file: Path | None
    clock: Clock = wall_clock

    async def keep(self, wiki: Wiki, *, by: Doer = OPERATOR) -> Path:
        """Keep a sealed copy of what the wiki is now; returns its directory. Raises `NotSealed`, `DatabaseError`."""
        if self.passphrase_file is None:
            raise NotSealed("No sealed copy was kept: set backup_passphrase_file to what is to open it, and try again.")
        run = new_run(self.clock())
        place, scratch = self.data.sealed / f"{wiki.slug}-{wiki.id}-{run}", self.data.transfers / f"sealed-{run}"
        try:
            passphrase = await trio.to_thread.run_sync(read_passphrase, self.passphrase_file)
            with held_directory(scratch):
                about = await self._copy(wiki, by, scratch, run)
                await trio.to_thread.run_sync(_seal, scratch, about, passphrase, place)
        except (CannotSeal, ContentError, GitFailed, StoreError, OSError, sqlite3.Error) as error:
            raise NotSealed(f"No sealed copy was kept: {error}") from error
        await note(self.db, Entry(AuditAction.WIKI_SEALED, by, wiki.id, place.name))
        return place

    def of(self, wiki: Wiki) -> list[str]:
        """The names of the copies of a wiki, the oldest first. Blocks."""
        return sorted(path.name for path in self.data.sealed.glob(f"*-{wiki.id}-*"))

    async def _copy(self, wiki: Wiki, by: Doer, scratch: Path, run: str) -> About:
        shipment = Shipment(DirectoryStore(scratch), run)
        copy = await copy_wiki(WikiSource(wiki.id, wiki.slug, self.data.wiki(wiki.id)), scratch, shipment)
        return About(
            robot=version("robot"),
            at=datetime.fromtimestamp(int(self.clock()), UTC),
            by=by.name,
            why=wiki.taken_down_why,
            wiki=wiki.id,
            name=wiki.name,
            copy_of=copy,
            files=shipment.files,
        )


def _seal(scratch: Path, about: About, passphrase: str, place: Path) -> None:
    """Encrypt each part into `place`, which appears whole and durable. Takes a second, and 128 MiB, for the key."""
    import pyrage  # noqa: PLC0415  (only who seals needs it)

    key, draft = pyrage.x25519.Identity.generate(), scratch / "sealed"
    draft.mkdir(mode=0o700)
    (draft / "key.age").write_bytes(seal(f"{key}\n".encode(), passphrase))
    (draft / "about.json").write_text(about.model_dump_json(indent=1), "utf-8")
    for name in about.files:
        try:
            pyrage.encrypt_file(str(scratch / name), str(draft / f"{Path(name).name}.age"), [key.to_public()])
        except pyrage.EncryptError as error:
            raise CannotSeal(f"{error}.") from error
    for file in draft.iterdir():
        file.chmod(0o600)
        sync(file)
    sync(draft)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    draft.rename(place)
    sync(place.parent)
