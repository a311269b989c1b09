"""What is true of the wiki as a whole, and of a page in time: history, changelog, changes, links."""

from __future__ import annotations

from urllib.parse import unquote

from quart import Response

from robot.contents import WikiContents
from robot.rest import answers, shapes
from robot.rest.answers import answer, answer_bytes, as_json
from robot.rest.bodies import wiki_request
from robot.rest.operations import Access, Answer, Operation
from robot.rest.problems import LISTING, READING
from robot.rest.queries import ListChangelog, ListChanges, ListHistory, read_query
from robot.rest.refusals import Refused
from wikihost.content import MAX_HISTORY, Content
from wikihost.errors import RevisionNotFound
from wikihost.repo import check_revision
from wikihost.values import Commit

HISTORY = Operation(
    "history",
    "Wiki",
    "GET",
    "/pages/{name}/history",
    "List the commits of a page",
    Access.READER,
    (Answer(200, "The commits.", shapes.History),),
    "",
    (*READING, *LISTING, "invalid_cursor", "invalid_page_name", "page_not_found"),
    query=ListHistory,
)
CHANGELOG = Operation(
    "changelog",
    "Wiki",
    "GET",
    "/changelog",
    "List the commits of the wiki",
    Access.READER,
    (Answer(200, "The commits.", shapes.Changelog),),
    "",
    (*READING, *LISTING, "invalid_cursor"),
    query=ListChangelog,
)
CHANGES = Operation(
    "changes",
    "Wiki",
    "GET",
    "/changes",
    "What happened since a commit",
    Access.READER,
    (Answer(200, "The changes.", shapes.ChangeList),),
    "For programs that follow a wiki: keep `cursor`, and send it as `since` the next time.",
    (*READING, *LISTING, "missing_parameter", "revision_not_found"),
    query=ListChanges,
)
LINKS = Operation(
    "links",
    "Wiki",
    "GET",
    "/links",
    "All links",
    Access.READER,
    (Answer(200, "The links.", shapes.LinkGraphAnswer),),
    "Links to the page itself, and to names that have no page, are among them.",
    READING,
)
LINKS_AROUND = Operation(
    "links_around",
    "Wiki",
    "GET",
    "/links/{name}",
    "The links of one page",
    Access.READER,
    (Answer(200, "The links.", shapes.LinksAround),),
    "The page need not exist.",
    (*READING, "invalid_page_name"),
)

OPERATIONS = (HISTORY, CHANGELOG, CHANGES, LINKS, LINKS_AROUND)


class WikiRoutes:
    def __init__(self, contents: WikiContents) -> None:
        self._contents = contents

    async def history(self, name: str) -> Response:
        asked = read_query(ListHistory)
        limit, after = asked.limit, _cursor(asked.cursor)

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
        asked = read_query(ListChangelog)
        after = _cursor(asked.cursor)

        def look_up(content: Content) -> bytes:
            try:
                entries, total = content.changelog(asked.limit + 1, after)
            except RevisionNotFound:
                raise _bad_cursor() from None
            return as_json(answers.changelog(entries, total, asked.limit))

        return answer_bytes(200, await self._contents.run(wiki_request().wiki, look_up))

    async def changes(self) -> Response:
        asked = read_query(ListChanges)
        since = asked.cursor or asked.since

        def look_up(content: Content) -> bytes:
            return as_json(answers.changes(content.changes_since(since, asked.limit)))

        return answer_bytes(200, await self._contents.run(wiki_request().wiki, look_up))

    async def links(self) -> Response:
        def look_up(content: Content) -> bytes:
            return as_json(answers.links(content.links()))

        return answer_bytes(200, await self._contents.run(wiki_request().wiki, look_up))

    async def links_around(self, name: str) -> Response:
        path, links_to, linked_from = await self._contents.run(
            wiki_request().wiki, lambda content: content.links_around(unquote(name))
        )
        around: shapes.LinksAround = {"path": path, "links_to": links_to, "linked_from": linked_from}
        return answer(200, around)


def _cursor(cursor: str) -> str | None:
    if not cursor:
        return None
    if len(cursor) != 40:
        raise _bad_cursor()
    return check_revision(cursor)


def _bad_cursor() -> Refused:
    return Refused(422, "invalid_cursor", "The cursor is none of this list; begin without one.")
