"""The pages of `errors` as Quart's responses, with the policy that goes with them."""

from __future__ import annotations

from quart import Response

from robot.web.errors import STANDALONE_CSP, render_error, render_notice


def error_page(status: int, title: str, sentence: str, next_step: str | None = None) -> Response:
    """An error page with its status."""
    return _standalone(render_error(status, title, sentence, next_step), status)


def notice_page(title: str, sentence: str, links: list[tuple[str, str]]) -> Response:
    """A notice page."""
    return _standalone(render_notice(title, sentence, links), 200)


def _standalone(page: bytes, status: int) -> Response:
    answer = Response(page, status, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = STANDALONE_CSP
    return answer
