"""Where the files of a source go: what rewriting links needs to know. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placed:
    """`pages` by source file: the page's name in the wiki. `files` by source file: the repository path.

    `included` are the source files of pages that other pages show within themselves.
    """

    pages: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    included: frozenset[str] = frozenset()
