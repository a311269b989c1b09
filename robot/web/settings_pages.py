"""What an owner decides about a wiki: name, description, what agents are told, who may read it, git."""

from __future__ import annotations

from dataclasses import dataclass

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.audit import doer_of
from robot.contents import Contents
from robot.model import Role, User, Wiki
from robot.web.choices import VISIBILITIES
from robot.web.facts import gather_facts
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_own_wiki, signed_in
from robot.wikis import (
    MAX_GUIDANCE_CHARS,
    change_wiki,
    check_description,
    check_guidance,
    check_name,
    check_visibility,
    find_errors,
)

_SAVED = "The settings are saved, and in force."


@dataclass(frozen=True, slots=True)
class _Typed:
    """What somebody chose in the form, kept as it was."""

    name: str
    description: str
    guidance: str
    visibility: str
    git: bool


def settings_pages(site: Site, *, contents: Contents) -> Blueprint:
    """`/app/wiki/{slug}/settings`"""
    db, address, sessions = site
    pages = Blueprint("settings", __name__, url_prefix="/app/wiki/<slug>/settings")

    async def form(user: User, wiki: Wiki, role: Role, typed: _Typed, errors: dict[str, str]) -> str:
        facts = await gather_facts(contents, [wiki])
        return render(
            "settings.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            facts=facts.get(wiki.id),
            typed=typed,
            errors=errors,
            choices=VISIBILITIES,
            max_guidance=MAX_GUIDANCE_CHARS,
            notice=_SAVED if "saved" in request.args else None,
        )

    @pages.get("")
    async def show(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        typed = _Typed(wiki.name, wiki.description, wiki.guidance, wiki.visibility.value, wiki.git_enabled)
        return await form(user, wiki, role, typed, {})

    @pages.post("")
    async def save(slug: str) -> tuple[str, int] | WerkzeugResponse:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        sent = await request.form
        name, description, guidance, visibility = (
            sent.get(field, "") for field in ("name", "description", "guidance", "visibility")
        )
        typed = _Typed(name, description, guidance, visibility, "git" in sent)
        errors = find_errors(
            (check_name, typed.name),
            (check_description, typed.description),
            (check_guidance, typed.guidance),
            (check_visibility, typed.visibility),
        )
        if errors:
            return await form(user, wiki, role, typed, errors), 400
        await change_wiki(
            db,
            wiki,
            name=typed.name,
            description=typed.description,
            guidance=typed.guidance,
            visibility=check_visibility(typed.visibility),
            git_enabled=typed.git,
            by=doer_of(user),
        )
        return redirect(f"/app/wiki/{wiki.slug}/settings?saved=1", 303)

    return pages
