"""A whole wiki as a download, sent while it is made: an ASGI application in front of the platform's."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from proxy.asgi import App, Receive, Scope, Send
from robot.access import may, role_of
from robot.answers import answer_html
from robot.db import Database
from robot.exports import Exports, Form
from robot.model import Action, Person, Wiki
from robot.signin.sessions import Sessions
from robot.web.errors import render_error
from robot.wikis import find_wiki_by_slug
from wikihost.errors import ContentError

log = logging.getLogger(__name__)


class Downloads:
    """The platform's application, and what comes before it for `GET /app/wiki/{slug}/export/{form}`.

    Whoever has a role in the wiki may read all of it, so they may take it along. Others are passed on to the platform,
    which says that there is nothing.
    """

    def __init__(self, platform: App, *, db: Database, sessions: Sessions, exports: Exports) -> None:
        self._platform = platform
        self._db = db
        self._sessions = sessions
        self._exports = exports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"].split("/"):
            case "GET", ["", "app", "wiki", slug, "export", form] if form in list(Form):
                wiki = self._readable(scope, slug)
                if wiki is not None:
                    await self._give(wiki, Form(form), send)
                    return
        await self._platform(scope, receive, send)

    def _readable(self, scope: Scope, slug: str) -> Wiki | None:
        user, wiki = self._sessions.platform_user(scope["headers"]), find_wiki_by_slug(self._db, slug)
        role = None if user is None or wiki is None else role_of(self._db, user.id, wiki.id)
        if user is None or wiki is None or role is None:
            return None
        return wiki if may(Person(user, role), Action.READ, wiki) else None

    async def _give(self, wiki: Wiki, form: Form, send: Send) -> None:
        name = f"{wiki.slug}-{datetime.now(UTC):%Y-%m-%d}{form.ending}"
        headers = [
            (b"content-type", form.content_type.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"sandbox; default-src 'none'"),
        ]
        started = False

        async def write(piece: bytes) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        try:
            await self._exports.stream(wiki, form, write)
        except ContentError as error:
            log.warning("an export of wiki %s failed: %s", wiki.id, error)
            if not started:
                sentence = "The wiki could not be read, so nothing was sent."
                await answer_html(send, 500, render_error(500, "The export failed", sentence))
            return  # what was sent has no end then, so that nobody takes it for whole
        await send({"type": "http.response.body", "body": b"", "more_body": False})
