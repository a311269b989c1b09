"""A client that knows a wiki's address and nothing else finds out whom to ask, and makes itself known there."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.harness import Robot
from wikihost.layout import DataDir

pytestmark = pytest.mark.flow


def ask(robot: Robot, method: str, address: str, **more: object) -> httpx2.Response:
    """A request to an absolute address; names under localhost are not resolved here."""
    parts = urlsplit(address)
    with robot.client(f"{parts.scheme}://{parts.netloc}") as client:
        return client.request(method, parts.path, **more)  # type: ignore[arg-type]


def test_from_a_refusal_to_a_registered_client(robot: Robot) -> None:
    refused = ask(robot, "POST", f"{robot.wiki}/mcp", json={})
    assert refused.status_code == 401
    pointer = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert pointer
    resource = ask(robot, "GET", pointer[1]).json()
    assert resource["resource"] == f"{robot.wiki}/mcp"
    (issuer,) = resource["authorization_servers"]
    assert issuer == robot.platform
    server = ask(robot, "GET", f"{issuer}/.well-known/oauth-authorization-server").json()
    assert server["issuer"] == issuer
    said = {
        "client_name": "A flow test",
        "redirect_uris": ["http://localhost:1/cb"],
        "token_endpoint_auth_method": "none",
    }
    registered = ask(robot, "POST", server["registration_endpoint"], json=said)
    assert registered.status_code == 201
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db:
        row = db.execute("SELECT name FROM oauth_clients WHERE id = ?", (registered.json()["client_id"],)).fetchone()
    assert row == ("A flow test",)
