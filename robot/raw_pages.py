"""What programs read of a wiki: `GET /{page}.md`, `/llms.txt`, which lists the pages, and `/robots.txt`.

All are answered here and wake no worker, for whoever may read the wiki's pages in a browser. No page's name ends in
`.md`, so nothing is hidden by this; where a wiki has a page named `llms.txt`, that is what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from proxy.asgi import App, Headers, Receive, Scope, Send, values_of
from robot.access import may
from robot.answers import answer, answer_text, redirect
from robot.contents import Contents
from robot.model import Action, Visibility, WikiRequest
from wikihost.content import Content
from wikihost.errors import ContentError, InvalidPageName, PageNotFound
from wikihost.names import SUFFIX, page_key
from wikihost.values import PageSummary

INDEX = "llms.txt"
CRAWLERS = "robots.txt"
MAX_LISTED = 2_000
_NO_CRAWLING = b"User-agent: *\nDisallow: /\n"

# The text is its authors': no browser is to take it for anything but a text (WHATWG MIME Sniffing).
_HARMLESS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"referrer-policy", b"same-origin"),
]


class RawPages:
    """Stands before the wiki's own pages, and lets everything else through to them."""

    def __init__(self, contents: Contents, pages: App) -> None:
        self._contents = contents
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request on a wiki host; `scope["robot.request"]` says which wiki and who asks."""
        request: WikiRequest = scope["robot.request"]
        name = scope["path"].removeprefix("/")
        is_reading = scope["method"] in ("GET", "HEAD")
        if name == CRAWLERS and is_reading and request.wiki.visibility is not Visibility.PUBLIC:
            # The same for a wiki that does not exist. What a public one says, its owner decides in Otter Wiki.
            await answer(send, 200, _fields(request, b"text/plain"), _NO_CRAWLING, head_only=scope["method"] == "HEAD")
        elif not is_reading or not may(request.actor, Action.READ, request.wiki):
            await self._pages(scope, receive, send)
        elif name.endswith(SUFFIX) and not name.startswith("-/"):
            await self._page(scope, send, request, name)
        elif name != INDEX or not await self._index(scope, send, request):
            await self._pages(scope, receive, send)

    async def _page(self, scope: Scope, send: Send, request: WikiRequest, name: str) -> None:
        try:
            page = await self._contents.run(request.wiki, lambda content: content.read_page(name))
        except (PageNotFound, InvalidPageName):
            await answer_text(send, 404, "There is no such page.")
            return
        except ContentError:
            await answer_text(send, 503, "The page cannot be read at the moment. Please try again.")
            return
        if page.redirected_from is not None:
            await redirect(send, f"/{quote(page.path)}{SUFFIX}")
            return
        etag = f'"{page.revision}"'.encode()
        fields = [(b"etag", etag), *_fields(request, b"text/markdown")]
        if any(etag in value for value in values_of(scope["headers"], b"if-none-match")):
            await send({"type": "http.response.start", "status": 304, "headers": fields})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await answer(send, 200, fields, page.text.encode(), head_only=scope["method"] == "HEAD")

    async def _index(self, scope: Scope, send: Send, request: WikiRequest) -> bool:
        """List a public wiki for agents (llmstxt.org). False when it has none: it is not public, or has such a page."""
        if request.wiki.visibility is not Visibility.PUBLIC:
            return False
        try:
            pages = await self._contents.run(request.wiki, Content.list_pages)
        except ContentError:
            await answer_text(send, 503, "The wiki cannot be read at the moment. Please try again.")
            return True
        if any(page_key(page.path) == INDEX for page in pages):
            return False
        text = index_of(request, pages).encode()
        await answer(send, 200, _fields(request, b"text/plain"), text, head_only=scope["method"] == "HEAD")
        return True


def index_of(request: WikiRequest, pages: Sequence[PageSummary]) -> str:
    """The wiki and its pages in Markdown, with an address for each (pure)."""
    wiki = request.wiki
    about = f"> {wiki.description}\n\n" if wiki.description else ""
    listed = "".join(
        f"- [{_shown(page.title)}]({request.home}/{quote(page.path)}{SUFFIX}): {page.words} words\n"
        for page in pages[:MAX_LISTED]
    )
    more = f"\nThere are {len(pages) - MAX_LISTED:,} more.\n" if len(pages) > MAX_LISTED else ""
    return (
        f"# {_shown(wiki.name)}\n\n{about}A wiki. Agents with an account read and search it over MCP at"
        f" {request.home}/mcp.\n\n## Pages\n\n{listed}{more}"
    )


def _shown(text: str) -> str:
    """In one line, with nothing that would end the text of a link."""
    return " ".join(text.split()).replace("[", "\\[").replace("]", "\\]")


def _fields(request: WikiRequest, kind: bytes) -> Headers:
    """A shared cache may keep what everybody may read, and asks again each time."""
    is_open = request.wiki.visibility is not Visibility.PRIVATE
    control = b"no-cache" if is_open else b"private, no-cache"
    return [
        (b"content-type", kind + b"; charset=utf-8"),
        (b"cache-control", control),
        *_HARMLESS,
    ]
