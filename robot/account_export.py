"""Giving people their own data: one zip, made while it goes out, however large their wikis are.

Each wiki that the person owns is a zip within it, the same that its export page gives; so one that cannot be read
spoils nothing else, and is named in `problems.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import trio

from robot.address import PublicAddress
from robot.audit import list_deeds
from robot.db import Database
from robot.exports import Exports, Form, Write
from robot.model import Credential, Role, Token, User, Wiki
from robot.oauth.connections import list_connections_of
from robot.signin.identities import identities_of
from robot.signin.own_sessions import list_sessions
from robot.tokens import list_tokens_of
from robot.wikis import wikis_of
from wikihost.errors import ContentError
from wikihost.exports.archives import ZipInPieces

_README = """\
Your data on {domain}, as of {now:%Y-%m-%d %H:%M} UTC.

account.json     your account
identities.json  what you sign in with
sessions.json    browsers in which you are signed in
agents.json      tokens and connections of your agents; their secrets are stored nowhere
roles.json       the wikis in which you have a role
deeds.json       what you and your agents did to wikis and accounts, newest first
wikis/           each wiki that you own: pages as Markdown, and attachments

What you wrote in wikis of others is there, and in their history. A wiki's history can be downloaded with git, or as
a bundle on its Export tab. Times are UTC.
"""

Json = Mapping[str, object] | list[dict[str, object]]


class AccountExports:
    """Exports of people's own data; wikis take their turn among all exports."""

    def __init__(self, db: Database, address: PublicAddress, exports: Exports) -> None:
        self._db = db
        self._address = address
        self._exports = exports

    async def stream(self, user: User, write: Write) -> None:
        """Write the zip piece by piece. Raises what `write` does, and `DatabaseError` before the first piece."""
        now = datetime.now(UTC)
        texts = await self._texts(user, now)
        archive = ZipInPieces(now)
        for path, text in texts.items():
            await write(archive.begin(path) + archive.write(text.encode()))
        problems = [
            f"{wiki.name} ({wiki.slug}): {problem}\n"
            for wiki, role in wikis_of(self._db, user)
            if role is Role.OWNER and (problem := await self._add(archive, wiki, write))
        ]
        if problems:
            await write(archive.begin("problems.txt") + archive.write("".join(problems).encode()))
        await write(archive.end())

    async def _add(self, archive: ZipInPieces, wiki: Wiki, write: Write) -> str | None:
        """Add a wiki; what kept it from being whole, if anything did."""
        await write(archive.begin(f"wikis/{wiki.slug}{Form.ZIP.ending}"))
        try:
            await self._exports.stream(wiki, Form.ZIP, _into(archive, write))
        except ContentError as error:
            return f"its file is not whole, since the wiki could not be read: {error}"
        return None

    async def _texts(self, user: User, now: datetime) -> dict[str, str]:
        db, roles = self._db, wikis_of(self._db, user)
        slugs = {wiki.id: wiki.slug for wiki, _ in roles}
        held: list[Credential] = [*list_tokens_of(db, user), *list_connections_of(db, user)]
        deeds = await list_deeds(db, user)
        told: dict[str, Json] = {
            "account.json": {
                "user_name": user.name,
                "name": user.display_name,
                "created": user.created,
                "is_operator": user.is_operator,
            },
            "identities.json": [
                {"provider": one.provider, "id": one.subject, "handle": one.handle, "connected": one.created,
                 "last_used": one.last_used}
                for one in identities_of(db, user)
            ],
            "sessions.json": [
                {"by": one.provider, "browser": one.device, "began": one.began, "seen": one.seen,
                 "expires": one.expires}
                for one in list_sessions(db, user)
            ],
            "agents.json": [
                {"kind": "token" if isinstance(one, Token) else "connection", "name": one.name,
                 "wiki": slugs.get(one.wiki_id), "may": sorted(one.scopes), "folder": one.prefix,
                 "created": one.created, "last_used": one.last_used}
                for one in held
            ],
            "roles.json": [
                {"wiki": wiki.name, "address": self._address.origin_of(wiki), "role": role}
                for wiki, role in roles
            ],
            "deeds.json": [
                {"at": one.at, "by": one.entry.actor.kind, "as": one.entry.actor.name, "what": one.entry.action.value,
                 "wiki": slugs.get(one.entry.wiki_id or ""), "target": one.entry.target, "detail": one.entry.detail}
                for one in deeds
            ],
        }  # fmt: skip
        readme = _README.format(domain=self._address.domain, now=now)
        texts = await trio.to_thread.run_sync(lambda: {path: _json(data) for path, data in told.items()})
        return {"README.txt": readme, **texts}


def _into(archive: ZipInPieces, write: Write) -> Callable[[bytes], Awaitable[None]]:
    async def add(piece: bytes) -> None:
        await write(archive.write(piece))

    return add


def _json(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, default=datetime.isoformat) + "\n"
