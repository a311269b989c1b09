"""What DNS says about a domain that a wiki wants. Nothing is ever fetched from the domain itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import trio

from robot.address import PublicAddress
from robot.dns_records import DnsRecords, LookupFailed
from robot.domains.names import Domain

LOOK_S = 12.0
"""For all questions about one domain together."""

_MAX_SHOWN_ADDRESSES = 4
_Found = TypeVar("_Found")


class DomainRecords(DnsRecords, Protocol):
    """All that is asked of DNS here. Tests put one of their own in this place."""

    async def addresses(self, name: str) -> Sequence[str]:
        """The network addresses of a name, by way of any CNAME; none if there are none. Raises `LookupFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class Unknown:
    """DNS gave no answer; the sentence says so. It proves nothing either way."""

    sentence: str


_TOO_SLOW = Unknown("The name servers took too long to answer; try again in a few minutes.")


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where a domain leads: whether to this host, and the name or the addresses that it has, for people."""

    is_here: bool
    shown: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The texts at the domain's challenge name, and where the domain leads."""

    texts: Sequence[str] | Unknown
    pointing: Pointing | Unknown


async def gather_evidence(records: DomainRecords, domain: Domain, slug: str, address: PublicAddress) -> Evidence:
    """Ask DNS about a domain that the wiki at `slug` wants; bounded in time."""
    texts: Sequence[str] | Unknown = _TOO_SLOW
    pointing: Pointing | Unknown = _TOO_SLOW

    async def ask_texts() -> None:
        nonlocal texts
        texts = await _known(lambda: records.txt(domain.challenge_name))

    async def ask_pointing() -> None:
        nonlocal pointing
        pointing = await _known(lambda: _find_pointing(records, domain, slug, address))

    with trio.move_on_after(LOOK_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_texts)
            nursery.start_soon(ask_pointing)
    return Evidence(texts, pointing)


async def _find_pointing(records: DomainRecords, domain: Domain, slug: str, address: PublicAddress) -> Pointing:
    """By the name that it stands for, or by its addresses: a domain's top can have no CNAME (RFC 1034, 3.6.2)."""
    target = await records.cname(domain.name)
    if target is not None and (target == address.domain or target.endswith(f".{address.domain}")):
        return Pointing(True, target)
    found = await records.addresses(domain.name)
    here = {*await records.addresses(f"{slug}.{address.domain}"), *await records.addresses(address.domain)}
    # Each address must be ours: who comes by another would read something else under the wiki's name.
    is_here = bool(found) and here.issuperset(found)
    return Pointing(is_here, target or ", ".join(sorted(found)[:_MAX_SHOWN_ADDRESSES]))


async def _known(ask: Callable[[], Awaitable[_Found]]) -> _Found | Unknown:
    try:
        return await ask()
    except LookupFailed as error:
        return Unknown(str(error))
