"""Two ranked lists as one: by words and by meaning, joined by their scores. Pure.

Each list's scores are stretched to 0..1 and added with weights. That finds more than either list, and more than joining
them by rank (RRF), which gives a weak list the same vote as a strong one; `docs/search.md` has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from wikihost import unspaced

NO_FLOOR = -2.0  # less than any cosine

# What a page is called in the lists: its name, or that after the number of its wiki.
Key = TypeVar("Key", str, tuple[int, str])

_IDENTIFIER = re.compile(r"\S*(?:[_./:#\\]\w|\w\d|\d\w|\w\(\))\S*|--?[a-z][\w-]+|[A-Z][A-Z0-9-]+|[a-z]+[A-Z]\S*")


@dataclass(frozen=True, slots=True)
class Weights:
    """What words count for, of 1, by what is looked for; the rest is what meaning counts for.

    A question is answered by meaning, a name or a code by its letters; a script without spaces between words is one
    that the usual models were not trained on. `candidates` pages of each list have a say. What no word led to is
    shown from a cosine of `floor` on: all pages are near to some degree, also to letters that mean nothing.
    """

    question: float = 0.4
    identifier: float = 0.65
    unspaced: float = 0.99
    candidates: int = 100
    floor: float = 0.33

    def of(self, text: str) -> float:
        """How much words count for this query: more for quotations, single words, and where half are identifiers.

        One identifier in a sentence says little: `GNU` and `X11` look like one, and the rest is a question still.
        """
        if unspaced.is_unspaced(text):
            return self.unspaced
        words = text.split()
        identifiers = sum(_IDENTIFIER.fullmatch(word.strip("?,;!")) is not None for word in words)
        if '"' in text or len(words) == 1 or 2 * identifiers >= len(words) > 0:
            return self.identifier
        return self.question


DEFAULT_WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class Fused(Generic[Key]):
    """A page with its score of 0..1, which is made of `by_words` and `by_meaning`, with their weights.

    `lexical` and `semantic` are what the lists said, None where a list did not have the page.
    """

    key: Key
    score: float
    by_words: float
    by_meaning: float
    lexical: float | None
    semantic: float | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Stretches the scores of one list: `worst` becomes 0 and `best` 1."""

    worst: float
    best: float

    def of(self, score: float | None) -> float:
        """0 for what is not on the list; 1 for all on it where there is no difference."""
        if score is None:
            return 0.0
        if self.best <= self.worst:
            return 1.0
        return min(max((score - self.worst) / (self.best - self.worst), 0.0), 1.0)


def scale_of_words(scores: Mapping[Key, float], most: int) -> Scale:
    """Of a list that ends before `most` pages: what is not on it has none of the words, and so a score of 0."""
    if not scores:
        return Scale(0.0, 0.0)
    return Scale(min(scores.values()) if len(scores) >= most else min(0.0, *scores.values()), max(scores.values()))


def scale_of_meaning(scores: Mapping[Key, float]) -> Scale:
    """All pages are near to some degree, so the last of the list is the measure."""
    return Scale(min(scores.values()), max(scores.values())) if scores else Scale(0.0, 0.0)


def fuse(
    lexical: Mapping[Key, float], semantic: Mapping[Key, float], weight: float, most: int, floor: float = NO_FLOOR
) -> list[Fused[Key]]:
    """Pages of both lists (score by key, higher is better), best first; `weight` is that of the lexical list.

    `most` is the length at which the lists were cut. Pages of the semantic list alone have `floor` there at least.
    """
    words, meaning = scale_of_words(lexical, most), scale_of_meaning(semantic)
    fused = []
    for key in {**lexical, **{key: score for key, score in semantic.items() if score >= floor}}:
        by_words, by_meaning = words.of(lexical.get(key)), meaning.of(semantic.get(key))
        score = weight * by_words + (1 - weight) * by_meaning
        fused.append(Fused(key, score, by_words, by_meaning, lexical.get(key), semantic.get(key)))
    return sorted(fused, key=lambda page: (-page.score, page.key))
