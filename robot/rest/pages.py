"""`/api/v1/pages`: list, read, write, edit, remove and rename pages."""

from __future__ import annotations

from urllib.parse import quote, unquote

from quart import Quart, Response, request

from robot.contents import Contents
from robot.rest import answers
from robot.rest.answers import answer, etag, not_modified
from robot.rest.bodies import (
    PatchPage,
    PutPage,
    RenamePage,
    if_match,
    query_flag,
    query_instant,
    query_number,
    read_body,
    read_removal,
    wiki_request,
)
from robot.rest.changing import Changing, Reply
from robot.rest.refusals import Refused
from wikihost.content import Content
from wikihost.values import Author, PageFilter

MAX_LISTED = 1_000


class PageRoutes:
    """The handlers; page names arrive as `app.routable_path` left them, one level of escapes still in place."""

    def __init__(self, contents: Contents, changing: Changing) -> None:
        self._contents = contents
        self._changing = changing

    def add_to(self, app: Quart) -> None:
        page = "/api/v1/pages/<path:name>"
        app.add_url_rule("/api/v1/pages", "list_pages", self.list_pages, methods=["GET"])
        app.add_url_rule(page, "read_page", self.read_page, methods=["GET"])
        app.add_url_rule(page, "write_page", self.write_page, methods=["PUT"])
        app.add_url_rule(page, "edit_page", self.edit_page, methods=["PATCH"])
        app.add_url_rule(page, "delete_page", self.delete_page, methods=["DELETE"])
        app.add_url_rule(f"{page}/rename", "rename_page", self.rename_page, methods=["POST"])

    async def list_pages(self) -> Response:
        wanted = PageFilter(
            prefix=request.args.get("prefix") or None,
            category=request.args.get("category") or None,
            tag=request.args.get("tag") or None,
            updated_since=query_instant("updated_since"),
        )
        cursor, limit = request.args.get("cursor", ""), query_number("limit", default=MAX_LISTED, most=MAX_LISTED)
        sort = request.args.get("sort") or "path"
        if sort not in ("path", "updated"):
            raise Refused(422, "invalid_sort", "sort is path or updated.")
        listed = await self._contents.run(
            wiki_request().wiki, lambda content: answers.page_list(content.list_pages(wanted), cursor, limit, sort)
        )
        return answer(200, listed)

    async def read_page(self, name: str) -> Response:
        revision = request.args.get("revision") or None
        follow = query_flag("redirect", default=True)
        page = await self._contents.run(
            wiki_request().wiki, lambda content: content.read_page(unquote(name), revision, follow_redirect=follow)
        )
        # Links may change without the page: only its text is what the tag stands for. Where an old name may come to
        # mean another page the tag says which it is; no write takes such a tag for a revision of the old name.
        tag = f"{page.revision}/{quote(page.path)}" if page.redirected_from else page.revision
        return not_modified(tag) or answer(200, answers.page(page), etag(tag))

    async def write_page(self, name: str) -> Response:
        body, dry_run = await read_body(PutPage), query_flag("dry_run")
        base, follow = body.revision or if_match(), query_flag("redirect", default=True)

        def write(content: Content, author: Author) -> Reply:
            written = content.write_page(
                unquote(name),
                body.content,
                base=base,
                author=author,
                message=body.commit_message or None,
                dry_run=dry_run,
                follow_redirect=follow,
            )
            status = 201 if written.created and not dry_run else 200
            return Reply(status, answers.put(written, dry_run=dry_run), None if dry_run else written.revision)

        return await self._changing.run(write)

    async def edit_page(self, name: str) -> Response:
        body, dry_run = await read_body(PatchPage), query_flag("dry_run")
        base, follow = body.revision or if_match(), query_flag("redirect", default=True)
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
                dry_run=dry_run,
                follow_redirect=follow,
            )
            return Reply(200, answers.patch(written, dry_run=dry_run), None if dry_run else written.revision)

        return await self._changing.run(edit)

    async def delete_page(self, name: str) -> Response:
        body, dry_run = await read_removal(), query_flag("dry_run")
        base = body.revision or if_match()

        def delete(content: Content, author: Author) -> Reply:
            done = content.delete_page(
                unquote(name), base=base, author=author, message=body.commit_message or None, dry_run=dry_run
            )
            return Reply(200, answers.removed(done, dry_run=dry_run))

        return await self._changing.run(delete)

    async def rename_page(self, name: str) -> Response:
        body, dry_run = await read_body(RenamePage), query_flag("dry_run")
        base = body.revision or if_match()

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

        return await self._changing.run(rename)
