"""The pages that ask what is to be saved, and keep every text that was typed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from flask import Response

from wikihost.child.meanwhile import Meanwhile
from wikihost.child.plain import page_with, text_to_copy
from wikihost.merge import OTHERS, YOURS
from wikihost.names import name_of_file

BASE_FIELD = "robot_base"
MARKS_FIELD = "robot_marks"


@dataclass(frozen=True, slots=True)
class Question:
    """A save that needs a person: `typed` for the file `path`, which is `current` by now (None: it was deleted).

    `draft` is what to begin with, with marks of `mark_length` where both sides changed the same lines (0: none).
    Saving it replaces what was there at the commit `head`. `diff` is what others changed.
    """

    path: str
    now: Meanwhile
    typed: str
    current: str | None
    draft: str
    mark_length: int
    head: str
    diff: str


@dataclass(frozen=True, slots=True)
class Again:
    """What a form sends: a draft, its commit message, and what it was made from."""

    draft: str
    message: str
    base: str
    mark_length: int = 0


def conflict_page(question: Question, message: str, action: str) -> Response:
    """Ask what to save, with the draft, both texts and what was changed; the form goes to the path `action`."""
    title, sentence = _said(question)
    again = Again(question.draft, message, question.head, question.mark_length)
    parts = [f"<p>{escape(sentence)} <strong>Nothing is saved yet, and nothing is lost.</strong></p>"]
    if question.mark_length:
        parts.append(_marks_explained(question.mark_length))
    parts.append(_form(again, action))
    if question.current is not None:
        name = name_of_file(question.now.path) or question.now.path
        parts.append(f'<p><a href="/{quote(name)}">Leave the page as it is, without my changes</a></p>')
    parts.append("<h2>Both texts</h2>" + text_to_copy("typed", "Your text", question.typed))
    if question.current is not None:
        parts.append(text_to_copy("current", "The text that was saved meanwhile", question.current))
        parts.append(f"<h2>What was changed meanwhile</h2>{_diff(question.diff)}")
    return page_with(409, title, "".join(parts), wide=True)


def marks_page(again: Again, action: str) -> Response:
    """Ask again: the draft still has marks in it."""
    sentence = "<p>Nothing is saved yet: some places are still to be decided.</p>"
    content = sentence + _marks_explained(again.mark_length) + _form(again, action)
    return page_with(409, "There are still marks in the text", content, wide=True)


def sign_in_page(again: Again, action: str, sign_in: str) -> Response:
    """Say that the person may not save (any more), and keep the form."""
    sentence = (
        "<p>You are signed out, or you may only read this wiki. Nothing is saved yet, and nothing is lost: "
        f'<a href="{escape(sign_in)}" target="_blank">sign in in another tab</a>, come back here, and save again.</p>'
    )
    return page_with(403, "You may not save here", sentence + _form(again, action), wide=True)


def quota_page(again: Again, action: str, sentence: str) -> Response:
    """Say that the wiki is full, and keep the form: after making room, or with a shorter text, it can be sent again."""
    content = (
        f"<p>{escape(sentence)}</p><p><strong>Nothing is saved yet, and nothing is lost.</strong> Make room in another"
        " tab, or shorten the text, and save again.</p>"
    )
    return page_with(413, "The wiki is full", content + _form(again, action), wide=True)


def _said(question: Question) -> tuple[str, str]:
    """The page's title, and what happened."""
    who = question.now.by or "Somebody"
    if question.current is None:
        return "This page was deleted while you wrote", f"{who} deleted it. If you save, there is a page again."
    if question.now.path != question.path:
        name = name_of_file(question.now.path) or question.now.path
        where = "" if not question.mark_length else " The same lines were changed there."
        return (
            "This page was moved while you wrote",
            f"{who} renamed it to “{name}”. If you save, your changes go there.{where}",
        )
    sentence = f"{who} saved it after you opened the editor, and changed the same lines as you."
    return "This page was changed while you wrote", sentence


def _marks_explained(mark_length: int) -> str:
    return (
        "<p>The draft below has what both of you wrote. Where you both changed the same lines, it has these marks:</p>"
        f"<pre>{escape('<' * mark_length)} {YOURS}\nyour lines\n{'=' * mark_length}\nthe lines of the others\n"
        f"{escape('>' * mark_length)} {OTHERS}</pre>"
        "<p>Keep what you want of each place, and take the three marks out.</p>"
    )


def _form(again: Again, action: str) -> str:
    """`action` is a quoted path on this host."""
    rows = min(max(again.draft.count("\n") + 2, 10), 24)
    # The first line break in a textarea is not part of its text (HTML, "the textarea element").
    return (
        f'<form method="post" action="{escape(action)}" autocomplete="off">'
        f'<input type="hidden" name="{BASE_FIELD}" value="{escape(again.base)}">'
        f'<input type="hidden" name="{MARKS_FIELD}" value="{again.mark_length}">'
        '<label for="draft">Draft</label>'
        f'<textarea id="draft" name="content" rows="{rows}">\n{escape(again.draft)}</textarea>'
        '<label for="commit">Commit message</label>'
        f'<input id="commit" type="text" name="commit" value="{escape(again.message)}">'
        '<button type="submit">Save this draft</button></form>'
    )


def _diff(diff: str) -> str:
    tags = {"+": "ins", "-": "del"}
    lines = []
    for line in diff.split("\n")[2:]:
        tag = tags.get(line[:1], "")
        lines.append(f"<{tag}>{escape(line)}</{tag}>" if tag else f"{escape(line)}\n")
    return f"<pre>{''.join(lines)}</pre>"
