"""How much a wiki may hold, and whether a change fits: pages, and the bytes of all files, both at the head.

What only history still has does not count, so deleting helps. The quota is a file beside the wiki's repository, which
each writer reads under the lock for each commit: a change of it holds at once, in every process.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from wikihost.errors import QuotaExceeded, StorageFailed

MIB = 1024 * 1024
NEARLY = 0.9  # of a quota, from when on people are told


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that a wiki may hold."""

    pages: int = 5_000
    size_bytes: int = 200 * MIB


@dataclass(frozen=True, slots=True)
class Usage:
    """What a wiki holds at a commit: pages, and the bytes of all files (texts and attachments)."""

    pages: int
    size_bytes: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.pages + other.pages, self.size_bytes + other.size_bytes)


def check_fit(before: Usage, after: Usage, quota: Quota) -> None:
    """Raise `QuotaExceeded` for a change that grows beyond the quota; what does not grow is always let through."""
    sentence = _too_many_pages(before, after, quota) or _too_many_bytes(before, after, quota)
    if sentence:
        raise QuotaExceeded(
            sentence,
            pages=after.pages,
            size_bytes=after.size_bytes,
            quota_pages=quota.pages,
            quota_bytes=quota.size_bytes,
        )


def how_full(usage: Usage, quota: Quota) -> str:
    """`over quota`, `full` or `nearly full` in either respect, the worse of both; else nothing."""
    pairs = ((usage.pages, quota.pages), (usage.size_bytes, quota.size_bytes))
    if any(used > most for used, most in pairs):
        return "over quota"
    if any(used == most for used, most in pairs):
        return "full"
    return "nearly full" if any(used >= NEARLY * most for used, most in pairs) else ""


def _too_many_pages(before: Usage, after: Usage, quota: Quota) -> str:
    if after.pages <= max(before.pages, quota.pages):
        return ""
    return (
        f"With this the wiki would have {after.pages:,} pages, and it may have {quota.pages:,}: remove pages that"
        " nobody needs, or ask the operator of this host for a larger quota."
    )


def _too_many_bytes(before: Usage, after: Usage, quota: Quota) -> str:
    if after.size_bytes <= max(before.size_bytes, quota.size_bytes):
        return ""
    grown, free = after.size_bytes - before.size_bytes, max(quota.size_bytes - before.size_bytes, 0)
    return (
        f"This needs {grown:,} bytes more, and of the wiki's {quota.size_bytes / MIB:,.10g} MiB only {free:,} bytes are"
        " free: remove attachments and pages that nobody needs, or ask the operator of this host for a larger quota."
    )


def read_quota(place: Path) -> Quota:
    """The quota in the file `place`, the usual one where there is none. Raises `StorageFailed`."""
    try:
        found = json.loads(place.read_bytes())
        return Quota(int(found["pages"]), int(found["size_bytes"]))
    except FileNotFoundError:
        return Quota()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageFailed("The wiki's quota cannot be read; ask the operator to set it again.") from error


def says(place: Path, quota: Quota) -> bool:
    """Whether the file `place` is just what `write_quota` makes of it; a fraction of the cost of reading it."""
    try:
        return place.read_bytes() == _spelled(quota)
    except OSError:
        return False


def write_quota(place: Path, quota: Quota) -> None:
    """Put the quota into the file `place`, whole or not at all. OSError when the disk refuses."""
    fresh = place.with_name(f"{place.name}.new")
    with fresh.open("wb") as file:
        file.write(_spelled(quota))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)


def _spelled(quota: Quota) -> bytes:
    return json.dumps(asdict(quota)).encode()
