"""Whom somebody means who invites "ada" or "@ada.example.org": an account of this host, or an identity elsewhere."""

from __future__ import annotations

from typing import Protocol

from robot.accounts import find_user_by_name
from robot.db import Database
from robot.invitations import Addressee
from robot.members import MemberRefused
from robot.open_invitations import OWN_ACCOUNTS

ELSEWHERE = "atproto"

_MAX_CHARS = 300
_NOBODY_HERE = "Nobody on this host has this user name. Somebody who has none yet gets a link."
_OR_A_HANDLE = "A handle from elsewhere is written whole, such as ada.bsky.social."
_WHAT_TO_TYPE = "Type a handle, such as ada.bsky.social, or the user name of somebody on this host."


class Resolved(Protocol):
    """An identity that a handle leads to."""

    @property
    def did(self) -> str: ...

    @property
    def handle(self) -> str | None: ...


class ResolveHandle(Protocol):
    """Finds the identity of a handle or a DID, both ways. Raises `SignInFailed`."""

    async def __call__(self, typed: str) -> Resolved: ...


async def find_addressee(db: Database, resolve: ResolveHandle | None, typed: str) -> Addressee:
    """Whom `typed` names; `resolve` is None on a host where nobody signs in from elsewhere.

    A name with a dot or a colon is a handle or a DID, every other one the user name of an account here. Raises
    `MemberRefused`, and `SignInFailed` with a sentence about the handle.
    """
    name = typed.strip().removeprefix("@")
    if not name or len(name) > _MAX_CHARS:
        raise MemberRefused("Type the user name of somebody on this host." if resolve is None else _WHAT_TO_TYPE)
    if "." not in name and ":" not in name:
        user = find_user_by_name(db, name.lower())
        if user is None:
            raise MemberRefused(_NOBODY_HERE if resolve is None else f"{_NOBODY_HERE} {_OR_A_HANDLE}")
        return Addressee(OWN_ACCOUNTS, user.id, user.name)
    if resolve is None:
        raise MemberRefused("Nobody signs in to this host with a handle. Invite them by user name, or by a link.")
    found = await resolve(name)
    return Addressee(ELSEWHERE, found.did, f"@{found.handle}" if found.handle else found.did)
