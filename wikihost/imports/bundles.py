"""The head of a git bundle: which branches it has, and where its pack begins. Format: gitformat-bundle(5). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wikihost.imports.values import ImportRefused

MAX_HEAD_BYTES = 256 * 1024
SIGNATURES = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_LINE = re.compile(r"([0-9a-f]{40}) (\S.*)")
_FIRST = ("HEAD", "refs/heads/main", "refs/heads/master")


@dataclass(frozen=True, slots=True)
class BundleHead:
    """`tip` is the commit to take; the pack begins at `length`."""

    tip: str
    length: int


def parse_bundle(start: bytes) -> BundleHead:
    """Read a bundle's first bytes. Raises `ImportRefused` when it is none, or no whole repository."""
    if not start.startswith(SIGNATURES):
        raise ImportRefused("This is not a git bundle.")
    head, end, _ = start.partition(b"\n\n")
    if not end:
        raise ImportRefused("This git bundle has too many branches, or is cut off.")
    refs: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n")[1:]:
        if line.startswith("-"):
            raise ImportRefused(
                "This bundle holds the end of a history only; make one of the whole branch: git bundle create FILE main"
            )
        if line.startswith("@"):
            if line != "@object-format=sha1":
                raise ImportRefused(f"This bundle is of a kind that is not read here ({line[1:41]}).")
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ImportRefused("This git bundle is damaged.")
        refs[match[2]] = match[1]
    return BundleHead(_tip(refs), len(head) + 2)


def _tip(refs: Mapping[str, str]) -> str:
    branches = sorted(name for name in refs if name.startswith("refs/heads/"))
    name = next((name for name in (*_FIRST, *branches) if name in refs), None)
    if name is None:
        raise ImportRefused("This git bundle has no branch.")
    return refs[name]
