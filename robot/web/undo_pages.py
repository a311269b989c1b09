"""Taking back what an agent changed in a wiki: first shown, then done, in one commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.activity import Activity
from robot.activity_log import AgentUse, list_agents
from robot.address import PublicAddress
from robot.authorship import author_of
from robot.clock import moment, wall_clock
from robot.contents import Contents
from robot.db import Database
from robot.model import Action, Person, Role, User, Wiki
from robot.signin.sessions import Sessions
from robot.web.answers import error_page
from robot.web.diff_lines import DiffLine, diff_lines
from robot.web.page import render
from robot.web.visitor import open_wiki, signed_in
from wikihost.content import Content
from wikihost.errors import RevisionNotFound, UndoRefused
from wikihost.undoing import MAX_UNDONE
from wikihost.values import LoggedCommit, Undone, UndonePage

# From when on changes are undone, in seconds before now.
SINCE = {
    "hour": ("in the last hour", 3_600),
    "day": ("in the last 24 hours", 86_400),
    "week": ("in the last 7 days", 7 * 86_400),
    "month": ("in the last 30 days", 30 * 86_400),
    "ever": ("ever", None),
}
_MAX_DIFF_LINES = 400  # of each page
_MAX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class _Selection:
    """Whose changes, and from when on."""

    agent: AgentUse
    since: datetime

    @property
    def message(self) -> str:
        since = "" if self.since.timestamp() == 0 else f" since {self.since:%d %b %Y, %H:%M UTC}"
        return f"Undo what {self.agent.person} changed with “{self.agent.credential_name}”{since}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A page with what would be done to it."""

    page: UndonePage
    lines: list[DiffLine]
    more: int


def undo_pages(
    *, db: Database, address: PublicAddress, sessions: Sessions, contents: Contents, activity: Activity
) -> Blueprint:
    """`/app/wiki/{slug}/activity/undo`, `/app/wiki/{slug}/activity/undone/{revision}`"""
    pages = Blueprint("undo", __name__, url_prefix="/app/wiki/<slug>/activity")

    async def select(user: User, wiki: Wiki, role: Role, credential: str, since: str) -> _Selection | None:
        """What the person asks for; None where they may not know of such an agent, or say no time."""
        await activity.flush()
        whose = None if may(Person(user, role), Action.ADMINISTER, wiki) else user
        agents = await list_agents(db, wiki, whose)
        agent = next((agent for agent in agents if agent.credential == credential), None)
        start = _start_of(since)
        return None if agent is None or start is None else _Selection(agent, start)

    def page(template: str, user: User, wiki: Wiki, role: Role, **more: object) -> str:
        origin = address.wiki_origin(wiki.slug)
        return render(template, user=user, here="wikis", wiki=wiki, role=role, origin=origin, **more)

    async def review(
        user: User, wiki: Wiki, role: Role, selection: _Selection, problem: str | None = None
    ) -> tuple[str, int]:
        author = author_of(Person(user, role), address.domain, "web")

        def look(content: Content) -> tuple[list[LoggedCommit], Undone | None, str | None]:
            found = content.changes_by(selection.agent.credential, selection.since, MAX_UNDONE + 1)
            if not found:
                return found, None, None
            revisions = [entry.commit.revision for entry in found]
            try:
                return found, content.undo_changes(revisions, author=author, dry_run=True), None
            except UndoRefused as error:
                return found, None, str(error)

        found, undone, refusal = await contents.run(wiki, look)
        shown = [_shown(each) for each in undone.pages] if undone else []
        body = page(
            "undo_review.html",
            user,
            wiki,
            role,
            selection=selection,
            since=int(selection.since.timestamp()),
            changes=found,
            undone=undone,
            shown=shown,
            problem=problem or refusal,
        )
        return body, 409 if problem else 200

    @pages.get("/undo")
    async def ask_undo(slug: str) -> tuple[str, int] | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.WRITE, wiki):
            return _writers_only(wiki)
        selection = await select(user, wiki, role, request.args.get("credential", ""), request.args.get("since", ""))
        return _no_such_agent() if selection is None else await review(user, wiki, role, selection)

    @pages.post("/undo")
    async def undo(slug: str) -> tuple[str, int] | Response | WerkzeugResponse:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.WRITE, wiki):
            return _writers_only(wiki)
        sent = await request.form
        selection = await select(user, wiki, role, sent.get("credential", ""), sent.get("since", ""))
        if selection is None:
            return _no_such_agent()
        author, reviewed = author_of(Person(user, role), address.domain, "web"), sent.get("reviewed", "")

        def take_back(content: Content) -> Undone:
            found = content.changes_by(selection.agent.credential, selection.since, MAX_UNDONE + 1)
            revisions = [entry.commit.revision for entry in found]
            return content.undo_changes(revisions, author=author, message=selection.message, reviewed=reviewed)

        try:
            done = await contents.change(wiki, take_back)
        except UndoRefused as error:
            return await review(user, wiki, role, selection, str(error))
        return redirect(f"/app/wiki/{wiki.slug}/activity/undone/{done.revision}", 303)

    @pages.get("/undone/<revision>")
    async def tell_undone(slug: str, revision: str) -> str | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.READ, wiki):
            return _no_such_agent()
        try:
            entry = await contents.run(wiki, lambda content: content.find_commit(revision))
        except RevisionNotFound:
            return error_page(404, "There is no such change", "The wiki has no change of this address.")
        subject, _, rest = entry.commit.message.partition("\n")
        return page("undone.html", user, wiki, role, entry=entry, subject=subject, rest=rest.strip())

    return pages


def _start_of(since: str) -> datetime | None:
    """The moment that a form or a link means: a choice of `SINCE`, or whole seconds since 1970."""
    if since in SINCE:
        seconds = SINCE[since][1]
        return moment(0 if seconds is None else int(wall_clock()) - seconds)
    return moment(int(since)) if since.isascii() and since.isdecimal() and len(since) <= _MAX_DIGITS else None


def _shown(page: UndonePage) -> _Shown:
    lines = diff_lines(page.diff)
    return _Shown(page, lines[:_MAX_DIFF_LINES], max(len(lines) - _MAX_DIFF_LINES, 0))


def _writers_only(wiki: Wiki) -> Response:
    if wiki.is_frozen:
        return error_page(403, "You may not do this", "This wiki is frozen: it can only be read.")
    return error_page(403, "You may not do this", "Only editors and owners change the wiki.")


def _no_such_agent() -> Response:
    sentence = "It has done nothing here that is still known, or is somebody else's."
    return error_page(404, "There is no such agent", sentence, "Choose one in the wiki's list of activity.")
