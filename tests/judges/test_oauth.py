"""Real clients of agents find out by themselves how to sign in, and stay signed in.

One play for all of them: each discovers, registers, is let in by a person in Chromium, lists, writes and reads; then
its access token ends; then robot is killed and started again. What happened to whom is told at the end, client by
client, so that one that fails hides no other.

It is played behind Caddy, as from outside: some clients send no secret to an address without TLS unless its host is
`localhost` itself.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.caddy.edge import running_edge
from tests.harness import free_port, running_robot
from tests.judges.agents import Agent, Desk, desk, wait_for_browser
from tests.judges.test_clients import CLIENTS, works, writes

pytestmark = pytest.mark.judge

TOKEN_LIFE_S = 3
SETTINGS = {"ROBOT_ACCESS_TOKEN_LIFE": str(TOKEN_LIFE_S)}
SIGN_IN_S = 60.0


class Play:
    """The clients that are still in it, and what went wrong for the others."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.problems: dict[str, str] = {}

    def act(self, name: str, what: str, scene: Callable[[], None]) -> None:
        """Let a client do something; one that fails is out."""
        if name in self.problems:
            return
        try:
            scene()
        except Exception as error:  # whatever it is, it is this client's alone
            self.problems[name] = f"{what}: {type(error).__name__}: {error}"


def signs_in(agent: Agent, at: Desk, browser: BrowserContext) -> None:
    """The client connects; where it sends its person, the person allows."""
    with ThreadPoolExecutor(1) as thread:
        signing_in = thread.submit(agent.sign_in)
        address = wait_for_browser(at, signing_in.done)
        if address:
            page = browser.new_page()
            page.goto(address)
            page.get_by_role("button", name="Allow").click()
            page.wait_for_url(lambda there: "code=" in there)
            page.close()
        signing_in.result(SIGN_IN_S)
    assert address, "it was let in without asking anybody"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Play:
    """The whole play: a robot with short-lived tokens, and the same again after it was killed."""
    place, port, play = tmp_path_factory.mktemp("oauth"), free_port(), Play()
    tls_port = port + 1
    settings = SETTINGS | {"ROBOT_SCHEME": "https", "ROBOT_PUBLIC_PORT": str(tls_port)}
    robot_here = partial(running_robot, place / "data", port=port, env=settings, module="tests.judges.known_internet")
    with (
        running_edge(place, upstream_port=port, tls_port=tls_port, plain_port=port + 2) as edge,
        chromium.new_context(ignore_https_errors=True) as browser,
        ExitStack() as clients,
    ):
        with robot_here() as robot:
            browser.new_page().goto(robot.signin_link)
            for name, client in CLIENTS.items():
                at = desk(place / name.replace(" ", "-"), f"{robot.wiki}/mcp", roots=edge.root)
                agent = play.agents[name] = clients.enter_context(client(at))
                play.act(name, "signing in", partial(signs_in, agent, at, browser))
                play.act(name, "the first day", partial(works, agent, robot, name))
            # Nothing tells when a token has ended; only time does it.
            time.sleep(TOKEN_LIFE_S + 1)
            for name, agent in play.agents.items():
                play.act(name, "after the token's end", partial(writes, agent, robot, name))
            robot.stop(signal.SIGKILL)
        with robot_here() as robot:
            for name, agent in play.agents.items():
                play.act(name, "after a restart", partial(works, agent, robot, name))
    return play


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_signs_in_and_stays_signed_in(played: Play, name: str) -> None:
    assert played.problems.get(name) is None
