"""An agent and a person in the same page: the real MCP client, a script over REST, and what a browser is shown."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from robot.mcp.tools import TOOLS
from tests.harness import Robot, robot_command

pytestmark = pytest.mark.flow


@asynccontextmanager
async def mcp_client(
    robot: Robot, token: str | None = None, *, slug: str = "demo", mode: str = "auto"
) -> AsyncIterator[Client]:
    """The SDK's client on a wiki, the demo by default; Python resolves no *.localhost, so the host goes in a header."""
    headers = {"Host": f"{slug}.robot.localhost:{robot.port}", "Authorization": f"Bearer {token or robot.token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"http://127.0.0.1:{robot.port}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    text = "\n".join(block.text for block in result.content if block.type == "text")
    assert not result.is_error, text
    return text


def new_name(prefix: str) -> str:
    return f"{prefix} {secrets.token_hex(4)}"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_real_client_writes_a_page_that_every_door_shows(robot: Robot, mode: str) -> None:
    name = new_name("Agents/Written by agent")
    async with mcp_client(robot, mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
        assert "Created" in await call(client, "write_note", path=name, content="# Tide tables\n\nThe harbour pilot.")
        assert "harbour pilot" in await call(client, "read_note", path=name)
        assert name in await call(client, "search_notes", query="harbour pilot")
    with robot.agent() as script:
        page = script.get(f"/api/v1/pages/{name}").json()
    assert page["content"] == "# Tide tables\n\nThe harbour pilot."
    assert page["last_commit"]["author"].startswith("Keeper (")
    with robot.client() as browser:
        shown = browser.get(f"/{name}", headers={"Accept": "text/html"})
    assert shown.status_code == 200
    assert "The harbour pilot." in shown.text


async def test_an_agent_looks_after_a_page_and_takes_a_change_back(robot: Robot) -> None:
    name, moved = new_name("Agents/Log"), new_name("Agents/Journal")
    async with mcp_client(robot) as client:
        start = (await client.call_tool("get_wiki_info", {})).structured_content["head"]
        await call(client, "write_note", path=name, content="# Log\n\n## Monday\n\nCalm.\n")
        await call(client, "append_note", path=name, section="Monday", content="Wind.")
        image = base64.b64encode(b"\x89PNG\r\n").decode()
        assert "(6 bytes)" in await call(client, "upload_attachment", path=name, filename="tide.png", content=image)
        await call(client, "rename_note", path=name, new_path=moved)
        deleted = (await client.call_tool("delete_note", {"path": moved})).structured_content["revision"]
        assert f"Undid {deleted[:8]}" in await call(client, "undo_change", revision=deleted)
        file = await client.call_tool("download_attachment", {"path": moved, "filename": "tide.png"})
        assert [(block.type, getattr(block, "data", "")) for block in file.content[1:]] == [("image", image)]
        told = (await client.call_tool("get_changes", {"since": start})).structured_content["changes"]
        mine = [(change["path"], change["change"]) for change in told if change["path"] in (name, moved)]
        assert mine == [  # the second update of the old name makes it lead to the new one
            (name, "created"),
            (name, "updated"),
            (moved, "renamed"),
            (name, "updated"),
            (moved, "deleted"),
            (moved, "created"),
        ]
        assert "Calm.\nWind.\n" in await call(client, "read_note", path=moved)
    with robot.client() as browser:
        assert "Wind." in browser.get(f"/{moved}", headers={"Accept": "text/html"}).text


def test_a_save_in_the_browser_is_at_once_what_an_agent_reads(robot: Robot) -> None:
    name = new_name("Browser")
    cookies = robot.sign_in(robot.wiki)
    with robot.client(cookies=cookies) as browser, robot.agent() as script:
        saved = save(browser, name, "Written in a browser.", "First")
        assert saved.status_code in (302, 303), saved.text
        page = script.get(f"/api/v1/pages/{name}").json()
        assert page["content"].strip() == "Written in a browser."
        assert page["last_commit"]["author"] == "Keeper"
        found = script.get("/api/v1/search", params={"q": name}).json()
        assert name in [hit["path"] for hit in found["results"]]
        changed = script.put(
            f"/api/v1/pages/{name}", json={"content": "Changed by a script.", "revision": page["revision"]}
        )
        assert changed.status_code == 200, changed.text
        assert "Changed by a script." in browser.get(f"/{name}").text


def save(browser: httpx2.Client, name: str, text: str, message: str, headers: Mapping[str, str] | None = None) -> Any:
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    return browser.post(
        f"/{name}/save", data={"content": text, "commit": message}, headers={**same_origin, **(headers or {})}
    )


def test_token_of_another_wiki_is_refused_at_every_door(robot: Robot) -> None:
    made = robot_command("wiki", "create", "other", data=robot.data, port=robot.port)
    assert made.returncode == 0, made.stderr
    other = robot_command("token", "create", "other", data=robot.data, port=robot.port).stdout.strip()
    with robot.agent(other) as stranger:
        for method, path in (
            ("GET", "/api/v1/pages"),
            ("GET", "/api/v1/pages/Home"),
            ("PUT", "/api/v1/pages/Stolen"),
            ("POST", "/api/v1/reindex"),
            ("GET", "/api/v1/semantic-search?q=x"),
            ("POST", "/mcp"),
        ):
            answer = stranger.request(method, path, json={"content": "x"})
            assert answer.status_code == 401, (method, path)
            assert "invalid_token" in answer.headers["www-authenticate"]
    with robot.agent(other, robot.wiki_origin("other")) as owner:
        assert owner.get("/api/v1/pages/Home").status_code == 200
    robot_command("wiki", "delete", "other", "--yes", "--for-good", data=robot.data, port=robot.port)


def test_a_revoked_token_dies_at_once(robot: Robot) -> None:
    secret = robot_command(
        "token", "create", "demo", "--name", "brief", data=robot.data, port=robot.port
    ).stdout.strip()
    listed = robot_command("token", "list", "demo", data=robot.data, port=robot.port).stdout
    token_id = next(line.split("\t")[0] for line in listed.splitlines() if line.endswith("brief"))
    with robot.agent(secret) as agent:
        assert agent.get("/api/v1/pages").status_code == 200
        assert robot_command("token", "revoke", "demo", token_id, data=robot.data, port=robot.port).returncode == 0
        assert agent.get("/api/v1/pages").status_code == 401
        assert agent.post("/mcp", json={}).status_code == 401


def test_a_read_only_token_reads_and_does_not_write(robot: Robot) -> None:
    secret = robot_command("token", "create", "demo", "--read-only", data=robot.data, port=robot.port).stdout.strip()
    with robot.agent(secret) as agent:
        assert agent.get("/api/v1/pages/Home").status_code == 200
        refused = agent.put("/api/v1/pages/Nope", json={"content": "x"})
        assert refused.status_code == 403
        assert agent.get("/api/v1/pages/Nope").status_code == 404


def test_a_script_polls_a_reindex(robot: Robot) -> None:
    done = robot_command("reindex", "demo", data=robot.data, port=robot.port)
    assert done.returncode == 0, done.stderr
    assert "passages" in done.stdout
    with robot.agent() as script:
        status = script.get("/api/v1/reindex/status").json()
        assert status["status"] == "complete"
        assert status["pages_indexed"] == status["pages_total"] >= 30
        found = script.get("/api/v1/semantic-search", params={"q": "how do I connect an agent", "n": 5}).json()
    assert len({hit["path"] for hit in found["results"]}) == 5


def test_a_token_in_the_address_is_refused(robot: Robot) -> None:
    with robot.client() as script:
        assert script.get(f"/api/v1/pages?access_token={robot.token}").status_code == 401
        assert script.post(f"/mcp?access_token={robot.token}", json={}).status_code == 401
        assert script.get("/.git/info/refs?service=git-upload-pack&access_token=x").status_code == 401
        assert script.get("/api/v1/search?q=access_token=secret").status_code == 200, "a question is not a token"


def test_health_needs_no_token(robot: Robot) -> None:
    with robot.client() as anybody:
        assert anybody.get("/api/v1/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "header",
    [
        "X_Otterwiki_Permissions",
        "x_otterwiki_permissions",
        "X-Otterwiki_Permissions",
        "X_Otterwiki-Permissions",
        "x-otterwiki-permissions",
        "X-OTTERWIKI-PERMISSIONS",
    ],
)
def test_forged_identity_headers_leave_a_stranger_anonymous(robot: Robot, header: str) -> None:
    forged = {header: "READ,WRITE,UPLOAD,ADMIN"}
    for name in ("x-otterwiki-name", "X_Otterwiki_Name", "x-otterwiki-email", "X_Otterwiki_Email"):
        forged[name] = "admin@example.org"
    with robot.client() as stranger, robot.agent() as agent:
        assert stranger.get("/-/admin", headers=forged).status_code in (302, 403, 404)
        name = new_name("Forged")
        assert save(stranger, name, "Forged.", "x", forged).status_code in (302, 401, 403)
        assert agent.get(f"/api/v1/pages/{name}").status_code == 404
