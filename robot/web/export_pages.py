"""The page from which a wiki is taken along; what it links to is in `downloads`."""

from __future__ import annotations

from quart import Blueprint, redirect
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.exports import Form
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in

_FORMS = (
    (
        Form.ZIP,
        "Markdown and attachments",
        "All pages and files as they are now, in a zip. Other programs read it, and it can be imported here again.",
    ),
    (
        Form.BUNDLE,
        "Git history",
        "A bundle with every revision: a copy to keep, to clone from, or to import into a new wiki.",
    ),
    (
        Form.HTML,
        "Static site",
        "Pages that any browser shows from a disk, in a zip. They need no server and hold no script.",
    ),
)


def export_pages(site: Site) -> Blueprint:
    """`/app/wiki/{slug}/export`, and what `…/{form}` answers whom `downloads` gives nothing"""
    db, address, sessions = site
    pages = Blueprint("export", __name__, url_prefix="/app/wiki/<slug>/export")

    @pages.get("")
    async def choose(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        origin = address.origin_of(wiki)
        return render("export.html", user=user, here="wikis", wiki=wiki, role=role, origin=origin, forms=_FORMS)

    @pages.get("/<form>")
    async def give(slug: str, form: str) -> WerkzeugResponse:
        wiki, _ = open_wiki(db, signed_in(sessions), slug)
        if form not in list(Form):
            raise NotFound
        return redirect(f"/app/wiki/{wiki.slug}/export", 303)

    return pages
