"""What other weights of words and meaning, and other floors of meaning, would be worth, on the tuning halves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bench.quality.measures import ndcg
from bench.quality.product import Asked
from bench.quality.values import Question
from robot.search.finding.fusion import DEFAULT_WEIGHTS, NO_FLOOR, fuse

WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
FLOORS = (NO_FLOOR, 0.2, 0.25, 0.3, 0.33, 0.35, 0.4)


@dataclass(frozen=True, slots=True)
class Lists:
    """What each way of searching found for a question: scores by page."""

    question: Question
    words: Mapping[str, float]
    meaning: Mapping[str, float]

    def ndcg(self, weight: float, floor: float = NO_FLOOR) -> float:
        """What both together would be worth if words counted for `weight` of 1, and meaning alone from `floor` on."""
        joined = fuse(self.words, self.meaning, weight, DEFAULT_WEIGHTS.candidates, floor)
        return ndcg([page.key for page in joined], self.question.pages)


async def both_lists(wiki: Asked, questions: Sequence[Question]) -> list[Lists]:
    """Both lists for each question, as long as those that are joined."""
    return [
        Lists(question, await wiki.scores(question, "keyword"), await wiki.scores(question, "semantic"))
        for question in questions
    ]


def grid(sets: Mapping[str, Sequence[Lists]]) -> str:
    """nDCG@10 by the weight of words, a table for each kind of query that has its own; and by the floor, of all."""
    kinds = {
        "questions": DEFAULT_WEIGHTS.question,
        "identifiers, quotations, single words": DEFAULT_WEIGHTS.identifier,
        "scripts without spaces": DEFAULT_WEIGHTS.unspaced,
    }
    tables = [
        _table(title, {name: _weighed_so(lists, weight) for name, lists in sets.items()})
        for title, weight in kinds.items()
    ]
    return "\n\n".join([*tables, _by_floor([each for lists in sets.values() for each in lists])])


def _by_floor(lists: Sequence[Lists]) -> str:
    weights = [DEFAULT_WEIGHTS.of(each.question.text) for each in lists]
    values = [mean(map(Lists.ndcg, lists, weights, [floor] * len(lists))) for floor in FLOORS]
    names = ["no floor", *map(str, FLOORS[1:])]
    return "\n".join([_head("floor", names), _row("**all questions**", len(lists), values)])


def _weighed_so(lists: Sequence[Lists], weight: float) -> list[Lists]:
    return [each for each in lists if DEFAULT_WEIGHTS.of(each.question.text) == weight]


def _table(title: str, sets: Mapping[str, Sequence[Lists]]) -> str:
    lines = [_head(title, list(map(str, WEIGHTS)))]
    rows = []
    for name, lists in sets.items():
        if lists:
            rows.append([mean(each.ndcg(weight) for each in lists) for weight in WEIGHTS])
            lines.append(_row(name, len(lists), rows[-1]))
    if rows:
        means = [mean(column) for column in zip(*rows, strict=True)]
        lines.append(_row("**mean**", sum(map(len, sets.values())), means))
    return "\n".join(lines)


def _head(title: str, names: Sequence[str]) -> str:
    return f"| {title} | questions | {' | '.join(names)} |\n{'|---' * (len(names) + 2)}|"


def _row(name: str, count: int, values: Sequence[float]) -> str:
    return f"| {name} | {count} | {' | '.join(f'{value:.3f}' for value in values)} |"
