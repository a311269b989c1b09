"""What is limited on the platform's host: each request is looked up in one table before its page sees it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import cast

from quart import Response, request
from quart_trio import QuartTrio

from proxy.asgi import Scope
from proxy.guard import SAFE_METHODS
from robot.client_address import ClientNetworks
from robot.limits import WHY, Limited, Limits, TooOften
from robot.oauth.cross_origin import OPEN_PATHS
from robot.oauth.endpoints import CONSENT, REGISTER, REVOKE, TOKEN
from robot.oauth.json_answers import error_answer
from robot.signin.sessions import Sessions
from robot.sparse_log import SparseLog
from robot.too_often import TITLE
from robot.web.answers import error_page, kept_form_page

log = logging.getLogger(__name__)

# The first that fits counts.
TABLE: Sequence[tuple[str, re.Pattern[str], Limited]] = (
    ("POST", re.compile(r"/auth/(begin|connect)"), Limited.SIGN_IN),
    ("GET", re.compile(r"/auth/callback(/\w+)?"), Limited.SIGN_IN_ANSWER),
    ("GET|POST", re.compile(r"/auth/link|/invite"), Limited.LINK),
    ("POST", re.compile(r"/auth/login"), Limited.LINK),
    ("POST", re.compile(r"/auth/sign-up"), Limited.SIGN_UP),
    ("POST", re.compile(CONSENT), Limited.CONSENT),
    ("POST", re.compile(REGISTER), Limited.REGISTRATION),
    ("POST", re.compile(f"{TOKEN}|{REVOKE}"), Limited.REFUSED_GRANT),
    ("GET", re.compile(r"/app/search"), Limited.EVERYWHERE),
    ("POST", re.compile(r"/app/wiki/[^/]+/people/invitations(/link)?"), Limited.INVITATION),
    ("POST", re.compile(r"/app/wiki/[^/]+/domain(/check)?"), Limited.DOMAIN_CHECK),
    ("POST", re.compile(r"/app/wiki/[^/]+/import"), Limited.IMPORT),
)
_OF_NETWORKS = frozenset(
    {Limited.SIGN_IN, Limited.SIGN_IN_ANSWER, Limited.LINK, Limited.SIGN_UP, Limited.REGISTRATION}
    | {Limited.REFUSED_GRANT}
)
# Only failures count, which are known when the request was answered.
_COUNTED_WHEN_REFUSED = frozenset({Limited.REFUSED_GRANT})
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})


def limit_requests(app: QuartTrio, limits: Limits, networks: ClientNetworks, sessions: Sessions) -> None:
    """Refuse with 429 what comes too often, and log what fails to sign in."""
    sparse = SparseLog(log)

    @app.before_request
    async def count() -> None:
        kind = kind_of(request.method, request.path)
        if kind in _COUNTED_WHEN_REFUSED:
            if wait_s := limits.wait(kind, _network(networks)):
                raise TooOften(wait_s)
        elif kind is not None:
            network = _network(networks)
            user = None if kind in _OF_NETWORKS else sessions.platform_user(request.scope["headers"])
            limits.demand(kind, network if user is None else user.id)

    @app.after_request
    async def note_failure(answer: Response) -> Response:
        kind = kind_of(request.method, request.path)
        if kind in _OF_NETWORKS and answer.status_code in _REFUSED:
            network = _network(networks)
            sparse.warn(f"{kind} {network}", "%s: one was refused (%d) to %s", kind, answer.status_code, network)
            if kind in _COUNTED_WHEN_REFUSED:
                limits.note(kind, network)
        return answer

    @app.errorhandler(TooOften)
    async def too_often(error: TooOften) -> Response:
        if request.path in OPEN_PATHS:
            return error_answer(429, "too_many_requests", str(error), {"Retry-After": error.retry_after})
        form = await request.form if request.method == "POST" else None
        fields = [] if form is None else list(form.items(multi=True))
        answer = (
            kept_form_page(429, request.path, fields, TITLE, str(error))
            if fields
            else error_page(429, TITLE, WHY, wait_s=error.wait_s)
        )
        answer.headers["Retry-After"] = error.retry_after
        return answer


def kind_of(method: str, path: str) -> Limited | None:
    """What a request to the platform counts as; None for reading (pure)."""
    method = "GET" if method == "HEAD" else method  # it costs the same
    for methods, pattern, kind in TABLE:
        if method in methods.split("|") and pattern.fullmatch(path):
            return kind
    return None if method in SAFE_METHODS else Limited.FORM


def _network(networks: ClientNetworks) -> str:
    return networks.of(cast("Scope", request.scope))
