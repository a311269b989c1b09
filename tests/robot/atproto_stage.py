"""The provider for Bluesky between a browser that a test plays and servers of `fake_atproto`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from robot.address import PublicAddress
from robot.fetch import Door, Fetched, FetchRefused
from robot.secret import new_secret
from robot.signin.atproto.client_document import client_jwks, client_metadata
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.atproto.identity import Identities
from robot.signin.atproto.provider import AtprotoProvider, atproto_provider
from robot.signin.providers import Departure, Identity
from tests.robot.fake_atproto import HANDLE, FakeServers
from tests.robot.fake_dns import FakeDns
from tests.robot.small_host import FakeClock

ADDRESS = PublicAddress("https", "app.robot.dev", 443)


async def _public(host: str, port: int) -> Sequence[str]:
    return ["1.1.1.1"]


@dataclass(frozen=True, slots=True)
class FakeDoor(Door):
    """A door behind which the fake servers are; what it lets through, and what it refuses, is as at the real one."""

    servers: FakeServers | None = None

    async def get(self, url: str, *, max_redirects: int = 3, **how: Any) -> Fetched:
        assert max_redirects == 0 or url.endswith("/atproto-did") or "plc.directory" in url
        return await self._reach("GET", url, None, **how)

    async def post(self, url: str, *, body: bytes, content_type: str, **how: Any) -> Fetched:
        how["headers"] = {"Content-Type": content_type, **how["headers"]}
        return await self._reach("POST", url, body, **how)

    async def _reach(
        self,
        method: str,
        url: str,
        body: bytes | None,
        *,
        types: Iterable[str],
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
        statuses: Collection[int] = (200,),
    ) -> Fetched:
        assert deadline_s <= 10
        assert max_bytes <= 64 * 1024
        await self.pin(url)
        await trio.lowlevel.checkpoint()
        assert self.servers is not None
        answer = self.servers.answer(method, url, headers or {}, body)
        accepted = list(types)
        if (
            answer.status not in statuses
            or (accepted and answer.content_type not in accepted)
            or len(answer.body) > max_bytes
        ):
            raise FetchRefused(f"{url} is refused.")
        fetched = Fetched(url, answer.content_type, answer.body, answer.status, answer.headers)
        self.servers.shown.append(repr(fetched))
        return fetched


@dataclass
class Stage:
    """One host that signs people in, and the servers that it asks."""

    clock: FakeClock
    keys: ClientKeys
    servers: FakeServers
    provider: AtprotoProvider
    departure: Departure | None = None

    async def begin(self, typed: str = HANDLE) -> Departure:
        state = new_secret()
        self.servers.secrets.add(state)
        self.departure = await self.provider.begin(typed, state=state)
        return self.departure

    async def sign_in(self, typed: str = HANDLE, **callback: str | None) -> Identity:
        """Begin, say yes, and come back; `callback` changes parameters, or leaves them out where they are None."""
        departure = await self.begin(typed)
        query = {**self.servers.approve(departure.address), **callback}
        return await self.provider.finish(
            {name: value for name, value in query.items() if value is not None}, departure.memory
        )


def stage(folder: Path, *bend: str, address: PublicAddress = ADDRESS) -> Stage:
    clock = FakeClock()
    keys = ClientKeys(folder / "keys", clock=clock)
    servers = FakeServers(clock, lambda: (client_metadata(address), client_jwks(keys.load(), clock())), *bend)
    door = FakeDoor(resolve=_public, servers=servers)
    provider = atproto_provider(door, Identities(door, FakeDns()), keys, address, clock=clock)
    return Stage(clock, keys, servers, provider)
