"""What is printed and written down."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from bench.quality.judging import MODES, SetResult, gain, macro
from robot.search.values import FindMode

# nDCG@10 that hybrid search is to have more than search by meaning alone, on average over the sets.
TARGET = 0.03


def table(results: Sequence[SetResult]) -> str:
    """A row for each set and for the means."""
    lines = [
        "| set | language | pages | questions | words | meaning | both | both − meaning | both − words |"
        " right place first: words / meaning / both |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        cells = [result.set.name, result.set.language, str(result.pages), str(len(result.questions))]
        cells += [str(result.modes[mode]) for mode in MODES]
        cells += [_gain([result], "semantic"), _gain([result], "keyword")]
        cells.append(" / ".join(f"{mean(result.modes[mode].place):.2f}" for mode in MODES))
        lines.append(f"| {' | '.join(cells)} |")
    means = {
        "mean of the English sets": _english(results),
        "of those that ask no names": [result for result in _english(results) if not result.set.asks_names],
        "mean of all sets": results,
    }
    for name, chosen in means.items():
        if chosen:
            lines.append(_mean_row(name, chosen))
    return "\n".join(lines)


def _mean_row(name: str, results: Sequence[SetResult]) -> str:
    places = " / ".join(f"{mean(mean(result.modes[mode].place) for result in results):.2f}" for mode in MODES)
    questions = sum(len(result.questions) for result in results)
    cells = [f"**{name}**", "", "", str(questions), *(macro(results, mode) for mode in MODES)]
    cells += [_gain(results, "semantic"), _gain(results, "keyword"), places]
    return f"| {' | '.join(cells)} |"


def _gain(results: Sequence[SetResult], over: FindMode) -> str:
    interval = gain(results, over)
    return f"**{interval}**" if interval.high < 0 else str(interval)


def _english(results: Sequence[SetResult]) -> list[SetResult]:
    return [result for result in results if result.set.language == "en"]


def verdict(results: Sequence[SetResult]) -> tuple[bool, str]:
    """Whether the target is met on the English sets and nothing lost on any, with a sentence."""
    more = gain(_english(results) or results, "semantic")
    worse = [result.set.name for result in results if result.gain("semantic").high < 0]
    kept = more.mean >= TARGET and not worse
    losses = f"significantly worse on {', '.join(worse)}" if worse else "significantly worse on no set"
    return kept, f"Both − meaning alone, English sets: {more} (target ≥ +{TARGET}); {losses}."


def report(head: Sequence[str], results: Sequence[SetResult]) -> str:
    """The text of SEARCH_QUALITY.md."""
    kept, sentence = verdict(results)
    about = [f"**{each.set.name}**: {each.set.kind}; taken out of the pages: {each.set.removed}" for each in results]
    return f"""# How well search finds

Written by `make bench-search`: wikis are made of what is installed, indexed by the product, and asked by its search in
its three ways: by words, by meaning, by both. Cells are nDCG@10 / recall@5 of pages; differences are of nDCG@10, with
the bounds of 95 % of paired bootstrap samples, bold where they say that both together are worse. "Right place first" is
how often the first result is the right page and, where a part of it is asked for, shows the very line. All questions
are of the test halves, on which nothing was tuned: a page's questions are all in one half.

{_lines(head)}

{table(results)}

{sentence} {"The target is met." if kept else "**The target is missed.**"}

What is asked, and what was taken out of the pages because the question says it:

{_lines(about)}
"""


def _lines(entries: Sequence[str]) -> str:
    return "\n".join(f"* {entry}" for entry in entries)
