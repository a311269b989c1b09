"""Importing into a wiki: the form, what would be done, how far it is, and what was done."""

from __future__ import annotations

from typing import cast

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.audit import AuditAction, Entry, doer_of, note
from robot.db import Database
from robot.imports.jobs import Imports, Job, Stage, TooManyImports
from robot.imports.sources import LocalFile, Origin, RemoteRepository
from robot.model import Action, Person, Role, User, Wiki
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.uploads import UPLOAD, Upload
from robot.web.visitor import open_wiki, signed_in
from robot.wikis import find_wiki_by_slug
from wikihost.errors import FROZEN
from wikihost.imports.values import Choices, LinkStyle, OnExisting

RELOAD_AFTER_S = 2
MAX_LISTED = 200
"""Of each list of a report, so many lines are shown; an import can have fifty thousand."""

_EXISTING = (
    (OnExisting.SKIP, "Leave it as it is", "The page that comes is left out."),
    (OnExisting.REPLACE, "Replace it", "The old text stays in the history."),
    (OnExisting.RENAME, "Keep both", "The page that comes gets a number after its name."),
)
_STYLES = (
    (LinkStyle.AUTO, "Find out from the files"),
    (LinkStyle.OBSIDIAN, "As in Obsidian, or plain Markdown"),
    (LinkStyle.OTTER, "As in Otter Wiki"),
)


def import_pages(site: Site, *, imports: Imports, max_bytes: int) -> Blueprint:
    """`/app/wiki/{slug}/import`, `/app/wiki/{slug}/import/{id}`, and its `/confirm` and `/drop`"""
    db, address, sessions = site
    pages = Blueprint("import", __name__, url_prefix="/app/wiki/<slug>/import")

    def show(template: str, user: User, wiki: Wiki, role: Role, **more: object) -> str:
        origin = address.origin_of(wiki)
        return render(template, user=user, here="wikis", wiki=wiki, role=role, origin=origin, **more)

    def form(user: User, wiki: Wiki, role: Role, url: str = "", problem: str = "") -> str:
        more = {"url": url, "problem": problem, "existing": _EXISTING, "styles": _STYLES, "max_bytes": max_bytes}
        return show("import.html", user, wiki, role, **more)

    def writer(slug: str) -> tuple[User, Wiki, Role] | None:
        """Who is here, if they may write to the wiki; looked at anew for each request."""
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        return (user, wiki, role) if may(Person(user, role), Action.WRITE, wiki) else None

    @pages.get("")
    async def ask(slug: str) -> str | Response:
        who = writer(slug)
        return form(*who) if who else _not_you(db, slug)

    @pages.post("")
    async def begin(slug: str) -> tuple[str, int] | WerkzeugResponse | Response:
        who = writer(slug)
        if who is None:
            return _not_you(db, slug)
        user, wiki, role = who
        sent = await request.form
        url = sent.get("url", "").strip()
        upload = cast("dict[str, Upload]", request.scope).get(UPLOAD)
        origin = _origin(upload, url)
        if isinstance(origin, str):
            return form(user, wiki, role, url, origin), 400
        try:
            choices = Choices(OnExisting(sent.get("existing", "skip")), LinkStyle(sent.get("links", "auto")))
            job = imports.begin(user, wiki, origin, choices, upload.root if upload else imports.new_root())
        except ValueError:
            return form(user, wiki, role, url, "Choose one of the answers that the form offers."), 400
        except TooManyImports as error:
            return form(user, wiki, role, url, str(error)), 429
        if upload is not None:
            upload.kept = True
        return redirect(f"/app/wiki/{wiki.slug}/import/{job.id}", 303)

    @pages.get("/<job_id>")
    async def follow(slug: str, job_id: str) -> tuple[str, int] | Response:
        who = writer(slug)
        if who is None:
            return _not_you(db, slug)
        user, wiki, role = who
        job = imports.find(user, wiki, job_id)
        if job is None:
            return _no_such_import()
        reload_after_s = RELOAD_AFTER_S if job.stage.is_busy else None
        waits_for_room = job.stage is Stage.READY and job.report is not None and bool(job.report.no_room)
        page = show(
            "import_job.html",
            user,
            wiki,
            role,
            job=job,
            stage=job.stage.value,
            percent=_percent(job),
            reload_after_s=reload_after_s,
            most=MAX_LISTED,
        )
        return page, 413 if waits_for_room else 200

    @pages.post("/<job_id>/confirm")
    async def confirm(slug: str, job_id: str) -> WerkzeugResponse | Response:
        who = writer(slug)
        job = who and imports.find(who[0], who[1], job_id)
        if who is None or job is None:
            return _no_such_import() if who else _not_you(db, slug)
        await note(db, Entry(AuditAction.IMPORTED, doer_of(who[0]), who[1].id, job.label))
        imports.confirm(job)
        return redirect(f"/app/wiki/{who[1].slug}/import/{job.id}", 303)

    @pages.post("/<job_id>/drop")
    async def drop(slug: str, job_id: str) -> WerkzeugResponse | Response:
        who = writer(slug)
        job = who and imports.find(who[0], who[1], job_id)
        if who is None or job is None:
            return _no_such_import() if who else _not_you(db, slug)
        imports.drop(job)
        return redirect(f"/app/wiki/{who[1].slug}/import", 303)

    return pages


def _origin(upload: Upload | None, url: str) -> Origin | str:
    """What is to be imported, or what is wrong with the form."""
    if upload is not None and url:
        return "Choose a file or give an address, not both."
    if upload is not None:
        return LocalFile(upload.path, upload.name)
    if not url:
        return "Choose a file, or give the address of a git repository."
    if not url.startswith("https://"):
        return "The address of a repository begins with https://."
    return RemoteRepository(url)


def _percent(job: Job) -> int:
    """How far it is; looking is over after a first pass through the files and a second."""
    return 100 * job.files_done // job.files_total if job.files_total and job.stage is not Stage.DONE else 0


def _not_you(db: Database, slug: str) -> Response:
    wiki = find_wiki_by_slug(db, slug)
    if wiki is not None and wiki.is_frozen:
        return error_page(403, "This wiki is read-only", FROZEN)
    return error_page(403, "You may not do this", "Only editors and owners import pages.")


def _no_such_import() -> Response:
    return error_page(
        404, "This import is gone", "An import is kept for an hour, and not over a restart of the host.", "Begin again."
    )
