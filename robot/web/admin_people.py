"""The operator's pages about people: who is here, keeping somebody out, operators, one-time links."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from quart import Blueprint, redirect, request
from werkzeug.exceptions import NotFound

from robot.accounts import InvalidAccount
from robot.address import PublicAddress
from robot.audit import AuditAction, Entry, note, operating
from robot.census import PEOPLE_FILTERS, PersonRow, find_person, list_people
from robot.db import Database
from robot.model import User
from robot.signin.identities import identities_of
from robot.signin.links import LINK_LIFETIME_S, create_link, link_address
from robot.signin.providers import Provider
from robot.signin.sessions import Sessions
from robot.standing import MAX_WHY_CHARS, LastOperator, set_operator, suspend, unsuspend
from robot.web.account_pages import ways_in
from robot.web.admin_door import TABS, operator_here
from robot.web.answers import Answer
from robot.web.page import render
from robot.web.site import Site
from robot.wikis import wikis_of

_PEOPLE = "/app/admin/people"
_FILTERS = (("", "everybody"), ("operators", "operators"), ("suspended", "suspended"), ("leaving", "leaving"))

# What a redirect may ask the page to say.
_DONE = {
    "suspended": "Suspended, from the next request on: in every browser, and for every agent.",
    "unsuspended": "Not suspended any more. Agents get in as before; the person signs in anew.",
    "operator": "An operator from now on. They sign in anew.",
    "no-operator": "No operator any more.",
}


def admin_people_pages(site: Site, *, providers: Mapping[str, Provider]) -> Blueprint:
    """`/app/admin/people`"""
    db, address, sessions = site
    pages = Blueprint("admin_people", __name__, url_prefix=_PEOPLE)
    _add_views(pages, db, sessions, ways_in(providers))
    _add_standing(pages, db, sessions, ways_in(providers))
    _add_links(pages, db, address, sessions, ways_in(providers))
    return pages


def _add_views(pages: Blueprint, db: Database, sessions: Sessions, ways: Mapping[str, str]) -> None:
    @pages.get("")
    async def show() -> str:
        user = operator_here(sessions)
        search, after = request.args.get("q", ""), request.args.get("after", "")
        only = request.args.get("only", "")
        only = only if only in PEOPLE_FILTERS else ""
        found = await list_people(db, search=search, only=only, after=after)
        return render(
            "admin_people.html",
            user=user,
            here="admin",
            tabs=TABS,
            found=found,
            search=search,
            only=only,
            after=after,
            filters=_FILTERS,
        )

    @pages.get("/<name>")
    async def person(name: str) -> str:
        user = operator_here(sessions)
        return _page(db, ways, user, await _person(db, name))


def _add_standing(pages: Blueprint, db: Database, sessions: Sessions, ways: Mapping[str, str]) -> None:
    async def change(user: User, row: PersonRow, deed: Awaitable[None], goes_on: str, *, why: str = "") -> Answer:
        """Do it and go on, or say why not."""
        try:
            await deed
        except (InvalidAccount, LastOperator) as error:
            return _page(db, ways, user, row, error=str(error), why=why), 400
        return redirect(goes_on, 303)

    @pages.post("/<name>/suspend")
    async def keep_out(name: str) -> Answer:
        user = operator_here(sessions)
        row, why = await _person(db, name), (await request.form).get("why", "")
        if row.user.id == user.id:
            error = "You cannot suspend yourself; another operator can."
            return _page(db, ways, user, row, error=error, why=why), 400
        deed = suspend(db, row.user, why, by=operating(user))
        return await change(user, row, deed, _told(row, "suspended"), why=why)

    @pages.post("/<name>/unsuspend")
    async def let_in(name: str) -> Answer:
        user = operator_here(sessions)
        row = await _person(db, name)
        return await change(user, row, unsuspend(db, row.user, by=operating(user)), _told(row, "unsuspended"))

    @pages.post("/<name>/operator")
    async def make_operator(name: str) -> Answer:
        user = operator_here(sessions)
        row = await _person(db, name)
        is_operator = (await request.form).get("is") == "yes"
        deed = set_operator(db, row.user, is_operator=is_operator, by=operating(user))
        told = _told(row, "operator" if is_operator else "no-operator")
        resigns = row.user.id == user.id and not is_operator
        return await change(user, row, deed, "/app/" if resigns else told)


def _add_links(
    pages: Blueprint, db: Database, address: PublicAddress, sessions: Sessions, ways: Mapping[str, str]
) -> None:
    @pages.post("/<name>/link")
    async def make_link(name: str) -> Answer:
        """Show a link once; an address that is redirected to would keep it in the browser's history."""
        user = operator_here(sessions)
        row = await _person(db, name)
        if row.user.suspended is not None:
            return _page(db, ways, user, row, error="A link opens nothing while its person is suspended."), 400
        secret = await create_link(db, row.user)
        await note(db, Entry(AuditAction.LINK_MADE, operating(user), target=row.user.name))
        return _page(db, ways, user, row, link=link_address(address, secret))


def _page(
    db: Database,
    ways: Mapping[str, str],
    user: User,
    row: PersonRow,
    *,
    error: str | None = None,
    why: str = "",
    link: str = "",
) -> str:
    return render(
        "admin_person.html",
        user=user,
        here="admin",
        tabs=TABS,
        row=row,
        error=error,
        why=why,
        max_why=MAX_WHY_CHARS,
        link=link,
        link_minutes=LINK_LIFETIME_S // 60,
        notice=_DONE.get(request.args.get("done", "")),
        providers=ways,
        identities=identities_of(db, row.user),
        roles=wikis_of(db, row.user),
    )


def _told(row: PersonRow, done: str) -> str:
    """The address of the person's page, where it says what was done."""
    return f"{_PEOPLE}/{row.user.name}?done={done}"


async def _person(db: Database, name: str) -> PersonRow:
    """Raises `NotFound`."""
    found = await find_person(db, name)
    if found is None:
        raise NotFound
    return found
