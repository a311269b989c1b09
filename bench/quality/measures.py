"""How good a ranking is, and how sure a difference. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
SEED = 20261126


def ndcg(found: Sequence[str], wanted: Collection[str], depth: int = 10) -> float:
    """Discounted gain at `depth` (binary relevance), of the best that is possible: 0 to 1."""
    gain = sum(1 / math.log2(rank + 2) for rank, page in enumerate(found[:depth]) if page in wanted)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(len(wanted), depth)))


def recall(found: Sequence[str], wanted: Collection[str], depth: int = 5) -> float:
    """The share of what is wanted among the first `depth`."""
    return len(set(found[:depth]) & set(wanted)) / len(wanted)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean difference, with the bounds between which 95 % of its resampled values lie."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def paired_bootstrap(sets: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Interval:
    """How much more the first of each pair has than the second, set by set; the mean over the sets.

    The questions of a set are drawn anew with replacement, its two values of one question together.
    """
    random = np.random.default_rng(SEED)
    differences = [np.subtract(ones, others) for ones, others in sets]
    drawn = [
        difference[random.integers(len(difference), size=(RESAMPLES, len(difference)))].mean(axis=1)
        for difference in differences
    ]
    low, high = np.percentile(np.mean(drawn, axis=0), (2.5, 97.5))
    return Interval(float(np.mean([difference.mean() for difference in differences])), float(low), float(high))
