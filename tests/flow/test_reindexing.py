"""One index, three doors: the dashboard, the API and the command line start, follow and cancel the same work."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import httpx2
import pytest

from robot.commands.reindex import command
from tests.harness import Robot, environment, free_port, robot_argv, robot_command

pytestmark = pytest.mark.flow

PAGES = 400
LINES = 45  # a minute's work on a machine that does nothing else, of which a test sees the first second
DEADLINE_S = 60


@dataclass(frozen=True)
class Big:
    """A wiki that takes a while to index, and who works with it."""

    slug: str
    robot: Robot
    script: httpx2.Client
    dashboard: httpx2.Client

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return robot_command("reindex", *words, data=self.robot.data, port=self.robot.port)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.script.get("/api/v1/reindex/status").json()
        return found

    def wait(self, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until it is so; no door announces how far an index is."""
        deadline = time.monotonic() + DEADLINE_S
        while not enough(status := self.status()):
            assert time.monotonic() < deadline, status
        return status

    def press(self, what: str) -> str:
        """Press a button of the overview; what the overview says then."""
        answer = self.dashboard.post(f"/app/wiki/{self.slug}/{what}")
        assert answer.status_code == 303, answer.text
        return self.dashboard.get(answer.headers["location"]).text

    def tokens(self) -> str:
        return robot_command("token", "list", self.slug, data=self.robot.data, port=self.robot.port).stdout


@pytest.fixture(scope="module")
def big(robot: Robot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Big]:
    slug = f"big-{secrets.token_hex(4)}"
    folder = tmp_path_factory.mktemp("pages")
    for number in range(PAGES):
        # No passage was ever embedded before, and none is like another: each is embedded.
        lines = [f"About {secrets.token_hex(4)} and the pump of {secrets.token_hex(4)}.\n" for _ in range(LINES)]
        (folder / f"Page {number}.md").write_text(f"# Page {number}\n\n" + "".join(lines))
    for words in (("wiki", "create", slug), ("import", slug, str(folder))):
        done = robot_command(*words, data=robot.data, port=robot.port)
        assert done.returncode == 0, done.stderr
    secret = robot_command("token", "create", slug, data=robot.data, port=robot.port).stdout.strip()
    with (
        robot.agent(secret, robot.wiki_origin(slug)) as script,
        robot.client(robot.platform, cookies=robot.sign_in()) as dashboard,
    ):
        dashboard.headers["Sec-Fetch-Site"] = "same-origin"
        yield Big(slug, robot, script, dashboard)


def test_an_index_is_started_followed_and_cancelled_at_every_door(big: Big) -> None:
    following = subprocess.Popen(
        robot_argv("reindex", big.slug),
        env=environment({"ROBOT_DATA": str(big.robot.data), "ROBOT_PORT": str(big.robot.port)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    big.wait(lambda status: status["status"] == "in_progress" and status["pages_indexed"] > 0)
    assert "robot reindex" in big.tokens()
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=DEADLINE_S)
    assert following.returncode == 1
    assert f"The host goes on. `robot reindex {big.slug} --status` says how far it is" in said
    assert "Traceback" not in said
    assert "robot reindex" not in big.tokens()

    refused = big.script.post("/api/v1/reindex")
    assert (refused.status_code, refused.json()["code"]) == (409, "reindex_running")
    assert "is being built anew already" in big.press("reindex")
    second = big.command(big.slug)
    assert second.returncode == 1
    assert f"The index of {big.slug} is being built anew already" in second.stderr
    assert f"robot reindex {big.slug} --cancel" in second.stderr
    told = big.command(big.slug, "--status").stdout
    assert f"of {PAGES + 4} pages done" in told
    assert f"Model: {big.status()['model']}" in told
    assert "indexing" in big.dashboard.get("/app/").text
    live = big.dashboard.get(f"/app/wiki/{big.slug}/index").json()
    assert live["busy"]
    assert f"of {PAGES + 4} pages done" in live["sentence"]

    assert "Cancelled." in big.command(big.slug, "--cancel").stdout
    status = big.wait(lambda status: status["status"] != "in_progress")
    assert status["status"] == "idle"
    assert 0 < status["pages_indexed"] < PAGES
    assert not big.dashboard.get(f"/app/wiki/{big.slug}/index").json()["busy"]
    assert "Nobody was having the index built anew." in big.command(big.slug, "--cancel").stdout


def test_the_api_sees_what_the_dashboard_cancels_and_the_other_way_round(big: Big) -> None:
    assert "The index is being built anew. Searching" in big.press("reindex")
    big.wait(lambda status: status["status"] == "in_progress" and status["pages_indexed"] > 0)
    assert "Cancelled. What is known" in big.press("reindex/cancel")
    assert big.wait(lambda status: status["status"] != "in_progress")["status"] == "idle"
    assert big.script.post("/api/v1/reindex").status_code == 202
    assert big.dashboard.get(f"/app/wiki/{big.slug}/index").json()["busy"]
    assert big.script.delete("/api/v1/reindex").json() == {"status": "cancelled"}
    big.wait(lambda status: status["status"] != "in_progress")
    overview = big.dashboard.get(f"/app/wiki/{big.slug}").text
    assert "/reindex/cancel" not in overview
    assert "by words all can be found. The others follow" in overview


def test_all_wikis_at_once(big: Big) -> None:
    assert big.command("--all", "--no-wait").returncode == 0
    told = big.command("--all", "--status")
    assert told.returncode == 0, told.stderr
    assert f"{big.slug}: " in told.stdout
    assert "demo: " in told.stdout
    assert f"{big.slug}: Cancelled." in big.command("--all", "--cancel").stdout


@pytest.mark.parametrize("words", [[], ["demo", "--all"], ["demo", "--status", "--cancel"]])
def test_what_makes_no_sense_is_said(words: list[str]) -> None:
    with pytest.raises(click.UsageError, match=r"Name one wiki|Choose one of"):
        command.main(words, standalone_mode=False)


def test_without_a_running_host_the_command_says_what_to_do(robot: Robot) -> None:
    port = free_port()
    said = robot_command("reindex", "demo", data=robot.data, port=port)
    assert said.returncode == 1
    assert f"No robot answers on port {port}" in said.stderr
    assert "start it, then try again" in said.stderr
