"""Taking back what an agent changed in a wiki: first shown, then done, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.activity import Activity
from robot.audit import AuditAction, Entry, doer_of, note
from robot.authorship import author_of
from robot.contents import Contents
from robot.model import Action, Person, Role, User, Wiki
from robot.web.answers import error_page
from robot.web.diff_lines import DiffLine, diff_lines
from robot.web.page import render
from robot.web.site import Site
from robot.web.undo_selection import Selection, find_selection
from robot.web.visitor import open_wiki, signed_in
from wikihost.content import Content
from wikihost.errors import RevisionNotFound, UndoRefused
from wikihost.values import Author, LoggedCommit, Undone, UndonePage

# What a page shows of what would be done: pages, lines of each, and lines of all.
_MAX_PAGES = 200
_MAX_PAGE_LINES = 400
_MAX_LINES = 4_000


@dataclass(frozen=True, slots=True)
class _Shown:
    """A page with what would be done to it."""

    page: UndonePage
    lines: Sequence[DiffLine]
    more: int


@dataclass(frozen=True, slots=True)
class _Review:
    """What would be undone; `undone` is None where there is nothing, or it cannot be, with the reason.

    `shown` is as much of it as a page can show.
    """

    changes: Sequence[LoggedCommit]
    undone: Undone | None = None
    refusal: str | None = None
    shown: Sequence[_Shown] = ()


def undo_pages(site: Site, *, contents: Contents, activity: Activity) -> Blueprint:
    """`/app/wiki/{slug}/activity/undo`, `/app/wiki/{slug}/activity/undone/{revision}`"""
    db, address, sessions = site
    pages = Blueprint("undo", __name__, url_prefix="/app/wiki/<slug>/activity")

    def page(template: str, user: User, wiki: Wiki, role: Role, **more: object) -> str:
        origin = address.origin_of(wiki)
        return render(template, user=user, here="wikis", wiki=wiki, role=role, origin=origin, **more)

    async def review(user: User, wiki: Wiki, role: Role, selection: Selection, problem: str | None = None) -> str:
        author = author_of(Person(user, role), address.domain, "web")
        found = await contents.run(wiki, lambda content: _look(content, selection, author))
        return page(
            "undo_review.html",
            user,
            wiki,
            role,
            selection=selection,
            since=int(selection.since.timestamp()),
            changes=found.changes,
            undone=found.undone,
            shown=found.shown,
            problem=problem or found.refusal,
        )

    @pages.get("/undo")
    async def ask_undo(slug: str) -> str | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.WRITE, wiki):
            return _writers_only(wiki)
        await activity.flush()
        selection = await find_selection(db, user, wiki, role, request.args)
        return _no_such_agent() if selection is None else await review(user, wiki, role, selection)

    @pages.post("/undo")
    async def undo(slug: str) -> tuple[str, int] | Response | WerkzeugResponse:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.WRITE, wiki):
            return _writers_only(wiki)
        sent = await request.form
        await activity.flush()
        selection = await find_selection(db, user, wiki, role, sent)
        if selection is None:
            return _no_such_agent()
        author = author_of(Person(user, role), address.domain, "web")
        try:
            done = await contents.change(
                wiki, lambda content: _take_back(content, selection, author, sent.get("reviewed", ""))
            )
        except UndoRefused as error:
            return await review(user, wiki, role, selection, str(error)), 409
        undone = f"{selection.agent.person} with “{selection.agent.credential_name}”"
        await note(db, Entry(AuditAction.CHANGES_UNDONE, doer_of(user), wiki.id, undone, done.revision))
        return redirect(f"/app/wiki/{wiki.slug}/activity/undone/{done.revision}", 303)

    @pages.get("/undone/<revision>")
    async def tell_undone(slug: str, revision: str) -> str | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        try:
            entry = await contents.run(wiki, lambda content: content.find_commit(revision))
        except RevisionNotFound:
            return error_page(404, "There is no such change", "The wiki has no change of this address.")
        subject, _, rest = entry.commit.message.partition("\n")
        return page("undone.html", user, wiki, role, entry=entry, subject=subject, rest=rest.strip())

    return pages


def _look(content: Content, selection: Selection, author: Author) -> _Review:
    """What would be done; blocks on git."""
    changes = selection.changes(content)
    if not changes:
        return _Review(changes)
    try:
        undone = content.undo_changes([entry.commit.revision for entry in changes], author=author, dry_run=True)
    except UndoRefused as error:
        return _Review(changes, refusal=str(error))
    return _Review(changes, undone, shown=_shown(undone.pages))


def _take_back(content: Content, selection: Selection, author: Author, reviewed: str) -> Undone:
    """Do what was shown; blocks on git. Raises `UndoRefused`."""
    revisions = [entry.commit.revision for entry in selection.changes(content)]
    return content.undo_changes(revisions, author=author, message=selection.message, reviewed=reviewed)


def _shown(pages: Sequence[UndonePage]) -> list[_Shown]:
    """The first pages, with as many lines of each as there is room for."""
    found: list[_Shown] = []
    room = _MAX_LINES
    for page in pages[:_MAX_PAGES]:
        lines = diff_lines(page.diff)
        shown = lines[: min(_MAX_PAGE_LINES, room)]
        room -= len(shown)
        found.append(_Shown(page, shown, len(lines) - len(shown)))
    return found


def _writers_only(wiki: Wiki) -> Response:
    if wiki.is_frozen:
        return error_page(403, "You may not do this", "This wiki is frozen: it can only be read.")
    return error_page(403, "You may not do this", "Only editors and owners change the wiki.")


def _no_such_agent() -> Response:
    sentence = "It has done nothing here that is still known, or is somebody else's."
    return error_page(404, "There is no such agent", sentence, "Choose one in the wiki's list of activity.")
