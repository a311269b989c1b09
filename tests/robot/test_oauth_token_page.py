"""`/oauth/token` and `/oauth/revoke` as programs see them, and what their tokens open."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from robot.actors import Actors, BadCredential
from robot.credential_uses import CredentialUses
from robot.model import Agent, Connection
from robot.oauth.clients import AuthMethod
from robot.oauth.endpoints import REVOKE, TOKEN
from tests.robot.oauth_client import CALLBACK, PLATFORM, a_program
from tests.robot.small_host import Browser, SmallHost, text_of


async def test_tokens_come_as_the_rfc_has_them(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    answer = await program.redeem(await program.get_code(browser))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = await answer.get_json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 43200, "wiki:read wiki:write")
    renewed = await (await program.refresh(tokens["refresh_token"])).get_json()
    assert renewed.keys() == tokens.keys()
    assert renewed["refresh_token"] != tokens["refresh_token"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "robot_code_no"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": CALLBACK[:-1]}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"resource": "https://other.wiki.test/mcp"}, "invalid_target"),
        ({"resource": "https://evil.example/mcp"}, "invalid_target"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "client_unknown"}, "invalid_client"),
        ({"client_id": "https://claude.ai/oauth/client"}, "invalid_grant"),
        ({"client_secret": "guessed"}, "invalid_client"),
    ],
)
async def test_faults_of_a_code_exchange(host: SmallHost, wrong: dict[str, str | None], error: str) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    answer = await program.redeem(await program.get_code(browser), **wrong)
    told = await answer.get_json()
    assert told["error"] == error
    assert re.fullmatch(r"[ !#-\[\]-~]+\.", told["error_description"])  # RFC 6749, section 5.2
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert ("WWW-Authenticate" in answer.headers) is (error == "invalid_client")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_faults_of_a_refresh(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    token = (await program.connect(browser, access="read"))["refresh_token"]
    for wrong, error in (
        ({"refresh_token": None}, "invalid_request"),
        ({"refresh_token": "robot_refresh_unknown"}, "invalid_grant"),
        ({"scope": "wiki:write"}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"resource": "https://other.wiki.test/mcp"}, "invalid_target"),
    ):
        answer = await program.token({"grant_type": "refresh_token", "refresh_token": token} | wrong)
        assert (answer.status_code, (await answer.get_json())["error"]) == (400, error)
    assert (await program.refresh(token, scope="wiki:read")).status_code == 200


async def test_requests_that_are_no_forms(host: SmallHost) -> None:
    browser = Browser(host)
    for more in ({"json": {"grant_type": "refresh_token"}}, {"data": b"grant_type=refresh_token"}):
        answer = await browser.post(PLATFORM, TOKEN, **more)
        assert (answer.status_code, (await answer.get_json())["error"]) == (400, "invalid_request")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = await browser.post(PLATFORM, TOKEN, headers=form, data=b"client_id=a&client_id=b")
    assert (twice.status_code, (await twice.get_json())["error"]) == (400, "invalid_request")
    large = await browser.post(PLATFORM, TOKEN, headers=form, data=b"client_id=" + b"a" * 70_000)
    assert (large.status_code, (await large.get_json())["error"]) == (413, "invalid_request")
    assert (await browser.get(PLATFORM, TOKEN)).status_code == 405


async def test_clients_prove_themselves_as_they_registered(host: SmallHost) -> None:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    by_form = await a_program(host, "notes", auth=AuthMethod.POST)
    by_header = await a_program(host, "notes", auth=AuthMethod.BASIC)
    assert (await by_form.redeem(await by_form.get_code(browser))).status_code == 200
    for secret in (None, "wrong", by_header.secret):
        answer = await by_form.redeem(await by_form.get_code(browser), client_secret=secret)
        assert (answer.status_code, (await answer.get_json())["error"]) == (401, "invalid_client")
    good = basic(by_header.client_id, by_header.secret or "")
    for header, client_secret, status in (
        (good, None, 200),
        (good, by_header.secret, 401),  # said twice
        (None, by_header.secret, 401),
        (basic(by_header.client_id, "wrong"), None, 401),
        ("Bearer x", None, 401),
        ("Basic !", None, 401),
    ):
        form = {
            "grant_type": "authorization_code",
            "code": await by_header.get_code(browser),
            "redirect_uri": CALLBACK,
            "code_verifier": by_header.verifier,
            "client_secret": client_secret,
        }
        answer = await by_header.token(form, headers={} if header is None else {"Authorization": header})
        assert answer.status_code == status, (header, await text_of(answer))


async def test_public_clients_can_revoke(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    tokens = await program.connect(browser)
    foreign = await (await a_program(host, "notes")).revoke(tokens["refresh_token"])
    assert foreign.status_code == 400
    assert (await program.revoke("unknown")).status_code == 200
    assert (await program.revoke(tokens["access_token"])).status_code == 200
    assert (await program.refresh(tokens["refresh_token"])).status_code == 400
    missing = await Browser(host).post(PLATFORM, REVOKE, form={"client_id": program.client_id})
    assert (missing.status_code, (await missing.get_json())["error"]) == (400, "invalid_request")


async def test_a_busy_database_is_told_as_json(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    code = await program.get_code(browser)
    host.db._writer.execute("PRAGMA query_only = 1")
    answer = await program.redeem(code)
    host.db._writer.execute("PRAGMA query_only = 0")
    assert (answer.status_code, (await answer.get_json())["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"]
    assert (await program.redeem(code)).status_code == 200  # nothing was lost


async def test_an_access_token_opens_every_door_of_its_wiki_and_none_of_another(host: SmallHost) -> None:
    wiki, other = await host.make_wiki("notes"), await host.make_wiki("other")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    tokens = await program.connect(browser)
    actors = Actors(host.db, host.sessions, CredentialUses(host.db))
    bearer = [(b"authorization", f"Bearer {tokens['access_token']}".encode())]
    password = [(b"authorization", basic("ada", tokens["access_token"], encoded=False).encode())]
    found = [actors.of_caller(bearer, wiki), actors.of_git(bearer, wiki), actors.of_git(password, wiki)]
    for agent in found:
        assert isinstance(agent, Agent)
        assert isinstance(agent.credential, Connection)
        assert (agent.user, agent.client) == (host.ada, "Agent Smith")
    assert isinstance(actors.of_caller(bearer, other), BadCredential)
    assert isinstance(actors.of_git(password, other), BadCredential)
    for secret in (tokens["refresh_token"], tokens["access_token"] + "x"):
        assert isinstance(actors.of_caller([(b"authorization", f"Bearer {secret}".encode())], wiki), BadCredential)


async def test_secrets_are_neither_stored_nor_logged(
    host: SmallHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    with caplog.at_level(logging.DEBUG):
        code = await program.get_code(browser)
        tokens = await (await program.redeem(code)).get_json()
        renewed = await (await program.refresh(tokens["refresh_token"])).get_json()
        assert (await program.redeem(code)).status_code == 400  # the second use is logged
    assert "its code came a second time" in caplog.text
    stored = stored_bytes(tmp_path)
    for secret in (code, *(each[name] for each in (tokens, renewed) for name in ("access_token", "refresh_token"))):
        assert secret not in caplog.text
        assert secret[-30:].encode() not in stored  # the random part alone, whatever stands before it


def stored_bytes(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.glob("robot.db*"))


def basic(name: str, secret: str, *, encoded: bool = True) -> str:
    """A Basic header; clients of OAuth encode both parts as in forms first."""
    both = [quote(part, safe="") if encoded else part for part in (name, secret)]
    return f"Basic {base64.b64encode(':'.join(both).encode()).decode()}"
