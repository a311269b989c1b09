"""One wiki's page for the operator, which every deed to a wiki leads back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import trio
from quart import redirect, request
from werkzeug.exceptions import NotFound

from robot.address import PublicAddress
from robot.census import WikiRow, find_hosted
from robot.db import Database
from robot.deletion import LetGo
from robot.machine import Machine
from robot.model import User
from robot.quotas import quota_of
from robot.sealed_copies import SealedCopies
from robot.signin.sessions import Sessions
from robot.standing import MAX_WHY_CHARS
from robot.web.admin_door import TABS
from robot.web.answers import Answer
from robot.web.page import render
from wikihost.layout import DataDir
from wikihost.quota import MIB, Quota, how_full

WIKIS = "/app/admin/wikis"

LOOK_BELOW = "Nothing was changed yet. Please look at what is marked below."

# What a redirect may ask the page to say.
_DONE = {
    "frozen": "Read-only from the next write on, whoever writes. Reading and exports go on.",
    "unfrozen": "It can be written again.",
    "quota": "The quota is set, and in force for the next write.",
    "undeleted": "The wiki is back as it was.",
    "taken-down": "Nobody reaches it any more. A sealed copy of it is kept.",
    "sealed": "A sealed copy of it is kept.",
    "put-up": "It is there again, as it was.",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into a form that was `refused`, and what is wrong with which field."""

    refused: str = ""
    quota: tuple[str, str] | None = None
    why: str = ""
    slug: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


_NOTHING = Typed()


@dataclass(frozen=True, slots=True)
class WikiDesk:
    """What the pages are made with."""

    db: Database
    data: DataDir
    address: PublicAddress
    sessions: Sessions
    machine: Machine
    copies: SealedCopies
    let_go: LetGo
    default_quota: Quota

    async def find(self, wiki_id: str) -> WikiRow:
        """Raises `NotFound`."""
        row = await find_hosted(self.db, self.data, wiki_id)
        if row is None:
            raise NotFound
        return row

    async def page(self, user: User, row: WikiRow, typed: Typed = _NOTHING) -> str:
        """The page of a wiki."""
        quota = quota_of(row.wiki, self.default_quota)
        return render(
            "admin_wiki.html",
            user=user,
            here="admin",
            tabs=TABS,
            row=row,
            origin=self.address.origin_of(row.wiki),
            quota=quota,
            fullness="" if row.usage is None else how_full(row.usage, quota),
            worker=self.machine.worker_of(row.wiki.id),
            default=self.default_quota,
            default_mebibytes=_mebibytes(self.default_quota.size_bytes),
            copies=await trio.to_thread.run_sync(self.copies.of, row.wiki),
            quota_typed=typed.quota or (_shown(row.wiki.quota_pages), _mebibytes(row.wiki.quota_bytes)),
            typed=typed,
            max_why=MAX_WHY_CHARS,
            notice=_DONE.get(request.args.get("done", "")),
        )


def told(row: WikiRow, done: str) -> Answer:
    """Go to the wiki's page, where it says what was done."""
    return redirect(f"{WIKIS}/{row.wiki.id}?done={done}", 303)


def _shown(count: int | None) -> str:
    return "" if count is None else str(count)


def _mebibytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / MIB:.10g}"
