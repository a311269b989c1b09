"""`/api/v1/pages`: list, read, write, edit, remove and rename pages."""

from __future__ import annotations

from urllib.parse import quote, unquote

from quart import Response

from robot.contents import WikiContents
from robot.rest import answers, shapes
from robot.rest.answers import answer_bytes, as_json
from robot.rest.bodies import (
    MAX_PAGE_BODY_BYTES,
    Bodies,
    PatchPage,
    PutPage,
    Removal,
    RenamePage,
    read_json,
    wiki_request,
)
from robot.rest.changing import Changing, Reply
from robot.rest.conditions import base_revision, etag, not_modified
from robot.rest.operations import (
    IF_NONE_MATCH,
    PAGE_ETAG,
    REPLAYED,
    WRITING,
    WRITTEN,
    Access,
    Answer,
    Operation,
)
from robot.rest.problems import BODY, CHANGING, GUARDED, LISTING, READING
from robot.rest.queries import Change, ListPages, ReadPage, RemovePage, WritePage, read_query
from robot.rest.refusals import Refused
from wikihost.content import Content
from wikihost.values import Author, PageFilter

LIST = Operation(
    "list_pages",
    "Pages",
    "GET",
    "/pages",
    "List pages",
    Access.READER,
    (Answer(200, "The pages.", shapes.PageList),),
    "Conditions are joined by “and”.",
    (*READING, *LISTING),
    query=ListPages,
)
READ = Operation(
    "read_page",
    "Pages",
    "GET",
    "/pages/{name}",
    "Read a page",
    Access.READER,
    (
        Answer(200, "The page.", shapes.PageAnswer, headers=(PAGE_ETAG,)),
        Answer(304, "You have it already.", kinds=(), headers=(PAGE_ETAG,)),
    ),
    "An old name leads to the page that it stands for. The `ETag` stands for the page's text; its links may change"
    " without it.",
    (*READING, *LISTING, "page_not_found", "revision_not_found", "invalid_page_name"),
    query=ReadPage,
    headers=(IF_NONE_MATCH,),
)
WRITE = Operation(
    "write_page",
    "Pages",
    "PUT",
    "/pages/{name}",
    "Create a page, or replace its text",
    Access.WRITER,
    (
        Answer(201, "The page is new.", shapes.Put, headers=WRITTEN),
        Answer(200, "The text was replaced, or it was a dry run.", shapes.Put, headers=WRITTEN),
    ),
    "To replace a text, say which revision the new one was made from. At an old name that only stands for another page,"
    " make the change at that page (`path` of what you read), or say `redirect=false` to have a page of its own there.",
    (
        *READING,
        *BODY,
        *CHANGING,
        *GUARDED,
        "revision_required",
        "page_exists",
        "page_too_large",
        "quota_exceeded",
        "invalid_page_text",
    ),
    query=WritePage,
    headers=WRITING,
    body=PutPage,
)
EDIT = Operation(
    "edit_page",
    "Pages",
    "PATCH",
    "/pages/{name}",
    "Replace one piece of a page's text",
    Access.WRITER,
    (Answer(200, "It was replaced.", shapes.Edited, headers=WRITTEN),),
    "`revision` must be there, in the body or in `If-Match`.",
    (
        *READING,
        *BODY,
        *CHANGING,
        *GUARDED,
        "page_not_found",
        "edit_not_applicable",
        "page_too_large",
        "quota_exceeded",
        "invalid_page_text",
    ),
    query=WritePage,
    headers=WRITING,
    body=PatchPage,
)
DELETE = Operation(
    "delete_page",
    "Pages",
    "DELETE",
    "/pages/{name}",
    "Remove a page and its attachments",
    Access.WRITER,
    (Answer(200, "It is gone.", shapes.PageRemoved, headers=(REPLAYED,)),),
    "Pages below it stay. The body is optional; what it says may also stand in the address.",
    (*READING, *BODY, *CHANGING, *GUARDED, "page_not_found"),
    query=RemovePage,
    headers=WRITING,
    body=Removal,
    body_required=False,
)
RENAME = Operation(
    "rename_page",
    "Pages",
    "POST",
    "/pages/{name}/rename",
    "Rename a page",
    Access.WRITER,
    (Answer(200, "It has the new name.", shapes.PageRenamed, headers=WRITTEN),),
    "Attachments go with it, links to it follow, pages below it stay; all in one commit. A small page at the old name"
    " leads readers on.",
    (*READING, *BODY, *CHANGING, *GUARDED, "page_not_found", "page_exists", "quota_exceeded"),
    query=Change,
    headers=WRITING,
    body=RenamePage,
)

OPERATIONS = (LIST, READ, WRITE, EDIT, DELETE, RENAME)


class PageRoutes:
    """The handlers; page names arrive as `app.routable_path` left them, one level of escapes still in place."""

    def __init__(self, contents: WikiContents, changing: Changing, bodies: Bodies) -> None:
        self._contents = contents
        self._changing = changing
        self._bodies = bodies

    async def list_pages(self) -> Response:
        asked = read_query(ListPages)
        wanted = PageFilter(
            prefix=asked.prefix or None,
            category=asked.category or None,
            tag=asked.tag or None,
            updated_since=asked.updated_since,
            orphans=asked.orphans,
        )

        def look_up(content: Content) -> bytes:
            return as_json(answers.page_list(content.list_pages(wanted), asked.cursor, asked.limit, asked.sort))

        return answer_bytes(200, await self._contents.run(wiki_request().wiki, look_up))

    async def read_page(self, name: str) -> Response:
        asked = read_query(ReadPage)

        def look_up(content: Content) -> tuple[str, bytes]:
            page = content.read_page(unquote(name), asked.revision or None, follow_redirect=asked.redirect)
            # Links may change without the page: only its text is what the tag stands for. Where an old name may come to
            # mean another page the tag says which it is; no write takes such a tag for a revision of the old name.
            tag = f"{page.revision}/{quote(page.path)}" if page.redirected_from else page.revision
            return tag, as_json(answers.page(page))

        found, text = await self._contents.run(wiki_request().wiki, look_up)
        return not_modified(found) or answer_bytes(200, text, etag(found))

    async def write_page(self, name: str) -> Response:
        asked = read_query(WritePage)
        async with self._bodies.receive(most_bytes=MAX_PAGE_BODY_BYTES) as received:
            body = await read_json(PutPage, received)
            base = base_revision(body.revision)

            def write(content: Content, author: Author) -> Reply:
                written = content.write_page(
                    unquote(name),
                    body.content,
                    base=base,
                    author=author,
                    message=body.commit_message or None,
                    dry_run=asked.dry_run,
                    follow_redirect=asked.redirect,
                )
                status = 201 if written.created and not asked.dry_run else 200
                revision = None if asked.dry_run else written.revision
                return Reply(status, answers.put(written, dry_run=asked.dry_run), revision)

            return await self._changing.run(write, received.digest)

    async def edit_page(self, name: str) -> Response:
        asked = read_query(WritePage)
        async with self._bodies.receive(most_bytes=MAX_PAGE_BODY_BYTES) as received:
            body = await read_json(PatchPage, received)
            base = base_revision(body.revision)
            if base is None:
                raise Refused(422, "invalid_body", "revision: Field required.")

            def edit(content: Content, author: Author) -> Reply:
                written = content.edit_page(
                    unquote(name),
                    base=base,
                    old=body.old_string,
                    new=body.new_string,
                    author=author,
                    message=body.commit_message or None,
                    dry_run=asked.dry_run,
                    follow_redirect=asked.redirect,
                )
                revision = None if asked.dry_run else written.revision
                return Reply(200, answers.patch(written, dry_run=asked.dry_run), revision)

            return await self._changing.run(edit, received.digest)

    async def delete_page(self, name: str) -> Response:
        asked = read_query(RemovePage)
        body = await self._bodies.read_removal(asked)
        base = base_revision(body.revision)

        def delete(content: Content, author: Author) -> Reply:
            done = content.delete_page(
                unquote(name), base=base, author=author, message=body.commit_message or None, dry_run=asked.dry_run
            )
            return Reply(200, answers.removed(done, dry_run=asked.dry_run))

        return await self._changing.run(delete, body.model_dump_json().encode())

    async def rename_page(self, name: str) -> Response:
        dry_run = read_query(Change).dry_run
        async with self._bodies.receive(most_bytes=MAX_PAGE_BODY_BYTES) as received:
            body = await read_json(RenamePage, received)
        base = base_revision(body.revision)

        def rename(content: Content, author: Author) -> Reply:
            done = content.rename_page(
                unquote(name),
                body.new_path,
                base=base,
                redirect=body.redirect,
                author=author,
                message=body.commit_message or None,
                dry_run=dry_run,
            )
            return Reply(200, answers.renamed(done, dry_run=dry_run), None if dry_run else done.revision)

        return await self._changing.run(rename, received.digest)
