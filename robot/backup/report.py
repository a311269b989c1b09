"""What a check of a backup proved, for an operator to file; and what became of a wiki that was taken in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from robot.address import PublicAddress
from robot.amounts import counted
from robot.backup.pieces import Source
from robot.backup.proving import Findings
from robot.backup.taking_in import TakenIn
from robot.logs import escaped


@dataclass(frozen=True, slots=True)
class By:
    """Which robot on which machine looked, when it was done (UTC), and how long that took."""

    robot: str
    machine: str
    when: datetime
    seconds: float


def print_out(source: Source, findings: Findings, by: By) -> str:
    """Lines of a title each and what was found, last the verdict; whatever the backup says, no terminal obeys it."""
    rows = [*_about(source, by), *_proved(source, findings)]
    lines = [f"{title:10} {text}" for title, text in rows]
    lines += [f"damaged    {each}" for each in findings.damage]
    lines += ["", _verdict(findings)]
    return "\n".join(map(escaped, lines))


def _about(source: Source, by: By) -> Iterator[tuple[str, str]]:
    manifest = source.manifest
    yield "backup", f"{manifest.id} at {source.store.address}"
    yield "of", f"{manifest.domain}, by robot {manifest.robot} (schema {manifest.schema_version})"
    yield "mark", f"{manifest.mark_at:%Y-%m-%d %H:%M:%S} UTC: every write that was acknowledged before is in it"
    yield "checked", f"{by.when:%Y-%m-%d %H:%M} UTC on {by.machine} by robot {by.robot}, in {by.seconds:,.1f} s"


def _proved(source: Source, findings: Findings) -> Iterator[tuple[str, str]]:
    manifest = source.manifest
    yield "files", f"{len(manifest.files):,} with {manifest.size_bytes:,} bytes, held against their SHA-256"
    yield "database", f"{findings.rows:,} rows in {findings.tables} tables: integrity, references and counts"
    yield "accounts", f"{findings.people:,}"
    yield "wikis", f"{findings.wikis:,} of {len(manifest.wikis):,} restored and sound"
    yield "", "heads, git fsck, preferences, and the catalog built anew"
    commits, pages = counted(findings.commits, "commit"), counted(findings.pages, "page")
    yield "", f"{commits}, {pages}, {counted(findings.files, 'file')} at their heads"
    yield "keys", _keys(source, findings)


def _keys(source: Source, findings: Findings) -> str:
    if findings.keys is not None:
        return f"{findings.keys:,}, opened with the passphrase"
    if source.manifest.sealed_keys is None:
        return "left out of this backup: everybody signs in again after a restore"
    return "there, and not opened: no passphrase was given"


def _verdict(findings: Findings) -> str:
    if findings.is_good:
        return "This backup can be restored."
    return f"This backup is damaged in {counted(len(findings.damage), 'place')}. Check the one before it: --at ID."


def of_taken_in(made: TakenIn, address: PublicAddress) -> str:
    """Where a wiki is that was restored or copied, who is in it, and what it lacks."""
    lines = [f"{made.wiki.name} is at {address.wiki_origin(made.wiki.slug)}, {made.wiki.visibility}."]
    lines += [f"  {role}: {user.name}" for user, role in made.members]
    lines += [f"  left out, {member.role} then: {member.name}" for member in made.left_out]
    if made.domain is not None:
        lines.append(f"It asks for its domain {made.domain} again: its owner has it checked under Settings, Domain.")
    lines.append("Tokens, connected agents and invitations did not come along; make new ones.")
    return "\n".join(map(escaped, lines))
