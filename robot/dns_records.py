"""What the domain name system says of a name beside its addresses: TXT and CNAME records, asked for within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.resolver
import trio
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

LOOKUP_S = 4.0
MAX_TEXT_CHARS = 1_000


class LookupFailed(Exception):
    """Nobody answered, or not in a way that says anything; the message is a sentence."""


class DnsRecords(Protocol):
    """Records by name. Tests put one of their own in this place."""

    async def txt(self, name: str) -> Sequence[str]:
        """The texts at a name, each joined from its pieces; none if there are none. Raises `LookupFailed`."""
        ...

    async def cname(self, name: str) -> str | None:
        """The name that a name stands for, in lower case without a dot at its end. Raises `LookupFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class PublicDns:
    """Asks the machine's name servers, or those at this address and port."""

    server: tuple[str, int] | None = None

    async def txt(self, name: str) -> Sequence[str]:
        found = [record for record in await self._ask(name, dns.rdatatype.TXT) if isinstance(record, TXT)]
        texts = (b"".join(record.strings).decode("utf-8", "replace") for record in found)
        return [text for text in texts if len(text) <= MAX_TEXT_CHARS]

    async def cname(self, name: str) -> str | None:
        found = [record for record in await self._ask(name, dns.rdatatype.CNAME) if isinstance(record, CNAME)]
        return found[0].target.to_text(omit_final_dot=True).lower() if found else None

    async def addresses(self, name: str) -> Sequence[str]:
        """The network addresses of a name, by way of any CNAME; none if there are none. Raises `LookupFailed`."""
        found = [*await self._ask(name, dns.rdatatype.A), *await self._ask(name, dns.rdatatype.AAAA)]
        return [record.address for record in found if isinstance(record, A | AAAA)]

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> Sequence[dns.rdata.Rdata]:
        failed = LookupFailed(f"The name servers said nothing about {name} just now; try again in a few minutes.")
        try:
            with trio.fail_after(LOOKUP_S):
                resolver = await trio.to_thread.run_sync(self._resolver)
                answer = await resolver.resolve(
                    dns.name.from_text(name),
                    kind,
                    raise_on_no_answer=False,
                    search=False,
                    lifetime=LOOKUP_S,
                    backend=dns.asyncbackend.get_backend("trio"),
                )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, trio.TooSlowError):
            raise failed from None
        return list(answer.rrset or [])

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """One for each question: what the machine's settings say now counts, and nothing is kept between."""
        if self.server is None:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        address, resolver.port = self.server
        resolver.nameservers = [address]
        return resolver
