"""Error pages that any part of the host can send, on any host name: they need no framework and load nothing.

The stylesheet is inside the page, allowed by its hash, since on a wiki's host `/static/` is Otter Wiki's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from robot.web.page import render
from robot.web.statics import STATIC_FILES

_STYLE = STATIC_FILES["robot.css"].content.decode()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

STANDALONE_CSP = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy for these pages; the pages also carry it themselves, as far as a page can."""

_NEXT_STEPS = {
    400: "Go back and try again; if you typed the address, check it.",
    403: "Sign in with an account that may do this, or ask the owner of the wiki.",
    404: "Check the address. If it is a private wiki, sign in first.",
    405: "Go back and follow a link or a button of the page.",
    413: "Send something smaller.",
    500: "Try again. If it happens again, tell the operator of this host what you did.",
    502: "Reload the page in a moment.",
    503: "Reload the page in a moment.",
    504: "Reload the page in a moment.",
    507: "Nothing was saved, and nothing was lost. Keep your text, and tell the operator of this host.",
}


def render_error(status: int, title: str, sentence: str, next_step: str | None = None) -> bytes:
    """A whole page that says what went wrong and what to do next. All texts are escaped."""
    step = _NEXT_STEPS.get(status, "Go back and try again.") if next_step is None else next_step
    return _standalone("error.html", status=status, title=title, sentence=sentence, next_step=step)


def render_waking(name: str, retry_after_s: int) -> bytes:
    """The page shown while a wiki wakes up; it reloads itself. Send it with 503 and `Retry-After: {retry_after_s}`."""
    return _standalone("waking.html", name=name, retry_after_s=retry_after_s)


def render_notice(title: str, sentence: str, links: list[tuple[str, str]]) -> bytes:
    """A whole page with one sentence and links (text, address) to go on, for `/auth/…` on a wiki's host."""
    return _standalone("notice.html", title=title, sentence=sentence, links=links)


def render_kept_save(action: str, fields: Mapping[str, str]) -> bytes:
    """The form of a save that was refused, to be sent to `action` (a path on this host) once more."""
    return _standalone("kept_save.html", action=action, fields=fields)


def _standalone(template: str, **context: object) -> bytes:
    return render(
        template, style=_STYLE, policy=STANDALONE_CSP.replace("frame-ancestors 'none'; ", ""), **context
    ).encode()
