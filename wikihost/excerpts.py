"""From a text with marks around what was found to the few lines that show it best. Pure.

The marks are two control characters that no catalogued text contains.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

BEGIN, END = "\x02", "\x03"
_MARKED = re.compile(f"{BEGIN}([^{END}]*){END}")
_CHARS = 220  # of the text shown
_CHARS_BEFORE = 60  # of them before the first mark
_MARKS_LOOKED_AT = 1_000
_ELLIPSIS = "…"
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32)], " ")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text on one line. `highlights` are ranges in it (from, to), counted in characters.

    `start` is where the first of them stands in the whole text, None where nothing was marked.
    """

    text: str
    highlights: tuple[tuple[int, int], ...]
    start: int | None


def without_controls(text: str) -> str:
    """The text, as long as before, with spaces in place of control characters, marks among them."""
    return text.translate(_CONTROLS)


def excerpt(marked: str, start: int = 0, *, is_cut: bool = False) -> Excerpt:
    """The part with the most different marked words, the first of several; else the beginning.

    `marked` may itself be a part of a text: from the character `start` on, and cut at its end.
    """
    marks = list(islice(_MARKED.finditer(marked), _MARKS_LOOKED_AT))
    if not marks:
        return Excerpt(*_flat(_window(marked, 0, start > 0, is_cut)), None)
    best = _densest(marks)
    earliest = marks[best - 1].end() if best else 0
    begin = _word_start(marked, max(earliest, marks[best].start() - _CHARS_BEFORE), marks[best].start())
    window = _window(marked, begin, start + begin > 0, is_cut)
    # Two marks stand before each marked word, and are no part of the text.
    return Excerpt(*_flat(window), start + marks[best].start() - 2 * best)


def fragments(shown: Excerpt) -> list[tuple[str, bool]]:
    """The excerpt's text in pieces, each with whether it is highlighted."""
    pieces = []
    position = 0
    for begin, end in shown.highlights:
        pieces += [(shown.text[position:begin], False), (shown.text[begin:end], True)]
        position = end
    return [piece for piece in [*pieces, (shown.text[position:], False)] if piece[0]]


def _densest(marks: Sequence[re.Match[str]]) -> int:
    """The number of the mark with the most different words in the characters that would be shown from there."""
    inside: Counter[str] = Counter()
    best, most, end = 0, 0, 0
    for number, mark in enumerate(marks):
        while end < len(marks) and marks[end].end() <= mark.start() + _CHARS - _CHARS_BEFORE:
            inside[marks[end][1].casefold()[:_CHARS]] += 1
            end += 1
        if len(inside) > most:
            best, most = number, len(inside)
        if end > number:
            word = mark[1].casefold()[:_CHARS]
            inside[word] -= 1
            if not inside[word]:
                del inside[word]
        end = max(end, number + 1)
    return best


def _word_start(text: str, begin: int, latest: int) -> int:
    """The first beginning of a word from `begin` on, so that none is shown cut."""
    if begin == 0 or text[begin - 1].isspace():
        return begin
    space = re.compile(r"\s+").search(text, begin, latest)
    return space.end() if space else begin


def _window(marked: str, begin: int, is_cut_before: bool, is_cut_after: bool) -> str:
    end = min(begin + _CHARS, len(marked))
    if end < len(marked):
        space = max(marked.rfind(" ", begin, end), marked.rfind("\n", begin, end))
        end = space if space > begin + _CHARS // 2 else end
    window = marked[begin:end]
    if window.count(BEGIN) > window.count(END):
        window += END
    more = is_cut_after or end < len(marked)
    return f"{_ELLIPSIS if is_cut_before else ''}{window}{_ELLIPSIS if more else ''}"


def _flat(window: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The window on one line without marks, and where they were."""
    text = ""
    highlights = []
    for number, piece in enumerate(re.split(f"[{BEGIN}{END}]", " ".join(window.split()))):
        if number % 2 and piece:
            highlights.append((len(text), len(text) + len(piece)))
        text += piece
    return text, tuple(highlights)
