"""Finding a section of a page by its heading, and what the text is with another section in its place (pure)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from robot.mcp.failures import ToolFailed
from robot.mcp.render import DATA_NOTICE, one_line
from wikihost.headings import UNDERLINE, headings
from wikihost.markdown import split_frontmatter

PATH_SEPARATOR = " > "
MAX_CHOICES = 50


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


def one_section(text: str, wanted: str) -> Section:
    """The section that `wanted` means. Raises ToolFailed with the choices when that is none, or several."""
    sections = sections_of(text)
    found = matching(sections, wanted)
    if len(found) == 1:
        return found[0]
    asked = repr(one_line(wanted))
    choices = list(dict.fromkeys(section.name for section in found or sections))
    shown = "\n".join([DATA_NOTICE, *(f"- {one_line(name)}" for name in choices[:MAX_CHOICES])])
    if len(found) > 1 and len(choices) == 1:
        raise ToolFailed(f"{len(found)} sections have the path {asked}; use read_note and edit_note on the whole page.")
    if found:
        raise ToolFailed(f"Several sections match {asked}; give the whole path of one of them:\n{shown}")
    if not choices:
        raise ToolFailed(f"Section not found: {asked}. The page has no sections; leave section out.")
    raise ToolFailed(f"Section not found: {asked}. Available sections:\n{shown}")


def with_section(text: str, wanted: str, new: str) -> str:
    """The text with another one in a section's place; the heading stays unless `new` begins with one.

    Raises ToolFailed.
    """
    lines, section = text.splitlines(keepends=True), one_section(text, wanted)
    old = "".join(lines[section.start : section.end])
    body = new if _begins_with_heading(new) else _before(old, new) + new
    put = _ended(body, _blank_end(old))
    return "".join(lines[: section.start]) + _with_line_ends(put, text) + "".join(lines[section.end :])


def with_appended(text: str, added: str, wanted: str = "") -> str:
    """The text with `added` on a new line at its end, or at the end of a section. Raises ToolFailed."""
    lines = text.splitlines(keepends=True)
    end = one_section(text, wanted).end if wanted else len(lines)
    before = "".join(lines[:end])
    blank = _blank_end(before) if end < len(lines) else ""
    kept = before.removesuffix(blank)
    joint = "" if not kept or kept.endswith(("\n", "\r")) else "\n"
    put = _ended(joint + added, blank)
    return kept + _with_line_ends(put, text) + "".join(lines[end:])


def _ended(text: str, blank: str) -> str:
    """The text as one that others may follow: it ends its last line, and the blank lines come after it."""
    return text.rstrip("\r\n") + "\n" + blank


def _blank_end(text: str) -> str:
    """The blank lines that a text ends with."""
    lines = text.splitlines(keepends=True)
    while lines and not lines[-1].strip():
        lines.pop()
    return text[sum(map(len, lines)) :]


def _begins_with_heading(text: str) -> bool:
    found = headings(text)
    return bool(found) and not text[: found[0].start].strip() and not found[0].is_nested


def _before(section: str, new: str) -> str:
    """A section's heading, which has two lines or more where it has an underline, and the blank lines after it."""
    lines = section.splitlines(keepends=True)
    count = 1
    if not lines[0].lstrip().startswith("#"):
        count += next((at for at, line in enumerate(lines[1:], 1) if UNDERLINE.fullmatch(line.rstrip("\r\n"))), 0)
    while count < len(lines) and not lines[count].strip() and not new.startswith(("\n", "\r")):
        count += 1
    heading = "".join(lines[:count])
    return heading if heading.endswith(("\n", "\r")) else heading + "\n"


def _with_line_ends(put: str, text: str) -> str:
    """With the line ends that the page has."""
    return re.sub(r"\r?\n", "\r\n", put) if "\r\n" in text else put


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
