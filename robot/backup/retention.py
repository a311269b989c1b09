"""Which backups are kept, and what of a destination may go.

Two rules stand above what an operator sets: a file that a kept backup needs stays, whichever run wrote it, and the last
good backup stays, however old it is. What is not known to be ours is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from robot.backup.manifest import MANIFESTS, RUNS, Manifest, list_backups, manifest_name, read_manifest, run_of
from robot.backup.store import Store


@dataclass(frozen=True, slots=True)
class Retention:
    """Kept are all backups of the last `days`, and the newest `last` whatever their age."""

    days: int
    last: int


@dataclass(slots=True)
class Keeping:
    """Looks at backups from the newest to the oldest and decides about each (pure)."""

    retention: Retention
    now: float
    _kept: int = field(default=0, init=False)
    _has_good: bool = field(default=False, init=False)

    def keeps(self, began: datetime, *, is_good: bool) -> bool:
        """Whether the next older backup is kept."""
        young = began > datetime.fromtimestamp(self.now, UTC) - timedelta(days=self.retention.days)
        keeps = young or self._kept < self.retention.last or (is_good and not self._has_good)
        self._kept += keeps
        self._has_good |= keeps and is_good
        return keeps


@dataclass(slots=True)
class _Sorted:
    """`needed` are files of kept backups, `expired` the backups that are kept no longer."""

    needed: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    expired: list[str] = field(default_factory=list)


def tidy(store: Store, domain: str, retention: Retention, own: Set[str], now: float) -> int:
    """Remove backups whose time is over, and what interrupted runs left; how many backups were removed.

    `own` are runs that this host began there; backups of the same `domain` are its own as well. Raises `StoreError`,
    and `NoManifest` where one backup cannot be read: what it needs is not known then, so nothing is removed.
    """
    found = _sort(store, domain, retention, now)
    for run in found.expired:
        store.delete(manifest_name(run))
    ended = {*found.expired, *own} - found.kept
    there = [stored.name for folder in (RUNS, MANIFESTS) for stored in store.list(folder)]
    for name in there:
        if run_of(name) in ended and name not in found.needed:
            store.delete(name)
    return len(found.expired)


def _sort(store: Store, domain: str, retention: Retention, now: float) -> _Sorted:
    found = _Sorted()
    keeping = Keeping(retention, now)
    for manifest in _newest_first(store):
        ours = manifest.domain == domain
        if not ours or keeping.keeps(manifest.began_at, is_good=not manifest.problems):
            found.kept.add(manifest.id)
            found.needed |= manifest.needed()
        else:
            found.expired.append(manifest.id)
    return found


def _newest_first(store: Store) -> Iterator[Manifest]:
    for run in reversed(list_backups(store)):
        yield read_manifest(store, run)
