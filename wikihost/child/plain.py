"""Pages of ours on a wiki's host: they need nothing but themselves, and show a refused text to whoever typed it."""

from __future__ import annotations

from html import escape
from typing import Final

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

SAVING: Final = "save"  # the endpoint to which the editor sends its text
SIGN_IN: Final = "/auth/start?next="  # of the front; a quoted path on this host follows
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "body.wide{max-width:60rem;margin-top:2rem}"
    "textarea,input[type=text]{box-sizing:border-box;width:100%;padding:.5rem;font:.9rem/1.4 ui-monospace,monospace}"
    "input[type=text]{font-family:inherit}label{display:block;font-weight:600;margin-top:1rem}"
    "button{font:inherit;font-weight:600;padding:.5rem 1.25rem;margin:1rem 1rem 0 0}"
    "pre{white-space:pre-wrap;font:.9rem/1.4 ui-monospace,monospace}h2{margin-top:2.5rem;font-size:1.25rem}"
    "ins,del{display:block;text-decoration:none}ins{background:#d9f2dd;color:#0b3d16}del{background:#fbdfdf;color:#5c1212}"
    "html{background:#fff;color:#1b1d21}"
    "@media(prefers-color-scheme:dark){html{background:#16181d;color:#e7e9ec}a,a:visited{color:#9ecbff}"
    "ins{background:#0f3a1b;color:#c9f0d2}del{background:#4a1717;color:#fbd5d5}}"
)


def plain_page(status: int, title: str, sentence: str) -> Response:
    """A page that says one thing; where a save was refused, with the text that was to be saved."""
    return page_with(status, title, f"<p>{escape(sentence)}</p>{_refused_text()}{_ways_back()}")


def page_with(status: int, title: str, content: str, *, wide: bool = False) -> Response:
    """A page with `content`, which is HTML."""
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<body class={'wide' if wide else 'narrow'}><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Response(body, status, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


def text_to_copy(identifier: str, label: str, text: str) -> str:
    """A text as it was typed, to be looked at and copied."""
    rows = min(max(text.count("\n") + 2, 6), 18)
    # The first line break in a textarea is not part of its text (HTML, "the textarea element").
    box = f'<textarea id="{identifier}" readonly rows="{rows}" spellcheck="false">\n{escape(text)}</textarea>'
    return f'<label for="{identifier}">{escape(label)}</label>{box}'


def _refused_text() -> str:
    if request.endpoint != SAVING or request.method != "POST":
        return ""
    try:
        typed = request.form.get("content", "")
    except HTTPException:  # the form itself is what was refused
        return ""
    return text_to_copy("typed", "The text you wanted to save; copy it before you leave", typed) if typed else ""


def _ways_back() -> str:
    platform = current_app.config["ROBOT_PLATFORM_URL"]
    to_platform = f'<p><a href="{escape(platform)}">This wiki on the platform</a></p>' if platform else ""
    return to_platform + '<p><a href="/">Back to the wiki</a></p>'
