"""A wiki that is in use is deleted: every door shuts at once, and opens again for the same people when it is back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import httpx2
import pytest

from tests.flow.owner import Owner, signed_in_owner
from tests.harness import Robot
from tests.mcp_message import message

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def owner(robot: Robot) -> Iterator[Owner]:
    with signed_in_owner(robot) as made:
        yield made


def test_every_door_shuts_and_opens_again(robot: Robot, owner: Owner) -> None:
    slug = f"gone-{secrets.token_hex(4)}"
    token = owner.make_wiki(slug)
    host = robot.wiki_origin(slug).partition("://")[2].partition(":")[0]

    def statuses(browser: httpx2.Client, agent: httpx2.Client) -> list[int]:
        return [
            browser.get("/Home").status_code,
            agent.get("/api/v1/pages/Home").status_code,
            agent.post(**message("tools/list")).status_code,
            agent.get("/.git/info/refs?service=git-upload-pack").status_code,
            owner.client.get(f"/app/wiki/{slug}").status_code,
            owner.client.get(f"/api/internal/check-slug?domain={host}").status_code,
        ]

    with owner.browser(slug) as browser, robot.agent(token, robot.wiki_origin(slug)) as agent:
        assert statuses(browser, agent) == [200] * 6
        deleted = owner.client.post(f"/app/wiki/{slug}/delete", data={"slug": slug})
        assert deleted.headers["location"] == "/app/?done=deleted"
        assert statuses(browser, agent) == [303, 401, 401, 401, 404, 404]
        written = agent.put("/api/v1/pages/Late", json={"content": "x"})
        assert written.status_code == 401
        row = owner.client.get("/app/").text.partition(f">{slug}<")[2]
        back = re.search(r"/app/deleted/\w+/undelete", row)
        assert back
        assert owner.client.post(back[0]).headers["location"] == f"/app/wiki/{slug}?undeleted=1"
        assert statuses(browser, agent) == [200] * 6
        assert agent.get("/api/v1/pages/Late").status_code == 404
        owner.client.post(f"/app/wiki/{slug}/delete", data={"slug": slug})
        forever = owner.client.post(back[0].replace("undelete", "purge"), data={"slug": slug})
        assert forever.headers["location"] == "/app/?done=purged"
        assert statuses(browser, agent) == [303, 401, 401, 401, 404, 404]
        assert owner.client.post(back[0]).status_code == 404
