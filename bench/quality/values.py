"""A collection of pages, and questions whose answers are places in them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Half = Literal["tuning", "test"]

# A question with more right answers than this asks for nothing in particular.
MAX_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a page, counted from 1; 0 is the page as a whole."""

    page: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody types, and the places that answer it."""

    text: str
    answers: frozenset[Place]

    @property
    def pages(self) -> frozenset[str]:
        return frozenset(place.page for place in self.answers)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions of one kind. `removed` says what was taken out of the pages because a question says it.

    With `asks_names` they are names of things, which vectors are known to be bad at.
    """

    name: str
    kind: str
    removed: str
    language: str
    questions: Sequence[Question]
    asks_names: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """The pages of a wiki (text by name), and sets of questions about them."""

    name: str
    pages: Mapping[str, str]
    sets: Sequence[QuestionSet]


def half_of(page: str) -> Half:
    """Which half a page's questions belong to, the same in every run and for every set."""
    return "test" if order_of(page) % 2 else "tuning"


def order_of(text: str) -> int:
    """A number that looks like chance and is the same in every run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def in_chance_order(texts: Iterable[str]) -> list[str]:
    """The texts in an order that is the same in every run and says nothing about them."""
    return sorted(texts, key=lambda text: (order_of(text), text))


def merged(asked: Iterable[Question]) -> list[Question]:
    """Each text once, with the answers of all who ask it; none whose answers lie in both halves, or are too many."""
    answers: dict[str, frozenset[Place]] = {}
    for question in asked:
        answers[question.text] = answers.get(question.text, frozenset()) | question.answers
    questions = [Question(text, places) for text, places in sorted(answers.items())]
    return [
        question
        for question in questions
        if len(question.answers) <= MAX_ANSWERS and len({half_of(page) for page in question.pages}) == 1
    ]


def part(questions: Iterable[Question], half: Half, most: int) -> list[Question]:
    """The questions of one half, `most` of them."""
    by_text = {question.text: question for question in questions if half_of(min(question.pages)) == half}
    return [by_text[text] for text in in_chance_order(by_text)[:most]]
