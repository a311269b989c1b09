"""Making a wiki."""

from __future__ import annotations

from dataclasses import dataclass

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response

from robot.hosting import create_hosted_wiki
from robot.model import User
from robot.ownership import TooManyWikis
from robot.web.choices import VISIBILITIES
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in
from robot.wikis import (
    InvalidWiki,
    check_description,
    check_name,
    check_slug,
    check_visibility,
    find_errors,
    find_slug_objection,
)
from wikihost.layout import DataDir
from wikihost.quota import Quota


@dataclass(frozen=True, slots=True)
class _Typed:
    """What somebody typed into the form, kept as it was."""

    name: str = ""
    slug: str = ""
    description: str = ""
    visibility: str = "private"


def create_pages(site: Site, *, data: DataDir, max_wikis_per_user: int, default_quota: Quota) -> Blueprint:
    """`/app/create`, `/app/create/check`"""
    db, address, sessions = site
    pages = Blueprint("create", __name__, url_prefix="/app/create")

    def form(user: User, typed: _Typed, errors: dict[str, str]) -> str:
        suffix = address.platform_origin.partition("://")[2]
        return render(
            "create.html", user=user, here="create", typed=typed, errors=errors, choices=VISIBILITIES, suffix=suffix
        )

    @pages.get("")
    async def create_form() -> str:
        return form(signed_in(sessions), _Typed(), {})

    @pages.post("")
    async def create() -> tuple[str, int] | Response:
        user = signed_in(sessions)
        sent = await request.form
        typed = _Typed(*(sent.get(field, "") for field in ("name", "slug", "description", "visibility")))
        errors = find_errors(
            (check_name, typed.name),
            (check_slug, typed.slug),
            (check_description, typed.description),
            (check_visibility, typed.visibility),
        )
        if errors:
            return form(user, typed, errors), 400
        try:
            wiki = await create_hosted_wiki(
                db,
                data,
                user,
                slug=typed.slug,
                name=typed.name,
                description=typed.description,
                visibility=check_visibility(typed.visibility),
                domain=address.domain,
                quota=default_quota,
                limit=max_wikis_per_user,
            )
        except InvalidWiki as error:
            return form(user, typed, {error.field: str(error)}), 409
        except TooManyWikis as error:
            return form(user, typed, {"form": str(error)}), 409
        return redirect(f"/app/wiki/{wiki.slug}?created=1", 303)

    @pages.get("/check")
    async def check_address() -> dict[str, str | bool]:
        """For the live check in the form: whether the person could have this address now."""
        user = signed_in(sessions)
        slug = request.args.get("slug", "")
        objection = find_slug_objection(db, slug, user)
        return {"free": objection is None, "sentence": objection or f"The address {slug} is free."}

    return pages
