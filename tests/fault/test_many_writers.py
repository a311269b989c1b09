"""Many writers at all doors of a real server at once: each is told the truth, and nothing accepted is lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.doors import Doors, open_doors
from tests.git_door.client import Git
from tests.harness import Robot
from tests.processes import git
from tests.wikihost.test_catalog import rebuilt, synced
from tests.wikihost.wikis import assert_sound

pytestmark = pytest.mark.fault

ROUNDS, PUSHES = 30, 10  # of each of six writers and two who push: 200


@pytest.fixture(scope="module")
def doors(robot: Robot) -> Iterator[Doors]:
    with open_doors(robot) as opened:
        yield opened


def at_once(doors: Doors, works: list[Callable[[Doors], list[str]]]) -> list[list[str]]:
    """Run each work in a thread of its own."""
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(lambda work: work(doors), works))


@pytest.mark.parametrize("writers", [4, 50])
def test_of_writers_with_one_revision_one_is_accepted(doors: Doors, writers: int) -> None:
    name = f"Contended {writers}"
    revision = doors.put(name, "Start.").json()["revision"]
    commits = int(git(doors.home.repo, "rev-list", "--count", "HEAD"))

    def put(number: int) -> Callable[[Doors], list[str]]:
        return lambda mine: [str(mine.put(name, f"By {number}.", revision).status_code)]

    statuses = [status for (status,) in at_once(doors, [put(number) for number in range(writers)])]
    assert sorted(statuses) == ["200"] + ["409"] * (writers - 1)
    assert int(git(doors.home.repo, "rev-list", "--count", "HEAD")) == commits + 1
    assert_sound(doors.home)


def by_rest(number: int) -> Callable[[Doors], list[str]]:
    """Changes a page that others change too, and pages of its own."""

    def work(doors: Doors) -> list[str]:
        accepted, chance = [], random.Random(number)
        for turn in range(ROUNDS):
            text = f"REST {number} turn {turn}.\n"
            name = chance.choice(["Shared", "Shared too", f"Own {number}"])
            known = doors.rest.get(f"/api/v1/pages/{name}").json().get("revision")
            answer = doors.put(name, text, known)
            assert answer.status_code in (200, 201, 409), answer.text
            accepted += [text] if answer.status_code < 300 else []
        return accepted

    return work


def by_mcp(number: int) -> Callable[[Doors], list[str]]:
    def work(doors: Doors) -> list[str]:
        accepted, chance = [], random.Random(number)
        for turn in range(ROUNDS):
            text = f"MCP {number} turn {turn}.\n"
            name = chance.choice(["Shared", "Shared too", f"Told {number}"])
            done, said, note = doors.tool("read_note", path=name)
            revision = {"revision": note["revision"]} if done else {}
            done, said, _ = doors.tool("write_note", path=name, content=text, **revision)
            assert done or "changed since" in said or "exists" in said, said
            accepted += [text] if done else []
        return accepted

    return work


def by_browser(number: int) -> Callable[[Doors], list[str]]:
    def work(doors: Doors) -> list[str]:
        accepted, chance = [], random.Random(number)
        for turn in range(ROUNDS):
            text = f"Browser {number} turn {turn}.\n"
            name = chance.choice(["Shared", "Shared too", f"Seen {number}"])
            base = git(doors.home.repo, "rev-parse", "HEAD").strip()
            answer = doors.save(name, text, base)
            assert answer.status_code in (302, 409), answer.text
            accepted += [text] if answer.status_code == 302 else []
        return accepted

    return work


def by_git(number: int, place: Path) -> Callable[[Doors], list[str]]:
    """Commits, and pushes until the push is not too late."""

    def work(doors: Doors) -> list[str]:
        copy, accepted = doors.clone(place / f"copy {number}"), []
        for turn in range(PUSHES):
            text = f"Git {number} turn {turn}.\n"
            copy.write({f"Pushed/{number}/{turn}.md": text})
            push_until_in(copy)
            accepted.append(text)
        return accepted

    return work


def push_until_in(copy: Git) -> None:
    for _ in range(100):
        pushed = copy.run("push", "-q")
        if pushed.returncode == 0:
            return
        assert "rejected" in pushed.stderr, pushed.stderr
        copy("pull", "-q", "--rebase")
    raise AssertionError("others were always faster")


def test_two_hundred_interleaved_writes_are_all_kept(doors: Doors, tmp_path: Path) -> None:
    assert doors.browser.get("/").status_code == 200
    works = [make(number) for make in (by_rest, by_mcp, by_browser) for number in range(2)]
    works += [by_git(number, tmp_path) for number in range(2)]
    accepted = [text for texts in at_once(doors, works) for text in texts]
    assert len(accepted) > 100
    history = git(doors.home.repo, "log", "-p", "--format=", "--no-color")
    added = {line[1:] for line in history.splitlines() if line.startswith("+")}
    assert {text.strip() for text in accepted} <= added
    assert_sound(doors.home)
    doors.rest.get("/api/v1/pages")  # the catalog is at the head when this is answered
    assert synced(doors.home) == rebuilt(doors.home)
    listed = {page["path"] for page in doors.rest.get("/api/v1/pages").json()["pages"]}
    assert {"Shared", "Pushed/0/0", "Pushed/1/9"} <= listed
    assert doors.browser.get("/Pushed/1/9").status_code == 200
