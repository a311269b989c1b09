"""Real clients of agents find out by themselves how to sign in, and stay signed in.

One play for all of them: each discovers, registers, is let in by a person in Chromium, lists, writes and reads; it
writes again when its access token has ended, and when robot was killed and started again. What happened to whom is
told at the end, client by client, so that one that fails hides no other.

It is played behind Caddy, as from outside: some clients send no secret to an address without TLS unless its host is
`localhost` itself.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.conftest import link_for
from tests.caddy.edge import running_edge
from tests.harness import Robot, free_port, running_robot
from tests.judges.agents import Agent, Desk, desk, listening, opened_by
from tests.judges.test_clients import CLIENTS, works, writes
from tests.judges.test_conformance import SUITE
from tests.judges.toolchain import node
from tests.processes import wait_until
from wikihost.layout import DataDir

# Alone: with tokens of three seconds, a client that is starved of its core finds its new token ended too.
pytestmark = [pytest.mark.judge, pytest.mark.alone]

TOKEN_LIFE_S = 3
SETTINGS = {"ROBOT_ACCESS_TOKEN_LIFE": str(TOKEN_LIFE_S)}
SIGN_IN_S = 60.0


class Play:
    """The clients in it, what went wrong for whom, and how often each grant was renewed."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.problems: dict[str, str] = {}
        self.renewals: list[int] = []

    def act(self, name: str, what: str, scene: Callable[[], object]) -> None:
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
        wait_until(lambda: bool(opened_by(at)) or signing_in.done(), SIGN_IN_S, "it opens a browser")
        for address in opened_by(at):
            allow(browser, address)
        signing_in.result(SIGN_IN_S)
    assert len(opened_by(at)) == 1, "it was let in without asking anybody"


def stays(agent: Agent, robot: Robot, name: str, at: Desk) -> None:
    """It goes on as if nothing had been, and asks nobody again."""
    writes(agent, robot, name)
    assert len(opened_by(at)) == 1, "its person had to allow it again"


def allow(browser: BrowserContext, address: str) -> None:
    """The person sees what is asked, and presses the button."""
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(lambda there: "code=" in there)
    page.close()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Play:
    """The whole play: a robot with short-lived tokens, and the same again after it was killed."""
    place, port, play = tmp_path_factory.mktemp("oauth"), free_port(), Play()
    desks: dict[str, Desk] = {}
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
                at = desks[name] = desk(place / name.replace(" ", "-"), f"{robot.wiki}/mcp", roots=edge.root)
                agent = play.agents[name] = clients.enter_context(client(at))
                play.act(name, "signing in", partial(signs_in, agent, at, browser))
                play.act(name, "the first day", partial(works, agent, robot, name))
            # Nothing tells when a token has ended; only time does it.
            time.sleep(TOKEN_LIFE_S + 1)
            for name, agent in play.agents.items():
                play.act(name, "after the token's end", partial(stays, agent, robot, name, desks[name]))
            robot.stop(signal.SIGKILL)
        with robot_here() as robot:
            for name, agent in play.agents.items():
                play.act(name, "after a restart", partial(stays, agent, robot, name, desks[name]))
        play.renewals = renewals(robot)
    return play


def renewals(robot: Robot) -> list[int]:
    """Of each grant, how many tokens came after its first."""
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as connection:
        rows = connection.execute("SELECT count(*) - 1 FROM oauth_tokens GROUP BY family").fetchall()
    return [count for (count,) in rows]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_signs_in_and_stays_signed_in(played: Play, name: str) -> None:
    assert played.problems.get(name) is None


def test_tokens_ended_and_were_renewed(played: Play) -> None:
    """At least once before the restart and once after it."""
    assert [count for count in played.renewals if count >= 2] == played.renewals
    assert len(played.renewals) == len(CLIENTS)


def test_the_conformance_suite_finds_nothing_at_the_issuer(robot: Robot, tmp_path: Path, chromium: Browser) -> None:
    """Its mode for authorization servers: metadata, and a grant from the request to the token."""
    at, port, resource = desk(tmp_path / "home", f"{robot.wiki}/mcp"), free_port(), f"{robot.wiki}/mcp"
    wanted = {"client_name": "Suite", "redirect_uris": [f"http://127.0.0.1:{port}/callback"]}
    with robot.client(robot.platform) as anybody:
        registered = anybody.post("/oauth/register", json=wanted | {"token_endpoint_auth_method": "none"}).json()
    words = ["--url", robot.platform, "--client-id", registered["client_id"], "--resource", resource]
    with (
        chromium.new_context() as browser,
        listening(node(SUITE, "authorization", *words, "--port", str(port)), at) as suite,
    ):
        browser.new_page().goto(link_for(robot))
        assert suite.stdout is not None
        address = next(line for line in suite.stdout if line.startswith(f"{robot.platform}/oauth/authorize?"))
        allow(browser, address.strip())
        said = suite.stdout.read()
        assert suite.wait() == 0, said
    assert sorted(re.findall(r"^([✓✗]) ([\w-]+): (\d+) passed, 0 failed", said, re.MULTILINE)) == [
        ("✓", "authorization-code-grant", "1"),
        ("✓", "authorization-server-metadata-endpoint", "2"),
    ], said
