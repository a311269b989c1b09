"""Clients whose id is the https address of a document about them (OAuth Client ID Metadata Document).

Whoever names an id makes us ask its host, so: through the one guarded door, without redirects, a small document within
a few seconds, few at a time, no host too often, and both what was found and what was not are kept for a while.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from robot.clock import Clock, steady_clock
from robot.fetch import Door, Fetched, FetchRefused
from robot.oauth.client_metadata import MetadataRefused, read_client_metadata
from robot.oauth.clients import AuthMethod, Client, ClientDocumentFailed
from robot.oauth.redirects import RedirectRefused, check_redirect
from robot.rates import RateLimit

MAX_ID_CHARS = 500
# The draft recommends 5 KiB; a client with many redirect addresses in several languages may need more.
MAX_DOCUMENT_BYTES = 64 * 1024
DEADLINE_S = 5.0

LEAST_KEPT_S = 60
USUALLY_KEPT_S = 3600
LONGEST_KEPT_S = 24 * 3600
FAILURE_KEPT_S = 30
"""How long an address that failed is not asked again; a client's developer waits for it."""

MAX_KEPT = 500
MAX_FETCHES_AT_ONCE = 8
MAX_WAITING = 64
FETCHES_PER_HOST_AND_HOUR = 120

_DOTS = frozenset({".", "..", "%2e", "%2e%2e", ".%2e", "%2e."})


@dataclass(slots=True)
class _Kept:
    """What is known of one address: the client, or why there is none; ask again after `until`."""

    outcome: Client | ClientDocumentFailed
    fetched: float
    until: float


class ClientDocuments:
    """Finds clients by their documents."""

    def __init__(self, door: Door, *, clock: Clock = steady_clock) -> None:
        self._door = door
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._turn = trio.CapacityLimiter(MAX_FETCHES_AT_ONCE)
        self._rates = RateLimit(FETCHES_PER_HOST_AND_HOUR, clock=clock)
        self._under_way: dict[str, trio.Event] = {}

    async def find(self, client_id: str) -> Client:
        """The client of that id, for which `is_document_id` holds. Raises `ClientDocumentFailed`."""
        while (under_way := self._under_way.get(client_id)) is not None:
            await under_way.wait()
        kept = self._kept.get(client_id)
        if kept is None or kept.until <= self._clock():
            kept = await self._ask(client_id, kept)
        if isinstance(kept.outcome, ClientDocumentFailed):
            raise ClientDocumentFailed(str(kept.outcome))
        return kept.outcome

    def kept(self, client_id: str) -> Client | None:
        """The client of that id, if its document is kept and still good."""
        kept = self._kept.get(client_id)
        is_good = kept is not None and kept.until > self._clock()
        return kept.outcome if kept and is_good and isinstance(kept.outcome, Client) else None

    async def _ask(self, client_id: str, before: _Kept | None) -> _Kept:
        """Fetch and keep; whoever asks for the same meanwhile waits."""
        done = self._under_way[client_id] = trio.Event()
        try:
            kept = await self._fetch(client_id, before)
        finally:
            del self._under_way[client_id]
            done.set()
        self._kept[client_id] = kept
        self._kept.move_to_end(client_id)
        if len(self._kept) > MAX_KEPT:
            del self._kept[self._least_missed()]
        return kept

    def _least_missed(self) -> str:
        """The id to forget: the oldest failure, so that made-up ids drive no client out; else the oldest of all."""
        failed = (each for each, kept in self._kept.items() if isinstance(kept.outcome, ClientDocumentFailed))
        return next(failed, next(iter(self._kept)))

    async def _fetch(self, client_id: str, before: _Kept | None) -> _Kept:
        now = self._clock()
        try:
            answer = await self._get(client_id)
            return _Kept(read_document(client_id, answer.body), now, now + kept_for_s(answer))
        except FetchRefused as refused:
            # Nobody is kept out because a site is down for an hour, or because somebody made us ask it too often.
            if before and isinstance(before.outcome, Client) and now < before.fetched + LONGEST_KEPT_S:
                return _Kept(before.outcome, before.fetched, now + FAILURE_KEPT_S)
            failure = ClientDocumentFailed(f"The document about this client cannot be had. {refused}")
        except MetadataRefused as refused:
            failure = ClientDocumentFailed(f"The document about this client is not right. {refused}")
        return _Kept(failure, now, now + FAILURE_KEPT_S)

    async def _get(self, client_id: str) -> Fetched:
        host = urlsplit(client_id).hostname or ""
        if len(self._under_way) > MAX_WAITING or self._rates.take(host):
            raise FetchRefused(f"{host} was asked about clients too often; try again in a few minutes.")
        async with self._turn:
            return await self._door.get(
                client_id,
                types=["application/json"],
                max_bytes=MAX_DOCUMENT_BYTES,
                deadline_s=DEADLINE_S,
                max_redirects=0,
            )


def is_document_id(client_id: str) -> bool:
    """Whether an id is the address of a document: https, with a path, in one spelling only (pure)."""
    if not client_id.startswith("https://") or len(client_id) > MAX_ID_CHARS:
        return False
    try:
        path = urlsplit(check_redirect(client_id)).path
    except RedirectRefused:
        return False
    return len(path) > 1 and not any(segment.lower() in _DOTS for segment in path.split("/"))


def read_document(client_id: str, body: bytes) -> Client:
    """The client that a document fetched from `client_id` is about (pure). Raises `MetadataRefused`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise MetadataRefused("invalid_client_metadata", "It is not JSON.") from None
    metadata = read_client_metadata(said, default_auth=AuthMethod.NONE)
    if said.get("client_id") != client_id:
        raise MetadataRefused("invalid_client_metadata", "Its 'client_id' is not the address that it was fetched from.")
    if metadata.auth_method is not AuthMethod.NONE or said.get("client_secret"):
        raise MetadataRefused(
            "invalid_client_metadata",
            "A client with a document has no secret: its 'token_endpoint_auth_method' is 'none'.",
        )
    return Client(
        id=client_id,
        name=metadata.name,
        uri=metadata.uri,
        redirect_uris=metadata.redirect_uris,
        auth_method=metadata.auth_method,
        secret_hash=None,
        is_document=True,
    )


def kept_for_s(answer: Fetched) -> int:
    """For how long a document is taken as it is, as its server says, within bounds (pure)."""
    control = parse_cache_control_header(answer.headers.get("cache-control"), cls=ResponseCacheControl)
    if control.no_store or control.no_cache:
        return LEAST_KEPT_S
    wished = USUALLY_KEPT_S if control.max_age is None else control.max_age
    return min(max(wished, LEAST_KEPT_S), LONGEST_KEPT_S)
