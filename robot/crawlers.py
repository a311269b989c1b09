"""Who crawls: programs that fetch page after page for a search engine, a model or a list, by what they call themselves.

They come from many addresses, so no limit by network holds them; but nearly all of them say who they are, and heed a
429. The list is that of the package `crawler-user-agents`. What it calls a library of HTTP is somebody's script here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

_LIBRARY = "http-library"
# Nothing that names itself honestly is longer; what is kept in memory of the rest would be a stranger's to decide.
_READ_CHARS = 400
_TOGETHER = 25
# For those too new to be listed. Cubot makes telephones, whose browsers say so.
_UNLISTED = re.compile(r"(?<!\bcu)bot\b|crawler|spider", re.IGNORECASE)


def crawler_of(user_agent: str) -> str:
    """The name under which a crawler is counted; "" for whatever else. A fifth of a millisecond, the first time."""
    return _crawler_of(user_agent[:_READ_CHARS])


@lru_cache(4_096)
def _crawler_of(read: str) -> str:
    for several, patterns in read_list():
        if several.search(read):
            return next(pattern for pattern in patterns if re.search(pattern, read))
    return "unlisted" if _UNLISTED.search(read) else ""


@cache
def read_list() -> Sequence[tuple[re.Pattern[str], Sequence[str]]]:
    """All that are listed, some at a time: one look finds most who are none of them. Takes 30 ms, the first time."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415  (reads half a megabyte)

    listed = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA if _LIBRARY not in entry["tags"]]
    together = [listed[at : at + _TOGETHER] for at in range(0, len(listed), _TOGETHER)]
    return [(re.compile("|".join(patterns)), patterns) for patterns in together]
