"""The questions that hybrid search loses on, to be looked at by eye."""

from __future__ import annotations

from collections.abc import Sequence

from bench.quality.judging import SetResult


def losers(results: Sequence[SetResult], most: int) -> str:
    """The questions of which the better of words and meaning makes most more than both together, worst first."""
    lost = []
    for result in results:
        words, meaning, both = (result.modes[mode] for mode in ("keyword", "semantic", "hybrid"))
        for index, question in enumerate(result.questions):
            loss = max(words.ndcg[index], meaning.ndcg[index]) - both.ndcg[index]
            if loss > 0:
                values = f"{words.ndcg[index]:.2f} {meaning.ndcg[index]:.2f} {both.ndcg[index]:.2f}"
                wanted = ", ".join(sorted(question.pages))
                found = ", ".join(both.answers[index].pages[:3])
                lost.append((loss, f"{result.set.name}: {question.text}\n    {values}  wanted {wanted}; first {found}"))
    return "\n".join(line for _, line in sorted(lost, key=lambda entry: (-entry[0], entry[1]))[:most])
