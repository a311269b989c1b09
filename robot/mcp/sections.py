"""Finding a section of a page by its heading (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from wikihost.headings import headings
from wikihost.markdown import split_frontmatter

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with all below it, subsections included: lines `start` to `end` of the text, `end` not included."""

    path: tuple[str, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        return PATH_SEPARATOR.join(self.path)


def sections_of(text: str) -> list[Section]:
    """All sections in the order of their headings; lines count as `str.splitlines` does."""
    _, body = split_frontmatter(text)
    starts = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))
    before = len(text) - len(body)
    found = [
        (heading.level, heading.title, bisect_left(starts, before + heading.start))
        for heading in headings(body)
        if not heading.is_nested
    ]
    return _nested(found, len(starts) - 1)


def matching(sections: Sequence[Section], wanted: str) -> list[Section]:
    """The sections that `wanted` may mean: a heading or the last parts of a path, whatever the case.

    A whole path wins over the same words at the end of a longer one.
    """
    parts = _comparable(wanted.split(PATH_SEPARATOR.strip()))
    ends = [section for section in sections if _comparable(section.path)[-len(parts) :] == parts]
    whole = [section for section in ends if len(section.path) == len(parts)]
    return whole if len(whole) == 1 else ends


def _comparable(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip().casefold() for part in path)


def _nested(found: Sequence[tuple[int, str, int]], total: int) -> list[Section]:
    """From level, title and line of each heading: one of the same or a higher level ends all that is open below it."""
    ends = [total] * len(found)
    paths = []
    above: list[int] = []
    for position, (level, _, line) in enumerate(found):
        while above and found[above[-1]][0] >= level:
            ends[above.pop()] = line
        above.append(position)
        paths.append(tuple(found[each][1] for each in above))
    return [Section(path, line, end) for path, (_, _, line), end in zip(paths, found, ends, strict=True)]
