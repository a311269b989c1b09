"""One wiki of a running robot, and all doors to it: REST, MCP, a browser's requests, and real git."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from tests.git_door.client import Git, address, new_wiki
from tests.harness import Robot
from wikihost.layout import DataDir, WikiHome

_MCP_VERSION = "2026-07-28"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Doors:
    """Clients of one wiki; `browser` is signed in as its owner. Threads may share them."""

    robot: Robot
    slug: str
    token: str
    rest: httpx2.Client
    browser: httpx2.Client

    @property
    def home(self) -> WikiHome:
        """Where the wiki lies."""
        data = DataDir(self.robot.data)
        with closing(sqlite3.connect(data.robot_db)) as connection:
            ((wiki_id,),) = connection.execute("SELECT id FROM wikis WHERE slug = ?", (self.slug,)).fetchall()
        return data.wiki(wiki_id)

    @property
    def address(self) -> str:
        return address(self.robot, self.token, self.slug)

    def clone(self, place: Path) -> Git:
        return Git(place.parent).clone(self.address, place.name)

    def page(self, name: str) -> dict[str, Any]:
        """A page as REST has it."""
        answer = self.rest.get(f"/api/v1/pages/{one_segment(name)}")
        assert answer.status_code == 200, (name, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def put(self, name: str, text: str, revision: str | None = None) -> httpx2.Response:
        body = {"content": text, **({"revision": revision} if revision else {})}
        return self.rest.put(f"/api/v1/pages/{one_segment(name)}", json=body)

    def save(self, name: str, text: str, base: str | None = None) -> httpx2.Response:
        """As the editor saves that was opened at the commit `base`."""
        form = {"content": text, "commit": f"Save {name}", **({"robot_base": base} if base else {})}
        return self.browser.post(f"/{quote(name)}/save", data=form, headers={"Sec-Fetch-Site": "same-origin"})

    def tool(self, tool: str, **arguments: Any) -> tuple[bool, str, Any]:
        """Call a tool over MCP: whether it was done, its words, and its structured result."""
        meta = {"protocolVersion": _MCP_VERSION, "clientCapabilities": {}}
        parameters = {
            "name": tool,
            "arguments": arguments,
            "_meta": {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()},
        }
        answer = self.rest.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters},
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": _MCP_VERSION,
                "Mcp-Method": "tools/call",
                "Mcp-Name": tool,
            },
        )
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        return not result.get("isError", False), result["content"][0]["text"], result.get("structuredContent")


@contextmanager
def open_doors(robot: Robot, slug: str | None = None) -> Iterator[Doors]:
    """A new wiki of the operator's, with its doors."""
    slug = slug or f"t-{secrets.token_hex(4)}"
    token, origin = new_wiki(robot, slug), robot.wiki_origin(slug)
    with robot.agent(token, origin) as rest, robot.client(origin, cookies=robot.sign_in(origin)) as browser:
        rest.timeout = browser.timeout = httpx2.Timeout(_TIMEOUT_S)
        yield Doors(robot, slug, token, rest, browser)


def one_segment(name: str) -> str:
    """A page's name in an address, taken whole; with no dots that a client would resolve."""
    return quote(name, safe="").replace(".", "%2E")
