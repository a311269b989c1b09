"""Two ranked lists as one: by words and by meaning, joined by their scores. Pure.

Each list's scores are stretched to 0..1 and added with weights. On seven sets of questions that found more than either
list, and more than joining them by rank (RRF), which gives a weak list the same vote as a strong one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What is looked for decides: a question is answered by meaning, a name or a code by its letters.
LEXICAL_WEIGHT = 0.4
LEXICAL_WEIGHT_OF_IDENTIFIERS = 0.65

_IDENTIFIER = re.compile(r"\S*(?:[_./:#\\]\w|\w\d|\d\w|\w\(\))\S*|[A-Z][A-Z0-9-]+|[a-z]+[A-Z]\S*")


@dataclass(frozen=True, slots=True)
class Fused:
    """A page with its score of 0..1, and what it was made of: None where a list did not have the page."""

    path: str
    score: float
    lexical: float | None
    semantic: float | None


def lexical_weight(text: str) -> float:
    """How much words count for this question: more for identifiers, quotations and single words."""
    words = text.split()
    quoted = '"' in text
    if quoted or len(words) == 1 or any(_IDENTIFIER.fullmatch(word.strip("?,;!")) for word in words):
        return LEXICAL_WEIGHT_OF_IDENTIFIERS
    return LEXICAL_WEIGHT


def fuse(lexical: Mapping[str, float], semantic: Mapping[str, float], weight: float) -> list[Fused]:
    """Pages of both lists (score by path, higher is better), best first; `weight` is that of the lexical list."""
    by_words, by_meaning = _stretched(lexical), _stretched(semantic)
    fused = [
        Fused(
            path,
            weight * by_words.get(path, 0.0) + (1 - weight) * by_meaning.get(path, 0.0),
            lexical.get(path),
            semantic.get(path),
        )
        for path in by_words | by_meaning
    ]
    return sorted(fused, key=lambda page: (-page.score, page.path))


def _stretched(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores between 0, which the worst has, and 1; all 1 where there is no difference."""
    if not scores:
        return {}
    worst, best = min(scores.values()), max(scores.values())
    if best == worst:
        return dict.fromkeys(scores, 1.0)
    return {path: (score - worst) / (best - worst) for path, score in scores.items()}
