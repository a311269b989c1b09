"""Names of authors, with a mark beside those that an agent, or somebody else, wrote for.

Otter Wiki's templates show the name as it is; a name that brings HTML of its own is shown with the mark wherever a
template shows it, and is the plain name to all others: feeds, comparisons, JSON.
"""

from __future__ import annotations

from html import escape


class MarkedName(str):
    """An author's name. In a template it is followed by `mark`, in words, with `meaning` to explain it."""

    __slots__ = ("mark", "meaning")

    mark: str
    meaning: str

    def __html__(self) -> str:
        return f'{escape(self)} <span class="badge" title="{escape(self.meaning)}">{escape(self.mark)}</span>'


def shown_author(name: str, agent: str | None, pushed_by: str | None = None) -> str:
    """The name for Otter Wiki to show; plain where a person made the commit in the wiki."""
    if pushed_by is not None:
        return _marked(name, f"pushed by {pushed_by}", "Pushed with git, under a name of the pusher's choice")
    return name if agent is None else _marked(name, "agent", f"Made by the agent {agent}")


def _marked(name: str, mark: str, meaning: str) -> MarkedName:
    marked = MarkedName(name)
    marked.mark, marked.meaning = mark, meaning
    return marked
