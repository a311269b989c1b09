"""Pages and attachments as MCP resources: listed in the catalog's order, found by template, read as they are."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PaginatedRequestParams, ReadResourceRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from robot.mcp import uris
from robot.mcp.call import Call, Calls
from robot.mcp.failures import explain
from robot.mcp.keeping import NAMES_MS, SETTLED_MS, TEXT_MS, kept
from robot.mcp.paging import cursor_of, name_in, refuse_cursor
from robot.mcp.render import MAX_CONTENT_BYTES, cut, one_line
from wikihost.attachments import mime_type
from wikihost.content import Content
from wikihost.errors import ContentError
from wikihost.values import Attachment, Page, PageSummary

MARKDOWN = "text/markdown"
PAGE_SIZE = 200
# An attachment comes inside one JSON message, a third longer than it is.
MAX_RESOURCE_BYTES = 1024 * 1024
# Until 2026-07-28 the protocol had an error of its own for a resource that is not there.
_RESOURCE_NOT_FOUND = -32002


class WikiResources:
    """The handlers of `resources/list`, `resources/templates/list` and `resources/read`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list_resources(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> HandlerResult:
        """The wiki's pages, by name."""
        call = self._calls.of(context)
        after = "" if params.cursor is None else name_in(params.cursor)
        found = await call.contents.run(call.wiki, lambda content: content.pages_after(after, PAGE_SIZE + 1))
        shown = found[:PAGE_SIZE]
        result: dict[str, Any] = {"resources": [listed(call.wiki.slug, page, size) for page, size in shown]}
        if len(found) > PAGE_SIZE:
            result["nextCursor"] = cursor_of(shown[-1][0].path)
        return kept(result, NAMES_MS, public=call.is_same_for_all)

    async def list_templates(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> HandlerResult:
        """How the addresses of pages and attachments are made."""
        refuse_cursor(params.cursor)
        call = self._calls.of(context)
        return kept({"resourceTemplates": templates(call.wiki.slug)}, SETTLED_MS, public=call.is_same_for_all)

    async def read_resource(
        self, context: ServerRequestContext[Any, Any], params: ReadResourceRequestParams
    ) -> HandlerResult:
        """A page's text as it is, or an attachment. Raises: MCPError when there is none, or it is too large."""
        call = self._calls.of(context)
        is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        not_found = INVALID_PARAMS if is_modern else _RESOURCE_NOT_FOUND
        told = {"uri": params.uri[: uris.MAX_URI_CHARS]}
        try:
            contents = await _read(call, params.uri)
        except ContentError as error:
            raise MCPError(code=not_found, message=explain(error, may_write=call.may_write), data=told) from None
        if contents is None:
            example = uris.page_uri(call.wiki.slug, "Home")
            sentence = f"This wiki has no such resource. The address of a page is like {example}."
            raise MCPError(code=not_found, message=sentence, data=told)
        return kept({"contents": [contents]}, TEXT_MS, public=call.is_same_for_all)


def listed(slug: str, page: PageSummary, size_bytes: int) -> dict[str, Any]:
    """A page as `resources/list` shows it."""
    about = [f"{page.words} words"]
    if page.category is not None:
        about.append(f"category: {one_line(page.category, 60)}")
    if page.tags:
        about.append(f"tags: {one_line(', '.join(page.tags), 100)}")
    return {
        "uri": uris.page_uri(slug, page.path),
        "name": page.path,
        "title": one_line(page.title),
        "description": "; ".join(about),
        "mimeType": MARKDOWN,
        "size": size_bytes,
        "annotations": {"lastModified": page.updated.isoformat()},
    }


def templates(slug: str) -> list[dict[str, Any]]:
    """The templates of a wiki's addresses."""
    return [
        {
            "uriTemplate": uris.template(slug, uris.PAGE),
            "name": "page",
            "title": "Page",
            "description": "The Markdown of a page; path is its name, such as Guides/Setup.",
            "mimeType": MARKDOWN,
        },
        {
            "uriTemplate": uris.template(slug, uris.ATTACHMENT),
            "name": "attachment",
            "title": "Attachment",
            "description": "A file of a page; path is the page's name, a slash, and the file's name.",
        },
    ]


def page_contents(uri: str, page: Page) -> dict[str, Any]:
    """A page's text as contents of a resource, as much of it as a result may hold."""
    meta = {"revision": page.revision, "path": page.path}
    return {"uri": uri, "mimeType": MARKDOWN, "text": _bounded_text(page), "_meta": meta}


def _bounded_text(page: Page) -> str:
    beginning = cut(page.text, MAX_CONTENT_BYTES)
    if beginning == page.text:
        return page.text
    whole = beginning.splitlines(keepends=True)[:-1]
    if not whole:
        return f"(Only the beginning of the first line, which is very long.)\n\n{beginning}"
    notice = f"(Only the first {len(whole)} lines: read on with read_note, path {page.path!r}, offset {len(whole)}.)"
    return f"{notice}\n\n{''.join(whole)}"


async def _read(call: Call, uri: str) -> dict[str, Any] | None:
    match uris.parse_uri(call.wiki.slug, uri):
        case uris.PageAddress(name):
            return page_contents(uri, await call.contents.run(call.wiki, lambda content: content.read_page(name)))
        case uris.AttachmentAddress(page, filename):
            return await call.contents.run(call.wiki, lambda content: _attachment(content, uri, page, filename))
        case None:
            return None


def _attachment(content: Content, uri: str, page: str, filename: str) -> dict[str, Any]:
    found = content.find_attachment(page, filename)
    if found.size > MAX_RESOURCE_BYTES:
        raise _too_large(found)
    return {"uri": uri, **_encoded(mime_type(found.filename), content.read_blob(found.blob))}


def _encoded(kind: str, data: bytes) -> Mapping[str, str]:
    if kind.startswith("text/"):
        try:
            return {"mimeType": kind, "text": data.decode()}
        except UnicodeDecodeError:
            pass
    return {"mimeType": kind, "blob": base64.b64encode(data).decode()}


def _too_large(found: Attachment) -> MCPError:
    sentence = (
        f"{found.filename} has {found.size} bytes, and a resource at most {MAX_RESOURCE_BYTES}. "
        "Open it in the browser, or download it over the REST API."
    )
    return MCPError(code=INVALID_PARAMS, message=sentence)
