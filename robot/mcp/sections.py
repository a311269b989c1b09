"""Finding a section of a page by its heading (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wikihost.markdown import Heading, headings, split_frontmatter

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
    total = len(text.splitlines())
    return _nested(list(headings(body)), total - len(body.splitlines()), total)


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


def _nested(found: Sequence[Heading], offset: int, total: int) -> list[Section]:
    """One pass: a heading of the same or a higher level ends every section that is open below it."""
    ends = [total] * len(found)
    paths = []
    above: list[int] = []
    for position, heading in enumerate(found):
        while above and found[above[-1]].level >= heading.level:
            ends[above.pop()] = heading.line + offset
        above.append(position)
        paths.append(tuple(found[each].title for each in above))
    return [Section(path, heading.line + offset, end) for path, heading, end in zip(paths, found, ends, strict=True)]
