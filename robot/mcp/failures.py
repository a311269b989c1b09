"""Failures as an agent reads them: what went wrong, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError

from robot.model import Agent, Connection, Person, Scope, Token
from wikihost.errors import (
    AttachmentNotFound,
    Conflict,
    ContentError,
    EditNotApplicable,
    InvalidAttachment,
    InvalidPageName,
    InvalidPageText,
    OutsideReach,
    PageExists,
    PageNotFound,
    PageTooLarge,
    QuotaExceeded,
    RevisionNotFound,
    RevisionRequired,
    StorageFailed,
    StorageFull,
    UndoRefused,
    WikiFrozen,
)

MAX_PROBLEMS = 5

OR_CREATE = ", or create the page with write_note"
NEXT_STEPS: dict[type[ContentError], str] = {
    PageNotFound: f"Look for the name with list_notes or search_notes{OR_CREATE}.",
    PageExists: "Nothing was written. Take another name, or change the page that is there with edit_note.",
    AttachmentNotFound: "list_attachments says which files the page has.",
    InvalidAttachment: "Nothing was written. Take another file or file name; text belongs into a page (write_note).",
    RevisionNotFound: "Take one from read_note, get_history or get_recent_changes.",
    InvalidPageName: "Use a plain name such as 'Guides/Setup': no URL, no '..', no leading slash.",
    InvalidPageText: "Nothing was written. Send the text again without that character.",
    PageTooLarge: "Nothing was written. Split it into several linked pages.",
    QuotaExceeded: (
        "Nothing was written, and trying again will not help. Shorten texts or remove pages that nobody needs, if the "
        "person you work for agrees, or tell the wiki's owner. Changes that do not grow the wiki still work."
    ),
    UndoRefused: "Nothing was written. Look at the page's history, and mend by hand what still needs it.",
    OutsideReach: "Nothing was written. Choose a name in that folder, or ask the person you work for.",
    WikiFrozen: "Nothing was written, and trying again will not help. Reading still works.",
    StorageFull: "Nothing was written. Reading still works; tell the wiki's owner that its storage is full.",
    StorageFailed: "Try again once; if it fails again, tell the wiki's owner.",
}

_REVISIONS = frozenset({"revision", "since"})

# What to do about an argument, by its name and the type of pydantic's error.
_ARGUMENT_STEPS = {
    ("content", "string_too_long"): "split it into several linked pages",
    ("query", "string_too_long"): "ask with fewer words",
    ("paths", "too_long"): "read them in several calls",
}


class ToolFailed(Exception):
    """A tool cannot do what was asked; the message is for the agent."""


def sentence(error: ContentError) -> str:
    """What the error says, as a sentence."""
    said = str(error)
    return said if said.endswith((".", "!", "?")) else f"{said}."


def explain(error: ContentError, *, may_write: bool) -> str:
    """The error's sentence, followed by the next step, which is nothing that the caller may not do."""
    step = _next_step(error)
    return f"{sentence(error)} {step if may_write else step.replace(OR_CREATE, '')}"


def _next_step(error: ContentError) -> str:
    match error:
        case RevisionRequired():
            return (
                "The page already exists, so read it first with read_note and pass its revision "
                f"(now {error.current_revision}); for a small change use edit_note."
            )
        case Conflict(current_text=None):
            return f"Nothing was written. The file's revision is now {error.current_revision}."
        case Conflict():
            return (
                "Nothing was written. Read the page again with read_note (its revision is now "
                f"{error.current_revision}) and apply your change to what it says now."
            )
        case EditNotApplicable(occurrences=0):
            return "Nothing was written. Copy old_string exactly from read_note, line breaks and spaces included."
        case EditNotApplicable():
            places = ", ".join(map(str, error.lines))
            more = " and more" if error.occurrences > len(error.lines) else ""
            return (
                f"It occurs {error.occurrences} times, in lines {places}{more}. Nothing was written: add surrounding "
                "lines to old_string until it occurs once."
            )
        case _:
            return NEXT_STEPS.get(type(error), "Nothing was written.")


def explain_read_only(actor: Person | Agent) -> str:
    """Why somebody may not write who asked for it, and who can change that."""
    match actor:
        case Agent(credential=Token(scopes=scopes)) if Scope.WRITE not in scopes:
            return "This token may only read. Ask the wiki's owner for a token that may write."
        case Agent(credential=Connection(scopes=scopes)) if Scope.WRITE not in scopes:
            return "This connection may only read. Ask the person you work for to connect again and to allow writing."
        case _:
            return "The person you work for may only read this wiki. Its owner can let them write."


def explain_arguments(tool: str, error: ValidationError, known: Sequence[str]) -> str:
    """Which arguments are wrong and why, and which ones the tool takes."""
    found = error.errors(include_url=False, include_input=False)
    problems = [_problem(item["type"], item["loc"], item["msg"], known) for item in found[:MAX_PROBLEMS]]
    takes = f"{tool} takes: {', '.join(known)}." if known else f"{tool} takes no arguments."
    return f"Invalid arguments: {'; '.join(problems)}. {takes}"


def _problem(kind: str, location: tuple[int | str, ...], message: str, known: Sequence[str]) -> str:
    name = ".".join(str(part)[:60] for part in location) or "arguments"
    match kind:
        case "extra_forbidden":
            meant = get_close_matches(name, known, n=1)
            return f"{name} is not known{f' (did you mean {meant[0]}?)' if meant else ''}"
        case "missing":
            return f"{name} is missing"
        case "value_error":  # one of ours
            return f"{name} {message.removeprefix('Value error, ')}"
        case "string_pattern_mismatch" if name in _REVISIONS:
            return f"{name} must be 7 to 40 hex digits"
        case _:
            step = _ARGUMENT_STEPS.get((name.partition(".")[0], kind))
            return f"{name}: {message[:1].lower()}{message[1:]}{f' ({step})' if step else ''}"
