"""The host is killed while a script, a browser and git write: what was acknowledged is there at the next start."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.doors import Doors, open_doors
from tests.harness import running_robot
from tests.processes import git
from tests.wikihost.test_catalog import rebuilt, synced
from tests.wikihost.wikis import assert_sound

pytestmark = pytest.mark.fault

# Each takes some eight seconds; set it higher to look for rare moments.
ROUNDS = int(os.environ.get("ROBOT_TEST_ROUNDS", "1"))


class Writers:
    """Threads that write until their host is gone, and remember what it acknowledged."""

    def __init__(self, doors: Doors, place: Path, number: int) -> None:
        self.accepted: list[str] = []
        self._doors = doors
        self._copy = doors.clone(place / f"copy {number}")
        self._round = number
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,))
            for work in (self._put, self._move, self._save, self._push)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def _repeat(self, work: Callable[[str], bool]) -> None:
        for turn in range(10_000):
            text = f"{work.__name__} {self._round} {turn}"
            try:
                if not work(text):
                    continue
            except (httpx2.HTTPError, ConnectionError):
                return  # the host is gone
            self.accepted.append(text)

    def _put(self, text: str) -> bool:
        return self._doors.put(text, text).status_code == 201

    def _move(self, text: str) -> bool:
        """A page that another links to is written and renamed; what counts is the text in the end."""
        self._doors.put(f"Old {text}", text)
        self._doors.put(f"Link {text}", f"[[Old {text}]]")
        moved = self._doors.rest.post(f"/api/v1/pages/Old {text}/rename", json={"new_path": f"New {text}"})
        return moved.status_code == 200

    def _save(self, text: str) -> bool:
        return self._doors.save(text, text).status_code == 302

    def _push(self, text: str) -> bool:
        self._copy.write({f"{text}.md": text})
        for _ in range(20):
            pushed = self._copy.run("push", "-q")
            if pushed.returncode == 0:
                return True
            if "rejected" not in pushed.stderr:
                raise ConnectionError
            self._copy.run("pull", "-q", "--rebase")
        return False


def test_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    data, port, chance = tmp_path / "data", None, random.Random()
    for number in range(ROUNDS):
        with running_robot(data, port=port) as robot, open_doors(robot, f"round-{number}") as doors:
            port, home = robot.port, doors.home
            assert doors.browser.get("/").status_code == 200
            writers = Writers(doors, tmp_path, number)
            killer = threading.Timer(chance.uniform(2.0, 3.0), robot.process.kill)
            writers.start()
            killer.start()
            robot.process.wait(20)
            writers.join()
        assert {text.split()[0] for text in writers.accepted} >= {"_put", "_save"}
        history = git(home.repo, "log", "-p", "--format=", "--no-color")
        assert set(writers.accepted) <= {line[1:].strip() for line in history.splitlines() if line.startswith("+")}
        for text in (text for text in writers.accepted if text.startswith("_move")):
            assert git(home.repo, "show", f"HEAD:New {text}.md") == text
            assert git(home.repo, "show", f"HEAD:Link {text}.md") == f"[[New {text}]]"
        with (
            running_robot(data, port=port) as robot,
            robot.agent(doors.token, doors.robot.wiki_origin(doors.slug)) as script,
        ):
            assert script.put("/api/v1/pages/After", json={"content": "After."}).status_code == 201
        assert_sound(home)
        assert synced(home) == rebuilt(home)
