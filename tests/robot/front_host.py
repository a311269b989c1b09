"""The real front over a small host: its platform, its sign-in, REST and MCP, without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import trio

from proxy.asgi import App, Receive, Scope, Send
from robot.activity import Witnesses
from robot.actors import Actors
from robot.answers import answer_text
from robot.client_address import LOOPBACK, ClientNetworks, Network
from robot.credential_uses import CredentialUses
from robot.finished import Observer
from robot.front import BodySizes, Doors, Front
from robot.health import Health
from robot.mcp.call import Calls
from robot.mcp.endpoint import McpEndpoint, stateless
from robot.mcp.listening import Listening
from robot.mcp.server import create_server
from robot.mcp.tools import WRITING_TOOLS
from robot.metrics.exposition import Exposition
from robot.metrics.meters import Meters
from robot.rest.app import create_rest_app
from robot.search.service import SearchService
from robot.traffic import Traffic
from tests.robot.agent_doors import StandInSearch
from tests.robot.small_host import ADDRESS, SmallHost


@dataclass(frozen=True, slots=True)
class FrontHost:
    """Clients of one origin each; the platform's, unless another is named."""

    front: Front

    def client(
        self, origin: str = ADDRESS.platform_origin, token: str | None = None, *, peer: str = "127.0.0.1"
    ) -> httpx2.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(cast("Any", self.front), client=(peer, 1))
        return httpx2.AsyncClient(transport=transport, base_url=origin, headers=headers)


@asynccontextmanager
async def front_host(
    host: SmallHost, *observers: Observer, meters: Meters | None = None, metrics_from: Sequence[Network] = LOOPBACK
) -> AsyncIterator[FrontHost]:
    meters = meters or Meters()
    witness = Witnesses(host.activity.note, meters.deed)
    search = cast("SearchService", StandInSearch())
    rest = create_rest_app(
        contents=host.contents, search=search, domain=ADDRESS.domain, spool=host.data.root, witness=witness
    )
    traffic = Traffic(host.limits, ClientNetworks())
    actors = Actors(host.db, host.sessions, CredentialUses(host.db))
    front = Front(
        ADDRESS, host.db, actors, BodySizes(10**6, 10**6), traffic, ClientNetworks(), [meters.request, *observers]
    )
    listening = Listening(host.contents, front.judge_again)
    calls = Calls(host.contents, search, ADDRESS.domain)
    mcp = McpEndpoint(stateless(create_server(calls, listening, witness, host.limits), WRITING_TOOLS), listening)
    front.open(
        Doors(
            platform=cast(App, host.platform),
            wiki_auth=cast(App, host.wiki_auth),
            rest=cast(App, rest),
            mcp=mcp,
            git=_elsewhere("git"),
            pages=_elsewhere("pages"),
            static=_elsewhere("files"),
            health=Health(host.machine, Exposition(meters, host.machine, host.db), metrics_from),
        )
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(mcp.run)
        await nursery.start(listening.run)
        yield FrontHost(front)
        nursery.cancel_scope.cancel()


def _elsewhere(name: str) -> App:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await answer_text(send, 200, f"The door to {name}.")

    return door
