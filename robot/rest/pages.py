"""`/api/v1/pages`: list, read, write and edit pages."""

from __future__ import annotations

import re
from urllib.parse import unquote

from quart import Quart, Response, request

from robot.authorship import author_of
from robot.contents import Contents
from robot.rest import answers
from robot.rest.answers import answer
from robot.rest.bodies import PatchPage, PutPage, acting, query_instant, query_number, read_body, wiki_request
from robot.rest.refusals import Refused
from wikihost.values import Author, PageFilter

MAX_LISTED = 1_000
_ETAG = re.compile(r'"([0-9a-f]{40})"')


class PageRoutes:
    """The handlers; page names arrive as `app.routable_path` left them, one level of escapes still in place."""

    def __init__(self, contents: Contents, domain: str) -> None:
        self._contents = contents
        self._domain = domain

    def add_to(self, app: Quart) -> None:
        app.add_url_rule("/api/v1/pages", "list_pages", self.list_pages, methods=["GET"])
        app.add_url_rule("/api/v1/pages/<path:name>", "read_page", self.read_page, methods=["GET"])
        app.add_url_rule("/api/v1/pages/<path:name>", "write_page", self.write_page, methods=["PUT"])
        app.add_url_rule("/api/v1/pages/<path:name>", "edit_page", self.edit_page, methods=["PATCH"])

    async def list_pages(self) -> Response:
        wanted = PageFilter(
            prefix=request.args.get("prefix") or None,
            category=request.args.get("category") or None,
            tag=request.args.get("tag") or None,
            updated_since=query_instant("updated_since"),
        )
        cursor, limit = request.args.get("cursor", ""), query_number("limit", default=MAX_LISTED, most=MAX_LISTED)
        listed = await self._contents.run(
            wiki_request().wiki, lambda content: answers.page_list(content.list_pages(wanted), cursor, limit)
        )
        return answer(200, listed)

    async def read_page(self, name: str) -> Response:
        revision = request.args.get("revision") or None
        page = await self._contents.run(wiki_request().wiki, lambda content: content.read_page(unquote(name), revision))
        etag = _etag(page.revision)
        # Links may change without the page: only its text is what the tag stands for.
        if etag in request.headers.get("If-None-Match", ""):
            return Response(b"", 304, {"ETag": etag, "Cache-Control": "no-cache"})
        return answer(200, answers.page(page), {"ETag": etag})

    async def write_page(self, name: str) -> Response:
        body = await read_body(PutPage)
        base, author = body.revision or _if_match(), self._author()
        written = await self._contents.change(
            wiki_request().wiki,
            lambda content: content.write_page(
                unquote(name), body.content, base=base, author=author, message=body.commit_message or None
            ),
        )
        return answer(201 if written.created else 200, answers.put(written), {"ETag": _etag(written.revision)})

    async def edit_page(self, name: str) -> Response:
        body = await read_body(PatchPage)
        author = self._author()
        written = await self._contents.change(
            wiki_request().wiki,
            lambda content: content.edit_page(
                unquote(name),
                base=body.revision,
                old=body.old_string,
                new=body.new_string,
                author=author,
                message=body.commit_message or None,
            ),
        )
        return answer(200, answers.patch(written), {"ETag": _etag(written.revision)})

    def _author(self) -> Author:
        return author_of(acting(), self._domain, "rest")


def _etag(revision: str) -> str:
    return f'"{revision}"'


def _if_match() -> str | None:
    """The revision in `If-Match`, which means the same as `revision` in the body (RFC 9110, section 13.1.1).

    Raises Refused (422) for what is no ETag of ours, such as `*`: it would overwrite what nobody has read.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if (match := _ETAG.fullmatch(header.strip())) is None:
        raise Refused(422, "invalid_if_match", "If-Match must be the ETag of the page that you read.")
    return match[1]
