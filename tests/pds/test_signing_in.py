"""Somebody with a Bluesky account at a whole robot, page by page."""

from __future__ import annotations

import html
import re

import pytest

from tests.harness import Robot
from tests.pds.internet import PLATFORM, Account, Internet
from tests.pds.visitor import Visitor, visiting

pytestmark = pytest.mark.pds

ORIGIN = f"https://{PLATFORM}"


async def sign_in(visitor: Visitor, typed: str, account: Account) -> str:
    """From the form to the PDS and back; where robot sends the person then."""
    sent = await visitor.post(f"{ORIGIN}/auth/begin", {"provider": "atproto", "handle": typed, "next": "/app/create"})
    assert sent.status_code == 303, sent.text
    page = await visitor.get(ORIGIN + sent.headers["location"], site="same-origin")
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found, page.text
    back = await visitor.approve(html.unescape(found[1]), account)
    assert back.startswith(f"{ORIGIN}/auth/callback?")
    return str((await visitor.get(back, site="cross-site")).headers["location"])


async def test_somebody_signs_up_and_comes_back_from_another_browser(internet: Internet, robot_there: Robot) -> None:
    alice = internet.alice
    async with visiting(internet) as visitor:
        assert await sign_in(visitor, f"@{alice.handle}", alice) == "/auth/sign-up"
        form = await visitor.get(f"{ORIGIN}/auth/sign-up", site="same-origin")
        assert f"You are known as <b>{alice.handle}</b>" in form.text
        key = re.search(r'name="identity" value="([^"]*)"', form.text)
        assert key
        chosen = {"identity": html.unescape(key[1]), "name": "alice", "display_name": "Alice"}
        made = await visitor.post(f"{ORIGIN}/auth/sign-up", chosen)
        assert (made.status_code, made.headers["location"]) == (303, "/app/create")
        assert (await visitor.get(f"{ORIGIN}/app/create", site="same-origin")).status_code == 200
    async with visiting(internet) as elsewhere:
        assert await sign_in(elsewhere, alice.did, alice) == "/app/create"
        assert "Alice" in (await elsewhere.get(f"{ORIGIN}/app/", site="same-origin")).text
