"""The page cache: what a wiki's worker answered is given again, as long as the worker would say the same.

A worker marks the answers that may be kept (`wikihost/child/repeatable.py`). They belong to a version of the wiki: the
branch head, the owner's preferences and what the worker was made for. The version is read anew for each request, so
nothing has to be told to forget, and a save is seen at once whichever process made it.

Within a version an answer is found by all that a worker gets to see of such a request. That holds by construction: what
is forwarded is made from what is looked for, and carries no other header of the client's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from proxy.asgi import Headers, Message, Scope, Send
from proxy.cache import ByteCache
from wikihost.fleet import HostedWiki
from wikihost.page_state import PageState, PageStates
from wikihost.worker_protocol import FROZEN_HEADER, ROLE_HEADER, SESSION_COOKIE

# Larger answers are streamed and not kept, and one wiki gets no more than this part of the whole.
MAX_PAGE_BYTES: Final = 1024 * 1024
SHARE_OF_A_WIKI: Final = 0.25
# What an entry takes beside its address, headers and body.
_ENTRY_BYTES: Final = 3_000

_KEPT_STATUS: Final = frozenset((200, 301, 302, 303, 307, 308, 404))
# The client's headers that make a request one for a part of an answer, or give it a body.
_UNUSUAL: Final = frozenset((b"range", b"content-length", b"transfer-encoding"))
_CONDITIONS: Final = (b"if-none-match", b"if-modified-since")
_SESSION: Final = SESSION_COOKIE.encode("ascii")
# The cookies that Otter Wiki's templates look at, with the values that make a difference to them (layout.html).
_MODE: Final = b"halfmoon_preferredMode"
_SIDEBAR: Final = b"halfmoon_sidebar"
_OF_ONE_ANSWER: Final = frozenset((b"content-length", b"cache-control", b"expires", b"vary"))
_OF_A_BODY: Final = frozenset((b"content-type", b"content-length", b"content-disposition"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose answer may be kept, and the wiki as it was then.

    `target` is path and query, `look` what else makes a difference; `headers` are all that a worker may see.
    """

    hosted: HostedWiki
    state: PageState
    target: bytes
    look: Hashable
    headers: Headers
    none_match: bytes


@dataclass(frozen=True, slots=True)
class CacheTally:
    """How often an answer was there and was not, of those that might have been, and the bytes that are kept."""

    hits: int = 0
    misses: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as every visitor gets it who asks the same; `page` is what it shows, as the worker says it."""

    status: int
    headers: Headers
    body: bytes
    etag: bytes | None
    page: str

    async def send(self, send: Send, *, head_only: bool, none_match: bytes) -> None:
        """Send it, or 304 when the client has it already (RFC 9110, 13.1.2 and 15.4.5)."""
        status, headers, body = self.status, self.headers, self.body
        if none_match and self.etag is not None and _matches(none_match, self.etag):
            status, body = 304, b""
            headers = [(name, value) for name, value in headers if name not in _OF_A_BODY]
        elif head_only:
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class PageCache:
    """Kept answers of all wikis. `serves(hosted)` says whether a worker is the one that `hosted` asks for."""

    def __init__(self, states: PageStates, serves: Callable[[HostedWiki], bool], max_bytes: int) -> None:
        self._states = states
        self._serves = serves
        self._answers: ByteCache[KeptAnswer] = ByteCache(max_bytes, int(max_bytes * SHARE_OF_A_WIKI))
        self._is_on = max_bytes > 0
        self._hits = 0
        self._misses = 0

    def ask(self, scope: Scope, origin: str, hosted: HostedWiki, identity: Mapping[str, str]) -> Asked | None:
        """The request as the cache sees it; None for one that only a worker can answer."""
        if not self._is_on or scope["method"] not in ("GET", "HEAD"):
            return None
        seen = _read_headers(scope["headers"])
        state = None if seen is None else self._states.read(hosted.home)
        if seen is None or state is None:
            return None
        cookies, conditions, none_match = seen
        who = (
            identity.get("x-otterwiki-permissions"),
            "x-otterwiki-email" in identity,
            identity.get(ROLE_HEADER),
            FROZEN_HEADER in identity,
        )
        target = scope["raw_path"] + b"?" + scope["query_string"]
        headers = [*conditions, (b"cookie", cookies)] if cookies else conditions
        return Asked(hosted, state, target, (origin, who, cookies), headers, none_match)

    def find(self, asked: Asked) -> KeptAnswer | None:
        found = self._answers.get(asked.hosted.wiki_id, (asked.state, asked.hosted), (asked.target, asked.look))
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
        return found

    def tally(self) -> CacheTally:
        """How the cache did since the start."""
        return CacheTally(self._hits, self._misses, self._answers.size_bytes)

    def keep(self, asked: Asked, answer: KeptAnswer) -> None:
        """Keep `answer` unless the wiki became another since it was asked."""
        if self._states.read(asked.hosted.home) == asked.state and self._serves(asked.hosted):
            head_bytes = sum(len(name) + len(value) for name, value in answer.headers)
            size_bytes = len(asked.target) + head_bytes + len(answer.body) + _ENTRY_BYTES
            version, key = (asked.state, asked.hosted), (asked.target, asked.look)
            self._answers.put(asked.hosted.wiki_id, version, key, answer, size_bytes)

    def forget(self, wiki_id: str) -> None:
        """Let go what was kept of a wiki that changed, before anybody asks; nothing depends on it."""
        self._answers.drop(wiki_id)


class Recorder:
    """Stands between a worker and the client: keeps what may be kept, and passes everything on.

    An answer that may be kept is held back until it is whole, since its ETag goes ahead of it.
    """

    def __init__(self, cache: PageCache, asked: Asked, send: Send) -> None:
        self._cache = cache
        self._asked = asked
        self._send = send
        self._page = ""
        self._made_at = ""
        self._start: Message | None = None
        self._parts: list[bytes] = []

    @property
    def holds(self) -> bool:
        """Whether the client has heard nothing yet of an answer that the worker began."""
        return self._start is not None

    def hear(self, made_at: str, page: str) -> None:
        """Take note of what the worker says of its answer: the commit that it was made at, and the page in it."""
        self._made_at, self._page = made_at, page

    async def send(self, message: Message) -> None:
        """The `send` for the worker's answer."""
        if message["type"] == "http.response.start" and self._may_keep(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start)

    def _may_keep(self, start: Message) -> bool:
        if start["status"] not in _KEPT_STATUS or self._made_at != self._asked.state.head:
            return False
        fields = dict(start["headers"])
        length = int(fields.get(b"content-length", MAX_PAGE_BYTES + 1))
        told_not_to = b"no-store" in fields.get(b"cache-control", b"") or b"set-cookie" in fields
        return length <= MAX_PAGE_BYTES and not told_not_to

    async def _finish(self, start: Message) -> None:
        answer = _kept(start["status"], start["headers"], b"".join(self._parts), self._page)
        self._cache.keep(self._asked, answer)
        self._start = None
        await answer.send(self._send, head_only=False, none_match=self._asked.none_match)


def _kept(status: int, headers: Headers, body: bytes, page: str) -> KeptAnswer:
    """The answer for everybody: browsers may keep it too, if they ask each time whether it is still right."""
    fields = dict(headers)
    etag = fields.get(b"etag") or b'"' + hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"'
    cache_control = fields.get(b"cache-control", b"no-cache")
    kept = [(name, value) for name, value in headers if name not in _OF_ONE_ANSWER and name != b"etag"]
    kept += [
        (b"cache-control", cache_control if b"private" in cache_control else b"private, " + cache_control),
        (b"vary", b"Cookie"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status != 200:
        return KeptAnswer(status, kept, body, None, page)
    return KeptAnswer(status, [*kept, (b"etag", etag)], body, etag, page)


def _read_headers(headers: Headers) -> tuple[bytes, Headers, bytes] | None:
    """The cookies that pages depend on in one spelling, conditions, `If-None-Match`; None for what no cache answers."""
    mode = sidebar = none_match = b""
    conditions: Headers = []
    for name, value in headers:
        if name in _UNUSUAL:
            return None
        if name == b"cookie":
            for pair in value.split(b";"):
                cookie, _, text = pair.strip().partition(b"=")
                if cookie == _SESSION:
                    return None
                if cookie == _MODE and text and not mode:
                    mode = b"dark-mode" if text == b"dark-mode" else b"light-mode"
                elif cookie == _SIDEBAR and text in (b"hidden", b"visible"):
                    sidebar = sidebar or text
        elif name in _CONDITIONS:
            conditions.append((name, value))
            if name == b"if-none-match":
                none_match += b"," + value
    pairs = ((_MODE, mode), (_SIDEBAR, sidebar))
    return b"; ".join(cookie + b"=" + text for cookie, text in pairs if text), conditions, none_match


def _matches(none_match: bytes, etag: bytes) -> bool:
    """Whether a list of tags holds this one, compared weakly, or is the wildcard (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix(b"W/") for tag in none_match.split(b",")]
    return etag.removeprefix(b"W/") in tags or b"*" in tags
