"""A suspension from the command line, at every door of a host that is running: from the next request on."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import trio
from click.testing import CliRunner, Result

from robot.cli import cli
from tests.flow.test_agents import mcp_client
from tests.harness import Robot
from tests.mcp_message import message

pytestmark = pytest.mark.flow

PATIENCE_S = 20
FETCH = "/.git/info/refs?service=git-upload-pack"


class Guest:
    """Somebody with a wiki of their own, a token for it and a browser that is signed in on both hosts."""

    def __init__(self, robot: Robot) -> None:
        self.robot, self.name = robot, f"guest-{secrets.token_hex(4)}"
        self.origin = robot.wiki_origin(self.name)
        self.say("user", "create", self.name)
        self.say("wiki", "create", self.name, "--owner", self.name)
        self.token = self.say("token", "create", self.name, "--user", self.name).output.strip()
        platform = robot.sign_in(link_address=self.link())
        self.platform = robot.client(robot.platform, cookies=platform)
        self.wiki = robot.client(self.origin, cookies=robot.hand_off(self.origin, platform))
        self.wiki.headers["Sec-Fetch-Site"] = "same-origin"
        self.agent = robot.agent(self.token, self.origin)

    def say(self, *words: str, exits: int = 0) -> Result:
        """A verb of the command line, without the second that starting a process takes."""
        settings = {
            "ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(self.robot.data), "ROBOT_PUBLIC_PORT": str(self.robot.port),
        }  # fmt: skip
        with ThreadPoolExecutor(1) as thread:  # in this one Trio runs already
            done = thread.submit(CliRunner(env=settings).invoke, cli, words).result()
        assert done.exit_code == exits, done.output
        return done

    def link(self) -> str:
        return self.say("login-link", "--user", self.name).output.strip()

    def statuses(self) -> list[int]:
        """What each door answers: three for agents, then the wiki's pages, then the platform's."""
        page = {"Accept": "text/html"}
        answers: list[httpx2.Response] = [
            self.agent.get("/api/v1/pages"),
            self.agent.post(**message("tools/list")),
            self.agent.get(FETCH),
            self.wiki.get("/Home", headers=page),
            self.wiki.post("/New/save", data={"content": "x", "commit": "x", "robot_base": "none"}),
            self.platform.get("/app/account", headers=page),
            self.platform.get(f"/app/wiki/{self.name}/export/zip"),
        ]
        return [answer.status_code for answer in answers]


async def test_a_suspension_holds_at_every_door_of_a_running_host(robot: Robot) -> None:
    guest = Guest(robot)
    assert guest.statuses() == [200, 200, 200, 200, 302, 200, 200]
    waiting = guest.link()
    async with (
        mcp_client(robot, guest.token, slug=guest.name) as client,
        client.listen(resources_list_changed=True) as stream,
    ):
        guest.say("user", "suspend", guest.name, "--why", "Spam.")
        refused = guest.statuses()
        with trio.fail_after(PATIENCE_S), pytest.raises(StopAsyncIteration):
            await anext(stream)
    # A private wiki is there for strangers as little as one that does not exist.
    assert refused == [401, 401, 401, 303, 404, 403, 403]
    assert "Spam." in guest.platform.get("/app/", headers={"Accept": "text/html"}).text
    with robot.client(robot.platform) as stranger:
        assert stranger.get(waiting.removeprefix(robot.platform)).status_code == 403
    guest.say("user", "unsuspend", guest.name)
    assert guest.statuses()[:3] == [200, 200, 200]
    assert guest.platform.get("/app/account").status_code == 303
