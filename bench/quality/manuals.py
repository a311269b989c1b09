"""Manual pages as a wiki: asked for by their one-liners, by what their options do, and by names of options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.quality.documents import (
    Option,
    PageText,
    Section,
    first_sentence,
    is_chinese,
    manual_sections,
    one_liner,
    plain,
    rendered_manual,
)
from bench.quality.values import Collection, Place, Question, QuestionSet, in_chance_order, merged

MANUALS = Path("/usr/share/man")
SECTIONS = "1578"

# Pages of one program's family (`git-…`), lest it be most of the collection.
MOST_OF_A_FAMILY = 4
SHORTEST_CHARACTERS, LONGEST_CHARACTERS = 400, 12_000
SHORTEST_SENTENCE_WORDS = 6

_LONG_OPTION = re.compile(r"(?:-\w, )?(--[\w-]{5,})")


def english_manuals(most: int) -> Collection | None:
    """Three sets of questions about one wiki."""
    pages: dict[str, str] = {}
    one_liners, described, named = list[Question](), list[Question](), list[Question]()
    for name, sections in _manuals(MANUALS, most):
        one_liners.append(Question(one_liner(sections[0]), frozenset({Place(name)})))
        text = PageText()
        for section in sections[1:]:
            text.add(f"{'#' * section.level} {section.heading}")
            for block in section.blocks:
                if isinstance(block, str):
                    text.add(plain(block))
                else:
                    _add_option(text, name, block, described, named)
        pages[name] = str(text)
    sets = (
        QuestionSet("man", "one line about a program → its manual page", "the NAME section", "en", merged(one_liners)),
        QuestionSet("options", "what an option does → where it is described", "that sentence", "en", merged(described)),
        QuestionSet(
            "flags", "an option's name → where it is described", "nothing", "en", merged(named), asks_names=True
        ),
    )
    return Collection("manuals", pages, sets) if pages else None


def _add_option(text: PageText, page: str, option: Option, described: list[Question], named: list[Question]) -> None:
    said, rest = first_sentence(option.description)
    asks = min(len(said.split()), len(rest.split())) >= SHORTEST_SENTENCE_WORDS
    line = text.add(f"* `{option.tag}`: {rest if asks else option.description}")
    place = frozenset({Place(page, line)})
    if asks:
        described.append(Question(said, place))
    if name := _LONG_OPTION.match(option.tag):
        named.append(Question(name[1], place))


def translated_manuals(folder: str, language: str, most: int) -> Collection | None:
    """Manual pages in another language, asked for by their one-liners."""
    pages: dict[str, str] = {}
    asked = []
    for name, sections in _manuals(MANUALS / folder, most, is_chinese if language == "zh" else str.strip):
        asked.append(Question(one_liner(sections[0]), frozenset({Place(name)})))
        text = PageText()
        for section in sections[1:]:
            text.add(f"{'#' * section.level} {section.heading}")
            for block in section.blocks:
                text.add(plain(block) if isinstance(block, str) else f"* `{block.tag}`: {block.description}")
        pages[name] = str(text)
    kind = "one line about a program → its manual page"
    questions = QuestionSet(f"man-{language}", kind, "the NAME section", language, merged(asked))
    return Collection(f"manuals-{language}", pages, (questions,)) if pages else None


def _manuals(root: Path, most: int, wanted: Callable[[str], object] = str.strip) -> Iterator[tuple[str, list[Section]]]:
    """Names and sections of `most` manual pages of which one line says what they are about, `wanted` by it."""
    files = {
        f"Man{section}/{file.name.removesuffix('.gz').rpartition('.')[0]}": file
        for section in SECTIONS
        for file in (root / f"man{section}").glob("*.gz")
    }
    families = Counter[str]()
    for name in in_chance_order(files):
        family = re.split(r"[-_.:]", name)[0]
        if families[family] == MOST_OF_A_FAMILY or files[name].is_symlink():
            continue
        sections = manual_sections(rendered_manual(files[name]))
        length = sum(section.characters for section in sections)
        if (
            not wanted(one_liner(sections[0]) if sections else "")
            or not SHORTEST_CHARACTERS < length < LONGEST_CHARACTERS
        ):
            continue
        families[family] += 1
        yield name, sections
        if families.total() == most:
            return
