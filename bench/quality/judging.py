"""Each question asked in each way, and what the answers are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bench.quality.measures import Interval, ndcg, paired_bootstrap, recall
from bench.quality.product import Answer, Asked
from bench.quality.values import Question, QuestionSet
from robot.search.values import FindMode

MODES: tuple[FindMode, ...] = ("keyword", "semantic", "hybrid")


@dataclass(frozen=True, slots=True)
class Judged:
    """One set in one mode: nDCG@10, recall@5, and whether the first is the right place, question by question."""

    answers: Sequence[Answer]
    ndcg: Sequence[float]
    recall: Sequence[float]
    place: Sequence[float]

    def __str__(self) -> str:
        return f"{mean(self.ndcg):.3f} / {mean(self.recall):.3f}"


@dataclass(frozen=True, slots=True)
class SetResult:
    """The questions of one half of a set about a wiki of so many pages, in all modes."""

    set: QuestionSet
    pages: int
    questions: Sequence[Question]
    modes: Mapping[FindMode, Judged]

    def gain(self, over: FindMode) -> Interval:
        """nDCG@10 of hybrid search less that of another way."""
        return gain([self], over)


def gain(results: Sequence[SetResult], over: FindMode) -> Interval:
    """The mean over the sets of what hybrid search has more, in nDCG@10, than another way."""
    return paired_bootstrap([(result.modes["hybrid"].ndcg, result.modes[over].ndcg) for result in results])


def macro(results: Sequence[SetResult], mode: FindMode) -> str:
    """nDCG@10 / recall@5 in one mode, the mean over the sets."""
    judged = [result.modes[mode] for result in results]
    return f"{mean(mean(each.ndcg) for each in judged):.3f} / {mean(mean(each.recall) for each in judged):.3f}"


def judge(questions: Sequence[Question], answers: Sequence[Answer]) -> Judged:
    """What the answers to the questions are worth."""
    pairs = list(zip(questions, answers, strict=True))
    return Judged(
        answers,
        [ndcg(answer.pages, question.pages) for question, answer in pairs],
        [recall(answer.pages, question.pages) for question, answer in pairs],
        [float(answer.is_first_place) for answer in answers],
    )


async def ask_all(wiki: Asked, questions: Sequence[Question], modes: Sequence[FindMode]) -> dict[FindMode, Judged]:
    """Ask all questions in these modes, one after another."""
    return {mode: judge(questions, [await wiki.ask(question, mode) for question in questions]) for mode in modes}
