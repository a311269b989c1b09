"""The people of a wiki as one page: who is in it, who is invited, and an owner's forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import trio

from robot.access import may
from robot.address import PublicAddress
from robot.authorship import address_of
from robot.contents import Contents
from robot.db import Database
from robot.invitations import LIFETIMES_DAYS, LINK_ROLES, list_invitations
from robot.members import Member, list_members
from robot.model import Action, Person, Role, User, Wiki
from robot.web.facts import FACTS_DEADLINE_S
from robot.web.page import render
from wikihost.content import Content
from wikihost.errors import ContentError

ROLES = (
    (Role.OWNER, "Owner", "reads, writes, decides about people and settings, and may delete the wiki"),
    (Role.EDITOR, "Editor", "reads and writes"),
    (Role.VIEWER, "Viewer", "reads"),
)
_DAYS = {1: "in a day", 7: "in a week", 30: "in 30 days"}


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into the form, kept as it was."""

    who: str = ""
    role: str = Role.EDITOR.value


@dataclass(frozen=True, slots=True)
class _Row:
    member: Member
    changed: datetime | None


class PeoplePage:
    """Renders `people.html`. `knows_handles`: whether a handle leads to somebody on this host."""

    def __init__(self, db: Database, address: PublicAddress, contents: Contents, *, knows_handles: bool) -> None:
        self._db = db
        self._address = address
        self._contents = contents
        self._knows_handles = knows_handles

    async def render(
        self,
        user: User,
        wiki: Wiki,
        role: Role,
        *,
        typed: Typed | None = None,
        errors: Mapping[str, str] | None = None,
        notice: str | None = None,
    ) -> str:
        """The page as `user` sees it, with what they typed and why it was not done."""
        is_owner = may(Person(user, role), Action.ADMINISTER, wiki)
        changes = await self._last_changes(wiki)
        members = await list_members(self._db, wiki)
        return render(
            "people.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=self._address.origin_of(wiki),
            rows=[_Row(each, changes.get(address_of(each.user, self._address.domain))) for each in members],
            is_owner=is_owner,
            knows_handles=self._knows_handles,
            invitations=await list_invitations(self._db, wiki) if is_owner else [],
            typed=typed or Typed(),
            errors=errors or {},
            notice=notice,
            role_choices=ROLES,
            link_choices=[choice for choice in ROLES if choice[0] in LINK_ROLES],
            day_choices=[(days, _DAYS[days]) for days in LIFETIMES_DAYS],
        )

    async def _last_changes(self, wiki: Wiki) -> Mapping[str, datetime]:
        """By the address of authors; nothing where the wiki cannot be read in time."""
        with trio.move_on_after(FACTS_DEADLINE_S):
            try:
                return await self._contents.run(wiki, Content.last_changes)
            except ContentError:
                pass
        return {}
