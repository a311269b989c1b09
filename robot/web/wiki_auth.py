"""The application behind `/auth/…` on a wiki's host: it brings a sign-in over from the platform, and ends it."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from quart import Response, redirect, request
from quart_trio import QuartTrio
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Action, Person, WikiRequest
from robot.signin.cookies import NONCE_COOKIE, WIKI_COOKIE, clear_cookie, cookie_values, set_cookie
from robot.signin.handoff import NONCE_LIFETIME_S, challenge_of, nonce_to_use, take_code
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import SESSION_LIFETIME_S, Sessions
from robot.web.answers import error_page, notice_page
from robot.web.platform import new_app


def create_wiki_auth_app(*, db: Database, address: PublicAddress, sessions: Sessions) -> QuartTrio:
    """Build the application. The front has put a `WikiRequest` into the scope and refuses cross-site requests."""
    app = new_app("robot.wiki_auth", address)

    @app.get("/auth/start")
    async def start() -> WerkzeugResponse:
        asked = _asked()
        return_path = safe_return(request.args.get("next"))
        if isinstance(asked.actor, Person):
            # Being signed in here, at the wiki's first address, says nothing to its own domain.
            is_home = asked.origin == asked.home or not may(asked.actor, Action.READ, asked.wiki)
            return redirect(return_path if is_home else asked.home + with_query("/auth/start", next=return_path), 303)
        nonce = nonce_to_use(cookie_values(request.scope["headers"], NONCE_COOKIE))
        is_first = asked.origin == address.wiki_origin(asked.wiki.slug)
        here = {"wiki": asked.wiki.slug} if is_first else {"domain": urlsplit(asked.origin).hostname or ""}
        query = with_query("/auth/handoff", **here, challenge=challenge_of(nonce), next=return_path)
        answer = redirect(address.platform_origin + query, 303)
        answer.headers.add("Set-Cookie", set_cookie(NONCE_COOKIE, nonce, max_age_s=NONCE_LIFETIME_S))
        return answer

    @app.get("/auth/finish")
    async def finish() -> WerkzeugResponse | Response:
        asked = _asked()
        nonces = cookie_values(request.scope["headers"], NONCE_COOKIE)
        # HEAD must not use the code up.
        arrival = None
        if request.method == "GET":
            arrival = await take_code(db, request.args.get("code", ""), asked.wiki, nonces)
        if arrival is None:
            return error_page(
                400,
                "This sign-in was not finished",
                "Its address works once, for a minute, and only in the browser that asked for it.",
                "Open the page that you wanted to read again.",
            )
        answer = redirect(arrival.return_path, 303)
        answer.headers.add("Set-Cookie", set_cookie(WIKI_COOKIE, arrival.cookie, max_age_s=SESSION_LIFETIME_S))
        answer.headers.add("Set-Cookie", clear_cookie(NONCE_COOKIE))
        return answer

    @app.get("/auth/who")
    async def who() -> tuple[dict[str, str], int]:
        """For the robot menu of the wiki's pages, which are the same for all who may do the same."""
        actor = _asked().actor
        if not isinstance(actor, Person):
            return {"error": "Nobody is signed in here."}, 404
        return {"name": actor.user.display_name, "user": actor.user.name}, 200

    @app.post("/auth/logout")
    async def logout() -> Response:
        asked = _asked()
        await sessions.end_on_wiki(request.scope["headers"], asked.wiki)
        links = [("Sign out everywhere", f"{address.platform_origin}/auth/logout"), ("Back to the wiki", "/")]
        sentence = "This wiki no longer knows you. The platform and other wikis still do."
        answer = notice_page("You are signed out of this wiki", sentence, links)
        answer.headers.add("Set-Cookie", clear_cookie(WIKI_COOKIE))
        return answer

    return app


def _asked() -> WikiRequest:
    return cast(WikiRequest, cast(dict[str, object], request.scope)["robot.request"])
