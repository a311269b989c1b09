"""Records that a test writes, in the place of name servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from robot.dns_records import LookupFailed


@dataclass
class FakeDns:
    """`texts` by name; a name in `silent` is not answered about."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def txt(self, name: str) -> Sequence[str]:
        await self._look(name)
        return self.texts.get(name, [])

    async def cname(self, name: str) -> str | None:
        await self._look(name)
        return self.names.get(name)

    async def _look(self, name: str) -> None:
        await trio.lowlevel.checkpoint()
        self.asked.append(name)
        if name in self.silent:
            raise LookupFailed(f"The name servers said nothing about {name} just now; try again in a few minutes.")
