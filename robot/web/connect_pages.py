"""The ways into somebody's own account: which there are, one more, one less."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint, redirect, request

from robot.db import Database
from robot.model import User
from robot.signin.identities import LastWayIn, identities_of, unlink_identity
from robot.signin.providers import Provider
from robot.web.answers import Answer
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in

_NOTICES = {
    "connected": "It is connected: from now on you can sign in with it.",
    "removed": "It is removed: nobody signs in to your account with it any more. Browsers that did stay signed in until"
    " you sign them out under Account.",
}


class WaysPage:
    """Renders the page. `providers` are those that are switched on, by name."""

    def __init__(self, db: Database, providers: Mapping[str, Provider]) -> None:
        self._db = db
        self._providers = providers

    def show(self, user: User, *, notice: str = "", problem: str = "", failed: str = "", typed: str = "") -> str:
        """The ways into the account of `user`; what was `typed` for the provider `failed` is still there."""
        return render(
            "connect.html",
            user=user,
            here="account",
            identities=identities_of(self._db, user),
            labels={name: provider.label for name, provider in self._providers.items()},
            providers=list(self._providers.values()),
            notice=notice,
            problem=problem,
            failed=failed,
            typed=typed,
        )


def connect_pages(site: Site, *, page: WaysPage) -> Blueprint:
    """`/auth/connect` (GET), `/auth/disconnect`"""
    db, _, sessions = site
    pages = Blueprint("connect", __name__, url_prefix="/auth")

    @pages.get("/connect")
    async def ways() -> str:
        notice = next((text for name, text in _NOTICES.items() if name in request.args), "")
        return page.show(signed_in(sessions), notice=notice)

    @pages.post("/disconnect")
    async def disconnect() -> Answer:
        user, sent = signed_in(sessions), await request.form
        try:
            await unlink_identity(db, user, sent.get("provider", ""), sent.get("subject", ""))
        except LastWayIn as error:
            return page.show(user, problem=str(error)), 409
        return redirect("/auth/connect?removed=1", 303)

    return pages
