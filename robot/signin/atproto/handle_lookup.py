"""From a handle to the DID that it stands for, as its domain says: by a TXT record, or by a file on its host."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from robot.dns_records import DnsRecords, LookupFailed
from robot.fetch import Door, FetchRefused
from robot.signin.atproto.did_documents import is_did
from robot.signin.atproto.handles import HandlePolicy

DEADLINE_S = 5.0
MAX_FILE_BYTES = 2_048
_PREFIX = "did="


class HandleUnknown(Exception):
    """A handle stands for nobody; the message says why. `is_sure` unless somebody who knows could not be asked."""

    def __init__(self, sentence: str, *, is_sure: bool) -> None:
        super().__init__(sentence)
        self.is_sure = is_sure


@dataclass(frozen=True, slots=True)
class HandleLookup:
    """Asks a handle's domain, anew each time."""

    door: Door
    dns: DnsRecords
    policy: HandlePolicy

    async def did_of(self, handle: str) -> str:
        """The DID of a handle (as `read_handle` gives it). Raises `HandleUnknown`."""
        said: dict[str, str | HandleUnknown] = {}

        async def ask_dns() -> None:
            said["dns"] = await self._in_dns(handle)
            if not isinstance(said["dns"], _NoRecord):
                nursery.cancel_scope.cancel()  # a record counts, whatever the host says

        async def ask_host() -> None:
            said["host"] = await self._at_host(handle)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_host)
            nursery.start_soon(ask_dns)
        dns = said["dns"]
        return _found(_either(dns, said["host"]) if isinstance(dns, _NoRecord) else dns)

    async def _in_dns(self, handle: str) -> str | HandleUnknown:
        try:
            texts = await self.dns.txt(f"_atproto.{handle}")
        except LookupFailed as failure:
            return _NoRecord(str(failure), is_sure=False)
        dids = {text.removeprefix(_PREFIX) for text in texts if text.startswith(_PREFIX)}
        if not dids:
            return _NoRecord(f"DNS has no TXT record at _atproto.{handle}.", is_sure=True)
        if len(dids) > 1:
            return HandleUnknown(f"The TXT records at _atproto.{handle} name several accounts.", is_sure=True)
        did = dids.pop().strip()
        if not is_did(did, self.policy):
            return HandleUnknown(f"The TXT record at _atproto.{handle} names no account.", is_sure=True)
        return did

    async def _at_host(self, handle: str) -> str | HandleUnknown:
        try:
            answer = await self.door.get(
                f"https://{handle}/.well-known/atproto-did",
                types=(),  # a file without an ending is of any type
                max_bytes=MAX_FILE_BYTES,
                deadline_s=DEADLINE_S,
                statuses=(200, 400, 404, 410),
            )
        except FetchRefused as refused:
            return HandleUnknown(str(refused), is_sure=False)
        did = answer.body.decode("utf-8", "replace").strip()
        if answer.status != 200 or not is_did(did, self.policy):
            return HandleUnknown(f"{handle} itself names no account.", is_sure=True)
        return did


class _NoRecord(HandleUnknown):
    """DNS does not speak of the handle, so its host may."""


def _either(dns: _NoRecord, host: str | HandleUnknown) -> str | HandleUnknown:
    if isinstance(host, str):
        return host
    return HandleUnknown(f"{dns} {host}", is_sure=dns.is_sure and host.is_sure)


def _found(said: str | HandleUnknown) -> str:
    if isinstance(said, HandleUnknown):
        raise said
    return said
