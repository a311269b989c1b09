"""What a backup says of itself: one JSON file, written last. What has no manifest is no backup.

A destination holds, by names that are relative to it:

    manifests/<run>.json                       a finished backup
    runs/<run>/robot.db.gz                     the platform's database
    runs/<run>/keys.age                        a tar of `keys/…` and `wikis/<wiki id>/session.key`, sealed (`sealing`)
    runs/<run>/wikis/<wiki id>/commits.bundle  commits of one wiki, for `git bundle`
    runs/<run>/wikis/<wiki id>/wiki.db.gz      its preferences and drafts

`<run>` is the id of the run that wrote a file. A manifest refers to files of earlier runs for whatever did not change
since, so a file may only go when no manifest refers to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from robot.backup.store import NotStored, Store
from robot.secret import new_id

FORMAT: Final = 1
"""Raised whenever an older robot would restore wrongly what a newer one wrote."""

MANIFESTS: Final = "manifests/"
RUNS: Final = "runs/"
_RUN = re.compile(r"\d{8}T\d{9}Z-[a-z2-7]{16}")
_DIGEST: Final = "sha256"
_MAX_MANIFEST_BYTES = 256 * 1024 * 1024


class NoManifest(Exception):
    """There is no such backup, or none that this robot can read; the message is a sentence that says why."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredFile(_Frozen):
    """A file at the destination, as it lies there. `sha256` in hex digits."""

    bytes: int
    sha256: str


class WikiCopy(_Frozen):
    """One wiki in a backup.

    `refs` are all its references with their commits at the moment of the copy, and `branch` names the one that is the
    wiki. `bundles` are fetched in that order into an empty repository; then the references are set, and none other.
    `commits` and `files` count what `branch` has: the commits behind it, and the files in its last. `wiki_db` is a
    gzipped SQLite database, and absent where the wiki never had one. `slug` is None for one that was deleted with its
    address given up.
    """

    id: str
    slug: str | None
    branch: str
    refs: Mapping[str, str]
    bundles: tuple[str, ...]
    commits: int
    files: int
    wiki_db: str | None

    @property
    def head(self) -> str | None:
        """The commit that the wiki is at; None for a repository without commits."""
        return self.refs.get(self.branch)

    @property
    def names(self) -> tuple[str, ...]:
        """What of the destination it needs."""
        return (*self.bundles, *([self.wiki_db] if self.wiki_db else []))


class Manifest(_Frozen):
    """One finished backup.

    `robot` is the version that made it, `schema_version` that of the platform's database, whose gzipped copy is
    `robot_db` and has `rows` (table to number of rows). Every write that was acknowledged before `mark_at` is in it.
    Times are UTC. `sealed_keys` is absent where keys were left out; `keys_fingerprint` tells the next run whether they
    are the same keys under the same passphrase, and nobody anything about either. `files` has every file that it needs,
    by name. `problems` says, by wiki id, which wikis could not be copied: of those it has what the backup before had,
    if it had anything.
    """

    format: int = FORMAT
    robot: str
    schema_version: int
    id: str
    domain: str
    began_at: datetime
    mark_at: datetime
    finished_at: datetime
    robot_db: str
    rows: Mapping[str, int]
    sealed_keys: str | None
    keys_fingerprint: str | None = None
    wikis: tuple[WikiCopy, ...]
    files: Mapping[str, StoredFile]
    problems: Mapping[str, str] = {}

    @property
    def size_bytes(self) -> int:
        """How much all that it needs takes at the destination, shared files as well."""
        return sum(file.bytes for file in self.files.values())

    def needed(self) -> Set[str]:
        """The names of all files without which it cannot be restored."""
        names = {name for wiki in self.wikis for name in wiki.names}
        return names | {self.robot_db, *([self.sealed_keys] if self.sealed_keys else [])}


def new_run(now: float, last: str | None = None) -> str:
    """An id for a run that begins `now` (epoch seconds).

    Ids sort by time, and after `last` even when the clock was put back since.
    """
    began = datetime.fromtimestamp(now, UTC)
    if last is not None:
        began = max(began, _time_of(last) + timedelta(milliseconds=1))
    return f"{began:%Y%m%dT%H%M%S}{began.microsecond // 1000:03}Z-{new_id('b').partition('_')[2]}"


def _time_of(run: str) -> datetime:
    return datetime.strptime(f"{run.partition('Z')[0]}000", "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def run_of(name: str) -> str | None:
    """The run that wrote the file of that name, or began to; None for a file that is none of ours."""
    for folder in (MANIFESTS, RUNS):
        if name.startswith(folder):
            run = re.split("[/.]", name.removeprefix(folder), maxsplit=1)[0]
            return run if _RUN.fullmatch(run) else None
    return None


def manifest_name(run: str) -> str:
    return f"{MANIFESTS}{run}.json"


def list_backups(store: Store) -> list[str]:
    """The ids of finished backups, the oldest first. Raises `StoreError`."""
    names = (stored.name for stored in store.list(MANIFESTS))
    return sorted(run for name in names if (run := run_of(name)) and name == manifest_name(run))


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Make a backup a finished one. Raises `StoreError`; then it is none."""
    missing = manifest.needed() - manifest.files.keys()
    if missing:
        raise AssertionError(f"the manifest does not say what these are: {sorted(missing)}")
    said = manifest.model_dump(mode="json")
    store.put(manifest_name(manifest.id), [json.dumps({**said, _DIGEST: _digest(said)}, indent=1).encode()])


def read_manifest(store: Store, run: str) -> Manifest:
    """The manifest of a finished backup. Raises `NoManifest`, `StoreError`."""
    where = f"The backup {run} at {store.address}"
    text = bytearray()
    try:
        for piece in store.get(manifest_name(run)):
            text += piece
            if len(text) > _MAX_MANIFEST_BYTES:
                raise NoManifest(f"{where} has a manifest that is too long to be one of robot.")
    except NotStored:
        raise NoManifest(f"{where} is not there, or was not finished.") from None
    return parse_manifest(bytes(text), where)


def parse_manifest(text: bytes, where: str) -> Manifest:
    """The manifest in a text; `where` begins the sentence of `NoManifest`."""
    try:
        found = _Format.model_validate_json(text).format
        if found > FORMAT:
            raise NoManifest(
                f"{where} was made by a newer robot (format {found}; this one knows formats up to {FORMAT}); "
                "use that newer robot."
            )
        said = json.loads(text)
        if said.pop(_DIGEST, "") != _digest(said):
            raise NoManifest(f"{where} has a manifest that is damaged: something in it was changed.")
        manifest = Manifest.model_validate(said)
    except ValidationError as error:
        raise NoManifest(f"{where} has a manifest that is damaged, or none of robot.") from error
    if not manifest.needed() <= manifest.files.keys():
        raise NoManifest(f"{where} has a manifest that does not fit together; use another backup.")
    return manifest


def _digest(said: Mapping[str, object]) -> str:
    """SHA-256 of all that a manifest says, however it is spelled: the files have theirs in it, and this is its own."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class _Format(_Frozen):
    format: int
