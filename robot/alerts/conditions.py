"""What is wrong with the host, of what is known of it (pure).

Each condition has a name by which it is told from the others, and at most one alert. A limit is not the same in both
directions: what stands already ends only when it is well past its limit, so that nothing is told over and over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from robot.alerts.message import Alert, one_line
from robot.search.values import Backlog

HOUR_S = 3600.0
MIB = 1024 * 1024

ROOM_TO_SPARE = 1.25
"""So much more than the limit must be free before the disk counts as mended."""

ZYGOTE_FAILURES = 3
INDEX_BEHIND_S = 6 * HOUR_S
INDEX_STILL_S = HOUR_S / 2
UNCLEAN_S = HOUR_S
"""How long the host must have run before an end that was not in order is over."""

PATIENCE_S = {"index": HOUR_S}
"""How long some alerts must have cause before they begin: a model that is downloaded fails until it is there."""

_NAMED = 5


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """`age_s` is how old the state is that the last good one has, None without one.

    `needed_s` is for how long there has been something to back up. `problem` is what the newest failed for, if it did.
    """

    age_s: float | None
    needed_s: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """How the host is at the moment `now`. Wikis are named by their addresses."""

    now: float
    disk_free: int
    backups: BackupFacts
    backlog: Backlog = field(default_factory=Backlog)
    broken_wikis: Sequence[str] = ()
    zygote_failures: int = 0
    looping_parts: Sequence[str] = ()
    missing_parts: Sequence[str] = ()
    unclean_ends: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on something is wrong; 0 is never."""

    disk_free: int
    backup_age_s: float


def find_alerts(facts: Facts, bounds: Bounds, standing: Collection[str]) -> list[Alert]:
    """Everything that is wrong now. `standing` are the names of the alerts that stand."""
    room = bounds.disk_free * (ROOM_TO_SPARE if "disk" in standing else 1.0)
    found = (
        _disk(facts.disk_free, room),
        _backup(facts.backups, bounds.backup_age_s),
        _workers(facts.broken_wikis),
        _zygote(facts.zygote_failures),
        _parts(facts.looping_parts, facts.missing_parts),
        _core([at for at in facts.unclean_ends if abs(facts.now - at) < UNCLEAN_S]),
        _index(facts.backlog),
    )
    return [Alert(alert.name, one_line(alert.sentence), alert.remedy) for alert in found if alert is not None]


def _disk(free: int, room: float) -> Alert | None:
    if free >= room:
        return None
    return Alert(
        "disk",
        f"Only {free // MIB:,} MiB are free on the disk of the data directory.",
        "Make room before saves fail: old backups, logs, deleted wikis (`robot wiki list`), or a larger disk.",
    )


def _backup(backups: BackupFacts, oldest_s: float) -> Alert | None:
    remedy = "Look at `journalctl -u robot-backup`, then run `robot backup` by hand."
    if not oldest_s:
        return None
    if backups.problem:
        return Alert("backup", f"The last backup failed: {backups.problem.rstrip('.')}.", remedy)
    if backups.age_s is None and backups.needed_s > oldest_s:
        return Alert("backup", "There is no backup of this host.", "Set one up: docs/operations.md, Backup.")
    if backups.age_s is not None and backups.age_s > oldest_s:
        return Alert("backup", f"The last good backup is {int(backups.age_s // HOUR_S)} hours old.", remedy)
    return None


def _workers(broken_wikis: Sequence[str]) -> Alert | None:
    if not broken_wikis:
        return None
    one = len(broken_wikis) == 1
    return Alert(
        "workers",
        f"{'A wiki does' if one else f'{len(broken_wikis)} wikis do'} not wake: {_listed(broken_wikis)}.",
        "The page Administration and the log say why. Agents read and write there all the same.",
    )


def _zygote(failures: int) -> Alert | None:
    if failures < ZYGOTE_FAILURES:
        return None
    return Alert(
        "zygote",
        "The process that starts the workers of wikis ends again and again, so no wiki wakes.",
        "Look at `journalctl -u robot -p warning`; after an upgrade, go back to the version before.",
    )


def _parts(looping: Sequence[str], missing: Sequence[str]) -> Alert | None:
    if not looping and not missing:
        return None
    said = [f"fail again and again: {_listed(looping)}"] if looping else []
    said += [f"are not running any more: {_listed(missing)}"] if missing else []
    return Alert(
        "parts",
        f"Parts of robot {'; others '.join(said)}.",
        "Look at `journalctl -u robot -p warning`, and restart robot when it suits.",
    )


def _core(unclean_ends: Sequence[float]) -> Alert | None:
    if not unclean_ends:
        return None
    times = "once" if len(unclean_ends) == 1 else f"{len(unclean_ends)} times"
    return Alert(
        "core",
        f"robot ended {times} in the last hour without being told to, and was started again.",
        "Look at `journalctl -u robot` before the last start; the kernel's log says if memory ran out.",
    )


def _index(backlog: Backlog) -> Alert | None:
    if backlog.failing:
        wikis = "a wiki" if backlog.failing == 1 else f"{backlog.failing} wikis"
        sentence = f"The search index of {wikis} cannot be built."
    elif backlog.still_s > INDEX_STILL_S:
        sentence = "Search indexes have work to do, and none of it is done."
    elif backlog.oldest_s > INDEX_BEHIND_S:
        sentence = f"A search index has been behind for {int(backlog.oldest_s // HOUR_S)} hours."
    else:
        return None
    return Alert("index", sentence, "Words are still found. `robot check` and `robot reindex SLUG` say what is wrong.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
