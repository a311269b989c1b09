"""What is true of the wiki as a whole, and of a page in time: history, changelog, changes, links."""

from __future__ import annotations

from urllib.parse import unquote

from quart import Quart, Response, request

from robot.contents import Contents
from robot.rest import answers
from robot.rest.answers import answer
from robot.rest.bodies import query_number, query_text, wiki_request
from robot.rest.refusals import Refused
from wikihost.content import MAX_HISTORY, Content
from wikihost.repo import check_revision
from wikihost.values import Commit

DEFAULT_LISTED = 50
MAX_LISTED = 1_000


class WikiRoutes:
    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def add_to(self, app: Quart) -> None:
        app.add_url_rule("/api/v1/pages/<path:name>/history", "history", self.history, methods=["GET"])
        app.add_url_rule("/api/v1/changelog", "changelog", self.changelog, methods=["GET"])
        app.add_url_rule("/api/v1/changes", "changes", self.changes, methods=["GET"])
        app.add_url_rule("/api/v1/links", "links", self.links, methods=["GET"])
        app.add_url_rule("/api/v1/links/<path:name>", "links_around", self.links_around, methods=["GET"])

    async def history(self, name: str) -> Response:
        limit, after = query_number("limit", default=DEFAULT_LISTED, most=MAX_LISTED), _cursor()

        def look_up(content: Content) -> list[Commit]:
            if after is None:
                return content.history(unquote(name), limit + 1)
            commits = content.history(unquote(name), MAX_HISTORY)
            place = next((number for number, entry in enumerate(commits) if entry.revision == after), None)
            if place is None:
                raise _bad_cursor()
            return commits[place + 1 : place + limit + 2]

        commits = await self._contents.run(wiki_request().wiki, look_up)
        return answer(200, answers.history(unquote(name), commits, limit))

    async def changelog(self) -> Response:
        limit, after = _changelog_limit(), _cursor()
        entries, total = await self._contents.run(
            wiki_request().wiki, lambda content: content.changelog(limit + 1, after)
        )
        return answer(200, answers.changelog(entries, total, limit))

    async def changes(self) -> Response:
        since = request.args.get("cursor") or query_text("since")
        limit = query_number("limit", default=DEFAULT_LISTED, most=MAX_LISTED)
        found = await self._contents.run(wiki_request().wiki, lambda content: content.changes_since(since, limit))
        return answer(200, answers.changes(found))

    async def links(self) -> Response:
        return answer(200, answers.links(await self._contents.run(wiki_request().wiki, Content.links)))

    async def links_around(self, name: str) -> Response:
        path, links_to, linked_from = await self._contents.run(
            wiki_request().wiki, lambda content: content.links_around(unquote(name))
        )
        return answer(200, {"path": path, "links_to": links_to, "linked_from": linked_from})


def _cursor() -> str | None:
    cursor = request.args.get("cursor")
    if not cursor:
        return None
    if len(cursor) != 40:
        raise _bad_cursor()
    return check_revision(cursor)


def _bad_cursor() -> Refused:
    return Refused(422, "invalid_cursor", "The cursor is none of this list; begin without one.")


def _changelog_limit() -> int:
    """As `query_number`, but a negative limit asks for all, as it always did."""
    text = request.args.get("limit", "")
    if text.startswith("-") and text[1:].isdecimal():
        return MAX_HISTORY - 1
    return query_number("limit", default=DEFAULT_LISTED, most=MAX_LISTED)
