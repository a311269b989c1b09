"""DNS as a table that tests write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from robot.dns_records import LookupFailed


@dataclass
class Zone:
    """Records by name. Names in `silent` get no answer, those in `stuck` none within any time."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    cnames: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def txt(self, name: str) -> Sequence[str]:
        await self._ask(name)
        return self.texts.get(name, [])

    async def cname(self, name: str) -> str | None:
        await self._ask(name)
        return self.cnames.get(name)

    async def addresses(self, name: str) -> Sequence[str]:
        await self._ask(name)
        return self.hosts.get(self.cnames.get(name, name), [])

    async def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.stuck:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if name in self.silent:
            raise LookupFailed(f"The name servers said nothing about {name}.")
