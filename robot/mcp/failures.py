"""Failures as an agent reads them: what went wrong, and what to do next."""

from __future__ import annotations

from pydantic import ValidationError

from wikihost.errors import (
    Conflict,
    ContentError,
    EditNotApplicable,
    InvalidPageName,
    OutsideReach,
    PageNotFound,
    PageTooLarge,
    QuotaExceeded,
    RevisionNotFound,
    RevisionRequired,
    StorageFailed,
    StorageFull,
    WikiFrozen,
)

MAX_PROBLEMS = 5

_NEXT_STEPS: dict[type[ContentError], str] = {
    PageNotFound: "Look for the name with list_notes or search_notes, or create the page with write_note.",
    RevisionNotFound: "Leave revision out to get the newest text, or take one from read_note.",
    InvalidPageName: "Use a plain name such as 'Guides/Setup': no URL, no '..', no leading slash.",
    PageTooLarge: "Split it into several linked pages.",
    QuotaExceeded: (
        "Nothing was written, and trying again will not help. Shorten texts or remove pages that nobody needs, if the "
        "person you work for agrees, or tell the wiki's owner. Changes that do not grow the wiki still work."
    ),
    OutsideReach: "Nothing was written. Choose a name in that folder, or ask the person you work for.",
    WikiFrozen: "Nothing was written, and trying again will not help. Reading still works.",
    StorageFull: "Nothing was written. Reading still works; tell the wiki's owner that its storage is full.",
    StorageFailed: "Try again once; if it fails again, tell the wiki's owner.",
}


class ToolFailed(Exception):
    """A tool cannot do what was asked; the message is for the agent."""


def explain(error: ContentError) -> str:
    """The error's sentence, followed by the next step."""
    sentence = str(error)
    if not sentence.endswith((".", "!", "?")):
        sentence += "."
    return f"{sentence} {_next_step(error)}"


def _next_step(error: ContentError) -> str:
    match error:
        case RevisionRequired():
            return (
                "The page already exists, so read it first with read_note and pass its revision "
                f"(now {error.current_revision}); for a small change use edit_note."
            )
        case Conflict():
            return (
                "Nothing was written. Read the page again with read_note (its revision is now "
                f"{error.current_revision}) and apply your change to what it says now."
            )
        case EditNotApplicable(occurrences=0):
            return "Nothing was written. Copy old_string exactly from read_note, line breaks and spaces included."
        case EditNotApplicable():
            return f"It occurs {error.occurrences} times: add surrounding lines to old_string until it occurs once."
        case _:
            return _NEXT_STEPS.get(type(error), "Nothing was written.")


def explain_arguments(tool: str, error: ValidationError, known: list[str]) -> str:
    """Which arguments are wrong and why, and which ones the tool takes."""
    problems = [_problem(item["type"], item["loc"], item["msg"]) for item in error.errors()[:MAX_PROBLEMS]]
    takes = f"{tool} takes: {', '.join(known)}." if known else f"{tool} takes no arguments."
    return f"Invalid arguments: {'; '.join(problems)}. {takes}"


def _problem(kind: str, location: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part)[:60] for part in location) or "arguments"
    match kind:
        case "extra_forbidden":
            return f"{name} is not known"
        case "missing":
            return f"{name} is missing"
        case "string_pattern_mismatch":
            return f"{name} must be 7 to 40 hex digits"  # only revisions have a pattern
        case _:
            return f"{name}: {message[:1].lower()}{message[1:]}"
