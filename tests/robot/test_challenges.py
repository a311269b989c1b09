"""Refusals that a client can act on: which credential gets which status and challenge, at both agents' doors."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import trio

from proxy.asgi import App, Receive, Scope, Send
from robot import access
from robot.access import grant_role
from robot.audit import OPERATOR
from robot.clock import moment, wall_clock
from robot.mcp.endpoint import calls_one_of
from robot.mcp.tools import WRITING_TOOLS
from robot.model import Action, Actor, Agent, Anonymous, Connection, Person, Role, Visibility, Wiki, WikiRequest
from robot.model import Scope as Grant
from robot.oauth.connections import revoke_connection
from robot.oauth.tokens import verify_access
from robot.secret import hash_secret
from robot.tokens import create_token, revoke_token
from tests.mcp_message import tool_call
from tests.robot.agent_doors import ADA, LONG_AGO, ORIGIN, Doors, a_wiki, an_agent, open_doors
from tests.robot.front_host import FrontHost, front_host
from tests.robot.oauth_client import a_program
from tests.robot.small_host import ADDRESS, Browser, SmallHost, withdraw_role

READ, WRITE = frozenset({Grant.READ}), frozenset({Grant.READ, Grant.WRITE})
NOTES = ADDRESS.wiki_origin("notes")


def challenge_of(answer: httpx2.Response) -> dict[str, str] | None:
    """The parameters of a Bearer challenge."""
    header = answer.headers.get("www-authenticate")
    if header is None:
        return None
    scheme, _, rest = header.partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', rest))


def bearer(origin: str, error: str | None) -> dict[str, str]:
    return {
        "realm": origin,
        "scope": "wiki:read wiki:write",
        "resource_metadata": f"{origin}/.well-known/oauth-protected-resource/mcp",
        **({"error": error} if error else {}),
    }


@dataclass
class Scene:
    """A private wiki, and a token and an OAuth connection in every state."""

    host: SmallHost
    front: FrontHost
    wiki: Wiki
    secrets: dict[str, str | None]

    async def ask(self, who: str) -> dict[str, httpx2.Response]:
        """What both doors answer to reading and to writing."""
        page = {"content": "x"}
        async with self.front.client(NOTES, self.secrets[who]) as client:
            return {
                "rest read": await client.get("/api/v1/pages"),
                "rest write": await client.put(f"/api/v1/pages/By {who}", json=page),
                "mcp read": await client.post(**tool_call("list_notes")),
                "mcp write": await client.post(**tool_call("write_note", path=f"By {who} too", **page)),
            }


@pytest.fixture
async def scene(host: SmallHost) -> AsyncIterator[Scene]:
    wiki, other = await host.make_wiki("notes"), await host.make_wiki("other")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    past = moment(wall_clock()) - timedelta(seconds=1)
    made = {
        "writer": await create_token(host.db, host.ada, wiki, "t", WRITE),
        "reader": await create_token(host.db, host.ada, wiki, "t", READ),
        "of another wiki": await create_token(host.db, host.ada, other, "t", WRITE),
        "expired": await create_token(host.db, host.ada, wiki, "t", WRITE, expires=past),
        "revoked": await create_token(host.db, host.ada, wiki, "t", WRITE),
        "of a removed collaborator": await create_token(host.db, host.eve, wiki, "t", WRITE),
    }
    await revoke_token(host.db, wiki, made["revoked"][1].id, by=OPERATOR)
    connections = await connect(host, wiki)
    await withdraw_role(host.db, host.eve, wiki)
    secrets = {who: secret for who, (secret, _) in made.items()} | connections
    async with front_host(host) as front:
        yield Scene(host, front, wiki, {**secrets, "nobody": None, "mistyped": "robot_x"})


async def connect(host: SmallHost, wiki: Wiki) -> dict[str, str]:
    """Access tokens of programs, each of which its person let in."""
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)

    async def let_in(browser: Browser, slug: str = "notes", access: str = "write") -> str:
        return str((await (await a_program(host, slug)).connect(browser, access=access))["access_token"])

    expired, revoked = await let_in(ada), await let_in(ada)
    expire = "UPDATE oauth_tokens SET access_expires_at = 1 WHERE access_hash = ?"
    await host.db.write(lambda connection: connection.execute(expire, (hash_secret(expired),)).rowcount)
    ours = verify_access(host.db, revoked, wiki.id)
    assert ours is not None
    assert await revoke_connection(host.db, wiki, ours[0].id, by=OPERATOR)
    return {
        "connected writer": await let_in(ada),
        "connected reader": await let_in(ada, access="read"),
        "connected to another wiki": await let_in(ada, "other"),
        "expired connection": expired,
        "revoked connection": revoked,
        "connection of a removed collaborator": await let_in(eve),
    }


async def test_a_credential_that_opens_nothing_is_told_where_to_get_another(scene: Scene) -> None:
    opening = {"writer", "reader", "connected writer", "connected reader"}
    assert len(scene.secrets) == 14
    for who in scene.secrets.keys() - opening:
        error = None if who == "nobody" else "invalid_token"
        for door, answer in (await scene.ask(who)).items():
            assert (answer.status_code, challenge_of(answer)) == (401, bearer(NOTES, error)), (who, door)
            assert answer.json()["error"].endswith("."), (who, door)


async def test_a_token_that_may_only_read_is_not_sent_to_get_another(scene: Scene) -> None:
    answers = await scene.ask("reader")
    assert [each.status_code for each in answers.values()] == [200, 403, 200, 200]
    assert answers["mcp write"].json()["result"]["isError"] is True
    assert not any(challenge_of(each) for each in answers.values())


async def test_a_connection_that_may_only_read_is_sent_to_get_more(scene: Scene) -> None:
    answers = await scene.ask("connected reader")
    assert [each.status_code for each in answers.values()] == [200, 403, 200, 403]
    for door in ("rest write", "mcp write"):
        assert challenge_of(answers[door]) == bearer(NOTES, "insufficient_scope")


async def test_a_frozen_wiki_is_read_and_not_written_and_nobody_is_asked_for_more(scene: Scene) -> None:
    for who in ("writer", "connected writer"):
        before = await scene.ask(who)
        assert [each.status_code for each in before.values()] == [200, 201, 200, 200]
        assert before["mcp write"].json()["result"]["isError"] is False
    await scene.host.db.write(lambda connection: connection.execute("UPDATE wikis SET frozen_at = 1").rowcount)
    for who in ("writer", "connected writer", "connected reader"):
        answers = await scene.ask(who)
        assert [each.status_code for each in answers.values()] == [200, 403, 200, 200]
        assert answers["rest write"].json()["error"].endswith(".")
        result = answers["mcp write"].json()["result"]
        assert (result["isError"], result["content"][0]["text"].endswith(".")) == (True, True)
        assert not any(challenge_of(each) for each in answers.values())


async def test_a_public_wiki_is_read_by_anybody_over_rest_and_an_agent_says_who_it_is(host: SmallHost) -> None:
    await host.make_wiki("open", visibility=Visibility.PUBLIC)
    origin = ADDRESS.wiki_origin("open")
    async with front_host(host) as front, front.client(origin) as client:
        assert (await client.get("/api/v1/pages")).status_code == 200
        for refused in (await client.put("/api/v1/pages/X", json={}), await client.post(**tool_call("list_notes"))):
            assert (refused.status_code, challenge_of(refused)) == (401, bearer(origin, None))


def connected(scopes: frozenset[Grant] = READ, role: Role | None = Role.EDITOR, prefix: str | None = None) -> Agent:
    connection = Connection("c1", "w1", ADA.id, "client_x", "A client", scopes, LONG_AGO, None, prefix)
    return Agent(ADA, role, connection, client="A client")


FROZEN = replace(a_wiki(), is_frozen=True)


@pytest.mark.parametrize(
    ("actor", "wiki", "helps"),
    [
        (connected(), a_wiki(), True),
        (connected(role=Role.OWNER), a_wiki(), True),
        (connected(WRITE), a_wiki(), False),
        (connected(role=Role.VIEWER), a_wiki(), False),
        (connected(role=None), a_wiki(Visibility.PUBLIC), False),
        (connected(prefix="Bots/"), a_wiki(), False),
        (connected(), FROZEN, False),
        (connected(), replace(a_wiki(), id="w2"), False),
        (an_agent(Grant.READ), a_wiki(), False),
        (Person(ADA, Role.VIEWER), a_wiki(), False),
        (Anonymous(), a_wiki(), False),
    ],
)
def test_who_would_be_let_in_once_asked(actor: Actor, wiki: Wiki, helps: bool) -> None:
    assert access.may_once_granted(actor, Action.WRITE, wiki) is helps


@pytest.mark.parametrize(("actor", "helps"), [(connected(), True), (connected(prefix="Bots/"), False)])
async def test_a_connection_is_sent_to_ask_for_more(tmp_path: Path, actor: Agent, helps: bool) -> None:
    """By its HTTP status over MCP too, before the tool is called; in words where asking would not help."""
    async with reached(open_doors(tmp_path), WikiRequest(a_wiki(), actor, ORIGIN, "r1")) as client:
        assert (await client.post(**tool_call("list_notes"))).status_code == 200
        written = await client.post(**tool_call("write_note", path="New", content="x"))
        saved = await client.put("/api/v1/pages/New", json={"content": "x"})
    assert (written.status_code, saved.status_code) == (403 if helps else 200, 403)
    for answer in (written, saved):
        assert challenge_of(answer) == (bearer(ORIGIN, "insufficient_scope") if helps else None)
        assert not helps or answer.json()["code"] == "insufficient_scope"


def test_which_messages_call_a_tool_that_writes() -> None:
    assert calls_one_of(WRITING_TOOLS, b'{"method": "tools/call", "params": {"name": "edit_note"}}')
    for other in (
        b'{"method": "tools/call", "params": {"name": "read_note", "arguments": {"path": "edit_note"}}}',
        b'{"method": "tools/list", "params": {"name": "edit_note"}}',
        b'{"method": "tools/call", "params": {"name": ["edit_note"]}}',
        b'{"method": "tools/call", "params": null}',
        b'{"method": "tools/call"}',
        b'[{"method": "tools/call", "params": {"name": "edit_note"}}]',
        b"7",
        b"",
        b"\xff",
        b"[" * 100_000,
    ):
        assert not calls_one_of(WRITING_TOOLS, other)


@asynccontextmanager
async def reached(doors: Doors, request: WikiRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose requests reach both doors as the front would let them."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        scope["robot.request"] = request
        await cast(App, doors.mcp if scope["path"] == "/mcp" else doors.rest)(scope, receive, send)

    async with trio.open_nursery() as nursery:
        await nursery.start(doors.mcp.run)
        transport = httpx2.ASGITransport(cast("Any", application))
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield client
        nursery.cancel_scope.cancel()
