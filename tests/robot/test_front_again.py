"""A long call is judged anew while it lasts: what let it in may be gone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from robot.access import grant_role, may
from robot.actors import Actors
from robot.audit import OPERATOR, doer_of
from robot.client_address import ClientNetworks
from robot.credential_uses import CredentialUses
from robot.deletion import delete_wiki_for_now
from robot.front import BodySizes, Front
from robot.model import Action, Anonymous, Role, Scope, Visibility, Wiki, WikiRequest
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE
from robot.signin.handoff import challenge_of, issue_code, take_code
from robot.standing import suspend
from robot.tokens import create_token, revoke_token
from robot.traffic import Traffic
from robot.wikis import find_wiki
from tests.mcp_message import tool_call
from tests.robot.front_host import front_host
from tests.robot.small_host import ADDRESS, SmallHost, end_for_good, withdraw_role


@pytest.fixture
def front(host: SmallHost) -> Front:
    return Front(
        ADDRESS,
        host.db,
        Actors(host.db, host.sessions, CredentialUses(host.db)),
        BodySizes(1, 1),
        Traffic(host.limits, ClientNetworks()),
        ClientNetworks(),
    )


def scope_of(wiki: Wiki, secret: str) -> dict[str, Any]:
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    asked = WikiRequest(wiki, Anonymous(), "https://notes.wiki.test", "r1")
    return {"headers": headers, "raw_path": b"/mcp", "robot.request": asked}


async def test_each_door_is_asked_in_its_own_way(host: SmallHost, front: Front) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "a", [Scope.WRITE])
    password = b"Basic " + base64.b64encode(f"git:{secret}".encode())
    scope = scope_of(wiki, secret) | {"headers": [(b"authorization", password)]}
    assert front.judge_again(scope) is None
    judged = front.judge_again(scope | {"raw_path": b"/.git/git-receive-pack"})
    assert judged is not None
    assert may(judged.actor, Action.WRITE, judged.wiki)


async def test_what_ends_a_credential_ends_the_call(host: SmallHost, front: Front) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    secret, token = await create_token(host.db, host.ada, wiki, "a", [Scope.WRITE])
    evil, _ = await create_token(host.db, host.eve, wiki, "e", [Scope.WRITE])
    other = await host.make_wiki("other", visibility=Visibility.PUBLIC)
    judged = front.judge_again(scope_of(wiki, evil))
    assert judged is not None
    assert may(judged.actor, Action.WRITE, judged.wiki)
    assert front.judge_again(scope_of(other, secret)) is None
    await withdraw_role(host.db, host.eve, wiki)
    assert front.judge_again(scope_of(wiki, evil)) is None
    assert front.judge_again(scope_of(wiki, secret)) is not None
    await revoke_token(host.db, wiki, token.id, by=doer_of(host.ada))
    assert front.judge_again(scope_of(wiki, secret)) is None


async def test_the_end_of_a_wiki_ends_the_call(host: SmallHost, front: Front) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "a", [Scope.READ])
    await grant_role(host.db, host.ada, wiki, Role.VIEWER)
    judged = front.judge_again(scope_of(wiki, secret))
    assert judged is not None
    assert not may(judged.actor, Action.WRITE, judged.wiki)
    await end_for_good(host, wiki)
    assert front.judge_again(scope_of(wiki, secret)) is None


@pytest.mark.parametrize(
    ("what", "door"),
    [(what, "rest") for what in ("suspended", "removed", "lowered", "revoked", "wiki deleted")]
    + [("suspended", "mcp"), ("suspended", "browser"), ("revoked", "browser")],
)
async def test_a_body_that_takes_long_ends_with_the_right_to_send_it(host: SmallHost, what: str, door: str) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    secret, token = await create_token(host.db, host.eve, wiki, "e", [Scope.WRITE])
    cookie = await wiki_cookie(host, wiki)

    async def meanwhile() -> None:
        match what:
            case "suspended":
                await suspend(host.db, host.eve, "", by=OPERATOR)
            case "removed":
                await withdraw_role(host.db, host.eve, wiki)
            case "lowered":
                await grant_role(host.db, host.eve, wiki, Role.VIEWER)
            case "revoked":
                await revoke_token(host.db, wiki, token.id, by=doer_of(host.ada))
                await host.sessions.end_all(host.eve)
            case _:
                await delete_wiki_for_now(host.db, wiki, OPERATOR)

    call = tool_call("write_note", path="Late", content="x")
    body, headers = {
        "rest": (b'{"content": "x"}', {"Content-Type": "application/json"}),
        "mcp": (json.dumps(call["json"]).encode(), call["headers"] | {"Content-Type": "application/json"}),
        "browser": (b'{"content": "x"}', {"Content-Type": "application/json", "Origin": "https://notes.wiki.test"}),
    }[door]
    headers |= {"Cookie": f"{WIKI_COOKIE}={cookie}"} if door == "browser" else {"Authorization": f"Bearer {secret}"}

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:-5]
        await meanwhile()
        yield body[-5:]

    async with front_host(host) as front, front.client("https://notes.wiki.test") as client:
        method, path = ("POST", "/mcp") if door == "mcp" else ("PUT", "/api/v1/pages/Late")
        answer = await client.request(method, path, content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text
    names = await host.contents.run(wiki, lambda content: {page.path for page in content.list_pages()})
    assert "Late" not in names


async def test_a_form_of_the_platform_is_judged_when_all_of_it_is_there(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    browser = await host.signed_in(host.eve)
    cookie = f"{PLATFORM_COOKIE}={browser.jars[ADDRESS.platform_origin][PLATFORM_COOKIE]}"

    async def pieces() -> AsyncIterator[bytes]:
        yield b"name=Mine&description=&guidance=&git=on&visib"
        await withdraw_role(host.db, host.eve, wiki)
        yield b"ility=public"

    headers = {"Cookie": cookie, "Origin": ADDRESS.platform_origin, "Content-Type": "application/x-www-form-urlencoded"}
    async with front_host(host) as front, front.client() as client:
        answer = await client.post("/app/wiki/notes/settings", content=pieces(), headers=headers)
    assert answer.status_code == 404
    after = find_wiki(host.db, wiki.id)
    assert after is not None
    assert (after.name, after.visibility) == ("Notes", Visibility.PRIVATE)


async def test_a_body_that_breaks_a_limit_is_refused_as_such_where_quart_reads_it(host: SmallHost) -> None:
    secret, _ = await create_token(host.db, host.ada, await host.make_wiki("notes"), "a", [Scope.WRITE])

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 10**6

    async with front_host(host) as front, front.client("https://notes.wiki.test", secret) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.put("/api/v1/pages/Large", content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def wiki_cookie(host: SmallHost, wiki: Wiki) -> str:
    """That of a browser in which Eve is signed in at the wiki."""
    browser = await host.signed_in(host.eve)
    session = host.sessions.platform_session(
        [(b"cookie", f"{PLATFORM_COOKIE}={browser.jars[ADDRESS.platform_origin][PLATFORM_COOKIE]}".encode())]
    )
    assert session is not None
    arrival = await take_code(
        host.db, await issue_code(host.db, session, wiki, challenge_of("n" * 43), "/"), wiki, ["n" * 43]
    )
    assert arrival is not None
    return arrival.cookie
