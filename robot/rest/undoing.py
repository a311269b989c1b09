"""Taking a change back."""

from __future__ import annotations

from quart import Response

from robot.rest import answers, shapes
from robot.rest.changing import Changing, Reply
from robot.rest.operations import IDEMPOTENCY_KEY, WRITTEN, Access, Answer, Operation
from robot.rest.problems import CHANGING, READING
from robot.rest.queries import UndoChange, read_query
from wikihost.content import Content
from wikihost.values import Author

UNDO = Operation(
    "undo_change",
    "Wiki",
    "POST",
    "/changes/{revision}/undo",
    "Take a change back",
    Access.WRITER,
    (Answer(200, "It is undone, by a new commit.", shapes.ChangeUndone, headers=WRITTEN),),
    "Whoever made it, and by whatever door. What came after it stays: pages are merged, and found under newer names.",
    (*READING, *CHANGING, "revision_not_found", "undo_refused", "page_too_large", "quota_exceeded", "page_exists"),
    query=UndoChange,
    headers=(IDEMPOTENCY_KEY,),
)

OPERATIONS = (UNDO,)


class UndoRoutes:
    def __init__(self, changing: Changing) -> None:
        self._changing = changing

    async def undo_change(self, revision: str) -> Response:
        asked = read_query(UndoChange)

        def undo(content: Content, author: Author) -> Reply:
            done = content.undo_change(
                revision, author=author, message=asked.commit_message or None, dry_run=asked.dry_run
            )
            return Reply(200, answers.undone(done, dry_run=asked.dry_run), None if asked.dry_run else done.revision)

        return await self._changing.run(undo, b"")
