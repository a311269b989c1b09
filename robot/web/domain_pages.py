"""A wiki's own domain: asking for one, the records to set, looking whether they are there, giving it up."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.audit import doer_of
from robot.domains.checking import Checks
from robot.domains.claims import claim_domain, find_claim, give_up
from robot.domains.judgement import PATIENCE
from robot.domains.names import InvalidDomain, parse_domain
from robot.model import Action, Person, Role, User, Wiki
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in

# What a redirect may ask the page to say.
_NOTICES = {
    "asked": "Set the two records below where you manage the domain, then check them here.",
    "removed": "The domain is removed. People read the wiki at its first address again.",
}


class _NotOwner(Exception):
    """Somebody with a role in the wiki, but not its owner."""


def domain_pages(site: Site, *, checks: Checks) -> Blueprint:
    """`/app/wiki/{slug}/domain`"""
    db, address, sessions = site
    pages = Blueprint("domain", __name__, url_prefix="/app/wiki/<slug>/domain")

    def owned(slug: str) -> tuple[User, Wiki]:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.ADMINISTER, wiki):
            raise _NotOwner
        return user, wiki

    def page(user: User, wiki: Wiki, typed: str = "", problem: str | None = None) -> str:
        return render(
            "domain.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=Role.OWNER,
            origin=address.origin_of(wiki),
            host_name=f"{wiki.slug}.{address.domain}",
            claim=find_claim(db, wiki),
            patience_days=PATIENCE.days,
            typed=typed,
            problem=problem,
            notice=_NOTICES.get(request.args.get("done", "")),
        )

    @pages.get("")
    async def show(slug: str) -> str:
        return page(*owned(slug))

    @pages.post("")
    async def ask_for(slug: str) -> tuple[str, int] | WerkzeugResponse:
        user, wiki = owned(slug)
        typed = (await request.form).get("domain", "")
        try:
            await claim_domain(db, wiki, parse_domain(typed, address), doer_of(user))
        except InvalidDomain as error:
            return page(user, wiki, typed, str(error)), 400
        return _to_page(wiki, "asked")

    @pages.post("/check")
    async def check(slug: str) -> WerkzeugResponse:
        user, wiki = owned(slug)
        await checks.check(wiki, doer_of(user))
        return _to_page(wiki, "checked")

    @pages.post("/remove")
    async def remove(slug: str) -> WerkzeugResponse:
        user, wiki = owned(slug)
        await give_up(db, wiki, doer_of(user))
        return _to_page(wiki, "removed")

    @pages.errorhandler(_NotOwner)
    async def owners_only(_: _NotOwner) -> Response:
        return error_page(403, "You may not do this", "Only the owner of a wiki gives it a domain.")

    return pages


def _to_page(wiki: Wiki, done: str) -> WerkzeugResponse:
    return redirect(f"/app/wiki/{wiki.slug}/domain?done={done}", 303)
