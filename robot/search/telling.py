"""How far a wiki's index is, in words for people: the same on the dashboard and on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from robot.amounts import counted
from robot.search.values import ReindexStatus


@dataclass(frozen=True, slots=True)
class Told:
    """`sentence` says how far the index is, `problem` what is wrong and what follows from it, or nothing.

    `percent` is None unless there is work under way.
    """

    sentence: str
    problem: str
    percent: int | None


def tell(status: ReindexStatus) -> Told:
    """`status` in words."""
    if status.state == "in_progress":
        return Told(_progress(status), "", percent_of(status))
    return Told(_rest(status), _problem(status), None)


def percent_of(status: ReindexStatus) -> int:
    """How much of the wiki is indexed, 0..100; rounded down, so that 100 is all of it."""
    return 100 * status.pages_indexed // status.pages_total if status.pages_total else 100


def _progress(status: ReindexStatus) -> str:
    if status.pages_indexed >= status.pages_total:
        done = f"Looking through {_all(status.pages_total)}" if status.pages_total else "Looking for pages"
    else:
        done = f"{status.pages_indexed:,} of {counted(status.pages_total, 'page')} done"
    known = f"; {counted(status.chunks_indexed, 'passage')} known" if status.chunks_indexed else ""
    left = "" if status.eta_s is None else f" {_time_left(status.eta_s)}"
    return f"{done}{known}.{left}"


def _rest(status: ReindexStatus) -> str:
    if not status.pages_total:
        return "There is no page yet."
    if status.pages_indexed >= status.pages_total:
        passages = counted(status.chunks_indexed, "passage")
        return f"Search by meaning knows {_all(status.pages_total)}, in {passages}."
    if not status.pages_indexed:
        return f"Search by meaning knows no page yet; by words {_all(status.pages_total)} can be found.{_when(status)}"
    known = f"{status.pages_indexed:,} of {counted(status.pages_total, 'page')}"
    return f"Search by meaning knows {known}; by words all can be found.{_when(status)}"


def _when(status: ReindexStatus) -> str:
    """When the missing pages follow."""
    return "" if status.state == "error" else " The others follow with the next search or change."


def _problem(status: ReindexStatus) -> str:
    if status.model is None:
        reason = status.model_problem or status.error_message or "The embedding model cannot be loaded."
        return f"Only words are searched. {_sentence(reason)}"
    if status.state != "error":
        return ""
    reason = status.error_message or "The index could not be brought up to date."
    return f"{_sentence(reason)} It is tried again by itself after a while; building the index anew tries it at once."


def _time_left(seconds: float) -> str:
    if seconds < 60:
        return "Less than a minute left."
    count, unit = (seconds / 60, "minute") if seconds < 5_400 else (seconds / 3_600, "hour")
    return f"About {counted(round(count), unit)} left."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _all(pages: int) -> str:
    return f"all {pages:,} pages" if pages > 1 else "the only page"
