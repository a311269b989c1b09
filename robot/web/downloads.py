"""A whole wiki as a download, sent while it is made: an ASGI application in front of the platform's."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import trio

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

LONGEST_S = 3600.0


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
                    await self._give(wiki, Form(form), receive, send)
                    return
        await self._platform(scope, receive, send)

    def _readable(self, scope: Scope, slug: str) -> Wiki | None:
        user, wiki = self._sessions.platform_user(scope["headers"]), find_wiki_by_slug(self._db, slug)
        role = None if user is None or wiki is None else role_of(self._db, user.id, wiki.id)
        if user is None or wiki is None or role is None:
            return None
        return wiki if may(Person(user, role), Action.READ, wiki) else None

    async def _give(self, wiki: Wiki, form: Form, receive: Receive, send: Send) -> None:
        name = f"{wiki.slug}-{datetime.now(UTC):%Y-%m-%d}{form.ending}"
        headers = [
            (b"content-type", form.content_type.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"sandbox; default-src 'none'"),
        ]
        started = ended = False
        failure: ContentError | None = None

        async def write(piece: bytes) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        # Few exports are made at a time: one that nobody reads any more, or hardly, gives its place to others.
        with trio.move_on_after(LONGEST_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_left, receive, nursery.cancel_scope)
                try:
                    await self._exports.stream(wiki, form, write)
                    ended = True
                except ContentError as error:
                    failure = error
                nursery.cancel_scope.cancel()
        if failure is not None:
            log.warning("an export of wiki %s failed: %s", wiki.id, failure)
        if ended:  # else what was sent has no end, so that nobody takes it for whole
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif failure is not None and not started:
            sentence = "The wiki could not be read, so nothing was sent."
            await answer_html(send, 500, render_error(500, "The export failed", sentence))


async def _cancel_when_left(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
