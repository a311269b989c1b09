"""What views answer with: their type, and the pages of `errors` as Quart's responses, with the policy for those."""

from __future__ import annotations

import math
from collections.abc import Sequence

from quart import Response, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.answers import request_id_of
from robot.web.errors import STANDALONE_CSP, START, Link, render_error, render_kept_form, render_notice

_OWN: Link = ("My wikis", "/app/")

Answer = str | Response | WerkzeugResponse | tuple[str, int]
"""What a view of a page gives to Quart."""


def error_page(
    status: int, title: str, sentence: str, next_step: str | None = None, *, wait_s: float | None = None
) -> Response:
    """An error page with its status, and the way back; `wait_s` says when it is worth trying again, there and in
    `Retry-After`."""
    page = render_error(
        status,
        title,
        sentence,
        next_step,
        wait_s=wait_s,
        request_id=request_id_of(dict(request.scope)),
        links=[_OWN if request.path.startswith("/app/") else START],
    )
    answer = _standalone(page, status)
    if wait_s is not None:
        answer.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    return answer


def kept_form_page(status: int, action: str, fields: Sequence[tuple[str, str]], title: str, sentence: str) -> Response:
    """A form that was refused for now, to be sent to `action` (a path of this host) again."""
    return _standalone(render_kept_form(action, fields, title, sentence), status)


def notice_page(title: str, sentence: str, links: Sequence[Link]) -> Response:
    """A notice page."""
    return _standalone(render_notice(title, sentence, links), 200)


def _standalone(page: bytes, status: int) -> Response:
    answer = Response(page, status, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = STANDALONE_CSP
    return answer
