"""Error pages that any part of the host can send, on any host name: they need no framework and load nothing.

The stylesheet is inside the page, allowed by its hash, since on a wiki's host `/static/` is Otter Wiki's.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence

from robot.web.page import render
from robot.web.statics import STATIC_FILES

_STYLE = STATIC_FILES["robot.css"].content.decode()
_LOGO = STATIC_FILES["robot.svg"].content.decode()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

STANDALONE_CSP = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy for these pages; the pages also carry it themselves, as far as a page can."""

Link = tuple[str, str]
"""A text and an address."""

START: Link = ("Front page", "/")
_FIRST_OF_OURS = 500

_NEXT_STEPS = {
    400: "Go back and try again; if you typed the address, check it.",
    403: "Sign in with an account that may do this, or ask the owner of the wiki.",
    404: "Check the address. If it is a private wiki, sign in first.",
    405: "Go back and follow a link or a button of the page.",
    408: "Go back and send it again.",
    409: "Go back, look at what is there now, and try again.",
    410: "It will not come back at this address. Ask whoever gave you the link for another.",
    413: "Send something smaller.",
    421: "Check the address.",
    429: "Wait a little, then do it again; nothing was lost.",
    500: "Try again. If it happens again, tell the operator of this host what you did.",
    502: "Reload the page in a moment.",
    503: "Reload the page in a moment.",
    504: "Reload the page in a moment.",
    507: "Nothing was saved, and nothing was lost. Keep your text, and tell the operator of this host.",
}


def render_error(
    status: int,
    title: str,
    sentence: str,
    next_step: str | None = None,
    *,
    wait_s: float | None = None,
    request_id: str = "",
    links: Sequence[Link] = (START,),
) -> bytes:
    """A whole page that says what went wrong and what to do next. All texts are escaped.

    `wait_s` says when it is worth trying again. `request_id` is shown where the fault is the host's, so that its
    operator finds the request in the log: of what is not, two answers to the same question are the same.
    """
    step = _NEXT_STEPS.get(status, "Go back and try again.") if next_step is None else next_step
    if wait_s is not None:
        step = f"Try again {waiting_time(wait_s)}. {step}" if next_step else f"Try again {waiting_time(wait_s)}."
    shown = request_id if status >= _FIRST_OF_OURS else ""
    return _standalone(
        "error.html", status=status, title=title, sentence=sentence, next_step=step, request_id=shown, links=links
    )


def waiting_time(wait_s: float) -> str:
    """When to try again, for people: `in 20 seconds`, `in 5 minutes`, never too soon."""
    seconds = max(1, math.ceil(wait_s))
    for unit, length_s in (("hour", 3_600), ("minute", 60)):
        if seconds > length_s:
            return f"in {math.ceil(seconds / length_s)} {unit}s"
    return "in a second" if seconds == 1 else f"in {seconds} seconds"


def render_waking(name: str, retry_after_s: int) -> bytes:
    """The page shown while a wiki wakes up; it reloads itself. Send it with 503 and `Retry-After: {retry_after_s}`."""
    return _standalone("waking.html", name=name, retry_after_s=retry_after_s)


def render_notice(title: str, sentence: str, links: Sequence[Link]) -> bytes:
    """A whole page with one sentence and links (text, address) to go on, for `/auth/…` on a wiki's host."""
    return _standalone("notice.html", title=title, sentence=sentence, links=links)


def render_kept_save(action: str, fields: Mapping[str, str], too_often: str | None = None) -> bytes:
    """The form of a save that was refused, to be sent to `action` (a path on this host) once more."""
    return _standalone("kept_save.html", action=action, fields=fields, too_often=too_often)


def render_kept_form(action: str, fields: Sequence[tuple[str, str]], title: str, sentence: str) -> bytes:
    """A form of the platform that came too often, with a button that sends it once more."""
    return _standalone("kept_form.html", action=action, fields=fields, title=title, sentence=sentence)


def _standalone(template: str, **context: object) -> bytes:
    return render(
        template, style=_STYLE, logo=_LOGO, policy=STANDALONE_CSP.replace("frame-ancestors 'none'; ", ""), **context
    ).encode()
