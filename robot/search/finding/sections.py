"""Which of a page's passages answers best, what of it to show, and under which heading that stands. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from robot.search.chunk import PATH_HEADINGS
from robot.search.finding.fusion import Scale
from robot.search.values import BETWEEN_HEADINGS
from wikihost.keyword_syntax import KeywordQuery
from wikihost.passage_places import PagePassage, SectionHeading

# Of a page with more passages only so many are compared.
MOST_COMPARED = 12
# A word under the heading is worth one in the text, a word in the heading one and this.
_HEADING_COUNTS = 0.5
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_SAME_BEGINNING = 5  # characters in which two words agree that are taken for forms of one


def worth_comparing(
    passages: Sequence[PagePassage], query: KeywordQuery, near: Collection[int]
) -> Sequence[PagePassage]:
    """Those of a page's passages that are near (by ordinal) or seem to have words; all where none is or has any."""
    beginnings = {term.text.casefold()[:_SAME_BEGINNING] for term in query.wanted}
    having = {each.ordinal: _number_of(beginnings, each) for each in passages}
    chosen = [each for each in passages if each.ordinal in near or having[each.ordinal]]
    by_likelihood = sorted(chosen or passages, key=lambda each: (each.ordinal not in near, -having[each.ordinal]))
    return by_likelihood[:MOST_COMPARED]


def worth_by_words(
    in_text: Sequence[Collection[int]], in_heading: Sequence[Collection[int]], count: int, total: int
) -> list[float]:
    """For each of `count` passages of a page how much of the page's telling words it has, 0 to 1.

    `in_text` and `in_heading` have for each word the passages with it. A word counts for more the fewer of the page's
    `total` passages have it; those that are not among the `count` have none.
    """
    worth = [0.0] * count
    for having, headed in zip(in_text, in_heading, strict=True):
        everywhere = set(having) | set(headed)
        tells = math.log(1 + total / len(everywhere)) if everywhere else 0.0
        for number in everywhere:
            worth[number] += tells * (1 + _HEADING_COUNTS * (number in headed))
    most = max(worth, default=0.0)
    return [each / most for each in worth] if most else worth


def best_first(
    passages: Sequence[PagePassage], worth: Sequence[float], cosines: Mapping[bytes, float], weight: float, scale: Scale
) -> list[PagePassage]:
    """A page's passages in the order in which they are shown: by words, which count for `weight`, and by meaning."""

    def rank(number: int) -> tuple[float, float, int]:
        cosine = cosines.get(passages[number].hash)
        score = weight * worth[number] + (1 - weight) * scale.of(cosine)
        return -score, -(cosine or 0.0), passages[number].ordinal

    return [passages[number] for number in sorted(range(len(passages)), key=rank)]


def fitting_place(text: str, question: str) -> int:
    """Where the sentence begins that has the most words with the beginnings of the question's; 0 where none has any."""
    sought = {word[:_SAME_BEGINNING] for word in _words(question) if len(word) >= _SAME_BEGINNING - 1}
    best, most, start = 0, 0, 0
    for end in [*(match.end() for match in _SENTENCE.finditer(text)), len(text)]:
        found = len(sought & {word[:_SAME_BEGINNING] for word in _words(text[start:end])})
        if found > most:
            best, most = start, found
        start = end
    return best


def heading_at(passage: PagePassage, headings: Sequence[SectionHeading], place: int) -> tuple[str, str, str]:
    """The heading above a place (or around it) in a passage, which may be of several sections: title, id and path."""
    own = next((number for number, each in enumerate(headings) if each.anchor == passage.anchor), -1)
    at = own
    further = (_plain(each.title) for each in headings[own + 1 :])
    sought = next(further, "")
    end = passage.text.find("\n", place)
    for line in passage.text[: end if end >= 0 else None].split("\n"):
        if sought and _plain(line) == sought:
            at += 1
            sought = next(further, "")
    if at == own:
        return passage.section, passage.anchor, passage.section_path
    return headings[at].title, headings[at].anchor, path_of(headings, at)


def path_of(headings: Sequence[SectionHeading], number: int) -> str:
    """The headings that a heading stands under, and itself, as passages show them."""
    trail: list[SectionHeading] = []
    for heading in headings[: number + 1]:
        trail = [above for above in trail if above.level < heading.level] + [heading]
    return BETWEEN_HEADINGS.join(heading.title for heading in trail[:PATH_HEADINGS])


def _number_of(beginnings: Collection[str], passage: PagePassage) -> int:
    readable = f"{passage.section}\n{passage.text}".casefold()
    return sum(beginning in readable for beginning in beginnings)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
