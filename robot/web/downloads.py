"""A wiki, or one's own data, as a download, sent while it is made: an ASGI application in front of the platform's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import trio

from proxy.asgi import App, Receive, Scope, Send
from proxy.guard import is_sent_by_another_page
from robot.access import may, role_of
from robot.account_export import AccountExports
from robot.answers import answer_html, request_id_of
from robot.audit import AuditAction, Entry, doer_of, note
from robot.db import Database
from robot.exports import Exports, Form, Write
from robot.limits import WHY, Limited, Limits, retry_after
from robot.model import Action, Person, User, Wiki
from robot.signin.sessions import Sessions
from robot.too_often import TITLE
from robot.web.errors import render_error
from robot.wikis import find_wiki_by_slug
from wikihost.errors import ContentError

log = logging.getLogger(__name__)

LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Download:
    """A file that is made while it goes out for `person`, and that it was asked for."""

    person: User
    name: str
    content_type: str
    stream: Callable[[Write], Awaitable[None]]
    entry: Entry


class Downloads:
    """The platform's application, and what comes before it for `GET` of an export.

    `/app/wiki/{slug}/export/{form}`: whoever has a role in the wiki may read all of it, so they may take it along.
    `/app/account/export`: a person's own data. Others are passed on to the platform, which says what is in the way, and
    so is a page elsewhere, which could else have its visitors export for as long as it is open.
    """

    def __init__(
        self,
        platform: App,
        *,
        db: Database,
        sessions: Sessions,
        exports: Exports,
        accounts: AccountExports,
        limits: Limits,
    ) -> None:
        self._platform = platform
        self._db = db
        self._sessions = sessions
        self._exports = exports
        self._accounts = accounts
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        download = None if is_sent_by_another_page(scope["headers"]) else self._asked(scope)
        if download is None:
            await self._platform(scope, receive, send)
        elif wait_s := self._limits.take(Limited.EXPORT, download.person.id):
            page = render_error(429, TITLE, WHY, wait_s=wait_s)
            await answer_html(send, 429, page, (b"retry-after", retry_after(wait_s).encode()))
        else:
            await note(self._db, download.entry)
            await _give(download, receive, send, request_id_of(scope))

    def _asked(self, scope: Scope) -> _Download | None:
        """What is to be given to whoever asks, if it is."""
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        match scope["method"], scope["path"].split("/"):
            case "GET", ["", "app", "wiki", slug, "export", form] if form in list(Form):
                found, kind = self._reader(scope, slug), Form(form)
                if found is not None:
                    user, wiki = found
                    entry = Entry(AuditAction.EXPORTED, doer_of(user), wiki.id, form)
                    stream = partial(self._exports.stream, wiki, kind)
                    return _Download(user, f"{wiki.slug}-{today}{kind.ending}", kind.content_type, stream, entry)
            case "GET", ["", "app", "account", "export"]:
                owner = self._sessions.platform_user(scope["headers"])
                if owner is not None:
                    entry = Entry(AuditAction.DATA_EXPORTED, doer_of(owner))
                    stream = partial(self._accounts.stream, owner)
                    return _Download(owner, f"{owner.name}-{today}.zip", Form.ZIP.content_type, stream, entry)
        return None

    def _reader(self, scope: Scope, slug: str) -> tuple[User, Wiki] | None:
        user, wiki = self._sessions.platform_user(scope["headers"]), find_wiki_by_slug(self._db, slug)
        role = None if user is None or wiki is None else role_of(self._db, user.id, wiki.id)
        if user is None or wiki is None or role is None:
            return None
        return (user, wiki) if may(Person(user, role), Action.READ, wiki) else None


async def _give(download: _Download, receive: Receive, send: Send, request_id: str) -> None:
    headers = [
        (b"content-type", download.content_type.encode()),
        (b"content-disposition", f'attachment; filename="{download.name}"'.encode()),
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
                await download.stream(write)
                ended = True
            except ContentError as error:
                failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        log.warning("the export %s failed: %s", download.name, failure)
    if ended:  # else what was sent has no end, so that nobody takes it for whole
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    elif failure is not None and not started:
        sentence = "The wiki could not be read, so nothing was sent."
        await answer_html(send, 500, render_error(500, "The export failed", sentence, request_id=request_id))


async def _cancel_when_left(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
