"""Who is meant by a handle or a DID, proved from both sides: the account names the handle, and the handle the account.

A document is taken as it was five minutes ago at most, and not even so when it decides who is signed in (`fresh`). What
a handle stands for is never kept, but that it stands for nobody is, for a moment. Where the directory of DIDs is down,
nobody is taken for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio
from cachetools import TTLCache

from robot.clock import Clock, steady_clock
from robot.dns_records import DnsRecords, PublicDns
from robot.fetch import Door, FetchRefused
from robot.signin.atproto.did_documents import (
    PLC_DIRECTORY,
    DidDocument,
    DocumentWrong,
    document_url,
    is_did,
    read_document,
)
from robot.signin.atproto.handle_lookup import HandleLookup, HandleUnknown
from robot.signin.atproto.handles import HandlePolicy, NotAHandle, read_handle, tidy
from robot.signin.providers import SignInFailed

DEADLINE_S = 5.0
MAX_DOCUMENT_BYTES = 64 * 1024
DOCUMENT_KEPT_S = 300
UNKNOWN_KEPT_S = 30
"""How long a handle that stood for nobody is not asked about; whoever just set it up waits for it."""
MAX_KEPT = 2_000
MAX_LOOKUPS_AT_ONCE = 16

_TYPES = ("application/json", "application/did+json", "application/did+ld+json")


@dataclass(frozen=True, slots=True)
class ResolvedIdentity:
    """An account. `handle` is None unless it was proved; `pds` is the origin of the server that has the account."""

    did: str
    handle: str | None
    pds: str


@dataclass(frozen=True, slots=True)
class HandleNow:
    """The handle of an account that proves right now; unless `is_sure`, none only because its domain did not answer."""

    handle: str | None
    is_sure: bool


class Identities:
    """Finds accounts. All methods raise `SignInFailed`."""

    def __init__(
        self,
        door: Door,
        dns: DnsRecords | None = None,
        *,
        plc_directory: str = PLC_DIRECTORY,
        policy: HandlePolicy | None = None,
        clock: Clock = steady_clock,
    ) -> None:
        self._door = door
        self._policy = policy or HandlePolicy()
        self._lookup = HandleLookup(door, dns or PublicDns(), self._policy)
        self._plc_directory = plc_directory
        self._documents: TTLCache[str, DidDocument] = TTLCache(MAX_KEPT, DOCUMENT_KEPT_S, clock)
        self._unknown: TTLCache[str, HandleUnknown] = TTLCache(MAX_KEPT, UNKNOWN_KEPT_S, clock)
        self._turn = trio.CapacityLimiter(MAX_LOOKUPS_AT_ONCE)

    async def resolve(self, typed: str) -> ResolvedIdentity:
        """The account of a handle or a DID that somebody typed; one that does not claim the handle is refused."""
        did = tidy(typed)
        if did.startswith("did:"):
            return await self.resolve_did(did)
        try:
            handle = read_handle(typed, self._policy)
            async with self._turn:
                did = await self._did_of(handle)
        except NotAHandle as error:
            raise SignInFailed("invalid", str(error)) from None
        except HandleUnknown as unknown:
            raise SignInFailed("not_found", f"Nobody is found by the handle {handle}. {unknown}") from None
        document = await self._document(did, fresh=False)
        if document.claimed != handle:
            raise SignInFailed("refused", f"{handle} names an account that does not have this handle (any more).")
        return ResolvedIdentity(did, handle, document.pds)

    async def resolve_did(self, did: str, *, fresh: bool = False) -> ResolvedIdentity:
        """The account of a DID; with the handle that it claims if that leads back to it."""
        document = await self._document(did, fresh=fresh)
        try:
            handle = await self._proved(document)
        except HandleUnknown:
            handle = None
        return ResolvedIdentity(did, handle, document.pds)

    async def check_handle(self, did: str) -> HandleNow:
        """What is to be shown for an account from now on, asked anew."""
        document = await self._document(did, fresh=True)
        try:
            return HandleNow(await self._proved(document), is_sure=True)
        except HandleUnknown as unknown:
            return HandleNow(None, is_sure=unknown.is_sure)

    async def _proved(self, document: DidDocument) -> str | None:
        """The claimed handle if its domain agrees. Raises `HandleUnknown`."""
        if document.claimed is None:
            return None
        async with self._turn:
            return document.claimed if await self._did_of(document.claimed) == document.did else None

    async def _did_of(self, handle: str) -> str:
        """Raises `HandleUnknown`."""
        kept = self._unknown.get(handle)
        if kept is not None:
            raise HandleUnknown(str(kept), is_sure=kept.is_sure)
        try:
            return await self._lookup.did_of(handle)
        except HandleUnknown as unknown:
            self._unknown[handle] = unknown
            raise

    async def _document(self, did: str, *, fresh: bool) -> DidDocument:
        if not is_did(did, self._policy):
            raise SignInFailed("invalid", "This is no DID of an account. Those begin with did:plc: or did:web:.")
        kept = None if fresh else self._documents.get(did)
        if kept is None:
            self._documents.pop(did, None)
            async with self._turn:
                kept = await self._fetch(did)
            self._documents[did] = kept
        return kept

    async def _fetch(self, did: str) -> DidDocument:
        try:
            answer = await self._door.get(
                document_url(did, self._plc_directory),
                types=_TYPES,
                max_bytes=MAX_DOCUMENT_BYTES,
                deadline_s=DEADLINE_S,
                max_redirects=0,
                statuses=(200, 404, 410),
            )
        except FetchRefused as refused:
            raise SignInFailed("unreachable", f"Who {did} is cannot be asked just now. {refused}") from None
        if answer.status != 200:
            raise SignInFailed("not_found", f"There is no account {did} (any more).")
        try:
            return read_document(did, answer.body, self._policy)
        except DocumentWrong as wrong:
            raise SignInFailed("refused", f"What is said about {did} is not right. {wrong}") from None
