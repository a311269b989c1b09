"""A wiki that is taken down from the command line, at every door of a host that is running: it is a missing one."""

from __future__ import annotations

import re
import secrets

import httpx2
import pytest
import trio
from werkzeug.routing import Rule

from tests.flow.test_agents import mcp_client
from tests.flow.test_suspended import FETCH, PATIENCE_S, Guest
from tests.flow.test_who_reaches_what import FORMS, PAGES, rules
from tests.harness import Robot
from tests.mcp_message import message

pytestmark = pytest.mark.flow

__all__ = ["rules"]


def everything(robot: Robot, guest: Guest, slug: str, rules: list[Rule]) -> list[tuple[str, int, str]]:
    """What the doors of `slug` answer to the owner's token and browser: what was asked, status, text."""
    origin = robot.wiki_origin(slug)
    found: list[tuple[str, int, str]] = []

    def note(answer: httpx2.Response) -> None:
        text = re.sub(rf"{slug}|[0-9a-f]{{16,}}", "", answer.text + answer.headers.get("location", ""))
        found.append((f"{answer.request.method} {answer.request.url.path}", answer.status_code, text))

    with robot.agent(guest.token, origin) as agent, robot.client(origin, cookies=dict(guest.wiki.cookies)) as browser:
        for client in (agent, browser):
            client.headers["Connection"] = "close"  # whoever is refused early finds it closed
        browser.headers["Sec-Fetch-Site"] = "same-origin"
        for rule in rules:
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                path = re.sub(r"<(?:path:)?\w+>", "Home", rule.rule)
                note(agent.request(method, path, json={} if method not in ("GET", "HEAD") else None))
        for path in (FETCH, FETCH.replace("upload", "receive"), "/.git/HEAD"):
            note(agent.get(path))
        note(agent.post(**message("tools/list")))
        for path in [*PAGES, "/-/changelog/feed.atom", "/robots.txt", "/auth/start"]:
            note(browser.get(path))
            note(browser.get(path, headers={"Accept": "text/html"}))
        for path in FORMS:
            note(browser.post(path, data={"content": "x"}))
    return found


async def test_every_door_answers_as_where_no_wiki_is(robot: Robot, rules: list[Rule]) -> None:
    guest = Guest(robot)
    slug = guest.name
    # With the owner's browser on the platform, which goes on being signed in.
    assert guest.statuses()[:5] == [200, 200, 200, 200, 302]
    async with (
        mcp_client(robot, guest.token, slug=slug) as client,
        client.listen(resources_list_changed=True) as stream,
    ):
        guest.say("wiki", "take-down", slug, "--why", "Somebody else's work.", exits=1)  # there is no passphrase
        here = everything(robot, guest, slug, rules)
        with trio.fail_after(PATIENCE_S), pytest.raises(StopAsyncIteration):
            await anext(stream)
    nowhere = everything(robot, guest, f"no-{secrets.token_hex(4)}", rules)
    assert here == nowhere
    assert len(here) > 80
    told = guest.platform.get(f"/app/wiki/{slug}", headers={"Accept": "text/html"})
    assert (told.status_code, "Somebody else&#39;s work." in told.text) == (403, True)
    assert guest.platform.get(f"/app/wiki/{slug}/export/zip").status_code == 403
    guest.say("wiki", "put-up", slug)
    assert guest.statuses()[:4] == [200, 200, 200, 200]
