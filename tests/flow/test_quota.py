"""A full wiki has the same answer at every door of a running robot, and the operator's word holds at once."""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from robot.commands.wiki import command as wiki_command
from tests.flow.owner import Owner, signed_in_owner
from tests.git_door.client import Git, address
from tests.harness import Robot, robot_command
from tests.mcp_message import tool_call
from tests.processes import wait_until

pytestmark = pytest.mark.flow

SEEDS = 4


class FullWiki:
    """A wiki of the operator's, with a client at each door."""

    def __init__(self, owner: Owner, place: Path) -> None:
        self.robot, self.slug = owner.robot, f"full-{secrets.token_hex(4)}"
        self.token = owner.make_wiki(self.slug)
        self.script = self.robot.agent(self.token, self.robot.wiki_origin(self.slug))
        self.browser = owner.browser(self.slug)
        self.copy = Git(place).clone(address(self.robot, self.token, self.slug), self.slug)
        assert self.browser.get("/Home").status_code == 200  # awake, so that its writer has to learn of what comes

    def __enter__(self) -> FullWiki:
        return self

    def __exit__(self, *_: object) -> None:
        self.script.close()
        self.browser.close()

    def grant(self, *options: str) -> str:
        """`robot wiki quota`, without the second that starting a process takes."""
        settings = {"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(self.robot.data)}
        done = CliRunner(env=settings).invoke(wiki_command, ["quota", self.slug, *options])
        assert done.exit_code == 0, done.output
        return str(done.output)

    def pages(self) -> int:
        return int(self.script.get("/api/v1/pages").json()["total"])

    def save(self, name: str, text: str = "x") -> httpx2.Response:
        form = {"content": text, "commit": "Save", "robot_base": "none"}
        return self.browser.post(f"/{name}/save", data=form)

    def put(self, name: str, text: str = "x") -> httpx2.Response:
        return self.script.put(f"/api/v1/pages/{name}", json={"content": text})

    def call(self, tool: str, **arguments: Any) -> tuple[bool, str]:
        result = self.script.post(**tool_call(tool, **arguments)).json()["result"]
        return not result["isError"], result["content"][0]["text"]

    def push(self, name: str) -> tuple[bool, str]:
        self.copy("pull", "-q", "--rebase")
        self.copy.write({f"{name}.md": "x"})
        done = self.copy.run("push")
        if done.returncode:
            self.copy("reset", "-q", "--hard", "@{upstream}")
        return not done.returncode, done.stderr


@pytest.fixture(scope="module")
def owner(robot: Robot) -> Iterator[Owner]:
    with signed_in_owner(robot) as browser:
        yield browser


@pytest.fixture
def full(owner: Owner, tmp_path: Path) -> Iterator[FullWiki]:
    with FullWiki(owner, tmp_path) as wiki:
        yield wiki


def verdicts(full: FullWiki, turn: str) -> dict[str, tuple[bool, str]]:
    """By door, whether it took one new page, and what it said."""

    def http(answer: httpx2.Response) -> tuple[bool, str]:
        assert answer.status_code in (201, 302, 413), answer.text
        return answer.status_code != 413, answer.text

    doors: dict[str, Callable[[str], tuple[bool, str]]] = {
        "browser": lambda name: http(full.save(name)),
        "rest": lambda name: http(full.put(name)),
        "mcp": lambda name: full.call("write_note", path=name, content="x"),
        "git": full.push,
    }
    return {door: take(f"{door} {turn}") for door, take in doors.items()}


def test_every_door_refuses_a_page_too_many_and_takes_it_once_the_operator_allows(full: FullWiki) -> None:
    assert f"{SEEDS} of {SEEDS} pages" in full.grant("--pages", str(SEEDS))
    refused = verdicts(full, "refused")
    assert {door: took for door, (took, _) in refused.items()} == dict.fromkeys(refused, False)
    for door, (_, said) in refused.items():
        assert "the wiki would have 5 pages, and it may have 4: remove pages" in said, (door, said)
    assert full.pages() == SEEDS
    full.grant("--pages", str(SEEDS + len(refused)))
    taken = verdicts(full, "taken")
    assert {door: took for door, (took, _) in taken.items()} == dict.fromkeys(taken, True), taken
    assert full.pages() == SEEDS + 4
    assert not any(took for took, _ in verdicts(full, "again").values())
    assert full.script.delete("/api/v1/pages/rest taken").status_code == 200
    assert full.save("Instead").status_code == 302
    full.copy("fsck", "--strict")


def test_attachments_are_counted_by_the_byte_at_every_door(full: FullWiki) -> None:
    full.grant("--mebibytes", "1")
    file = base64.b64encode(bytes(1024 * 1024)).decode()
    answer = full.script.post("/api/v1/pages/Home/attachments", json={"filename": "a.bin", "content": file})
    assert (answer.status_code, answer.json()["code"]) == (413, "quota_exceeded")
    needed, granted = answer.json()["needed"]["bytes"], answer.json()["quota"]["bytes"]
    fitting = 1024 * 1024 - (needed - granted)
    too_much = full.browser.post("/Home/attachments", files={"file": ("a.bin", bytes(fitting + 1))})
    assert (too_much.status_code, "needs" in too_much.text) == (413, True)
    assert full.browser.post("/Home/attachments", files={"file": ("a.bin", bytes(fitting))}).status_code == 302
    assert "1.0 of 1 MiB" in full.grant()
    assert full.put("New").status_code == 413
    revision = full.script.get("/api/v1/pages/Home").json()["revision"]
    shorter = full.script.put("/api/v1/pages/Home", json={"content": "Short.", "revision": revision})
    assert shorter.status_code == 200
    assert full.put("New").status_code == 201


def test_of_fifty_writers_at_two_doors_exactly_as_many_get_in_as_fit(full: FullWiki) -> None:
    full.grant("--pages", str(SEEDS + 12))
    with ThreadPoolExecutor(50) as threads:
        saves = [threads.submit(full.save, f"Save {number}") for number in range(25)]
        puts = [threads.submit(full.put, f"Put {number}") for number in range(25)]
        statuses = [future.result().status_code for future in [*saves, *puts]]
    assert sorted(set(statuses)) in ([201, 302, 413], [201, 413], [302, 413])
    assert sum(status != 413 for status in statuses) == 12
    assert full.pages() == SEEDS + 12


def test_a_push_of_many_commits_over_the_quota_is_refused_readably_and_leaves_nothing(
    robot: Robot, full: FullWiki
) -> None:
    full.grant("--pages", str(SEEDS + 19))
    for number in range(20):
        full.copy.write({f"P {number}.md": f"page {number}"}, f"Commit {number}")
    (repo,) = [
        repo
        for repo in (robot.data / "wikis").glob("*/repo")
        if (repo / ".git/refs/heads/main").exists()
        and (repo / ".git/refs/heads/main").read_text().strip() == full.copy("rev-parse", "@{upstream}")
    ]
    before = sorted(file.name for file in (repo / ".git/objects").rglob("*"))
    transfers = robot.data / "transfers"
    of_others = set(transfers.glob("*"))
    said = full.copy.fails("push")
    assert re.search(r"! \[remote rejected\] main -> main \(With this the wiki would have 24 pages, and it may ", said)
    assert sorted(file.name for file in (repo / ".git/objects").rglob("*")) == before
    wait_until(lambda: of_others.issuperset(transfers.glob("*")), 10, "the push is put away")
    full.copy("rm", "-q", "P 7.md")
    full.copy("commit", "-q", "-m", "One less")
    full.copy("push", "-q")  # what only history has does not count
    assert full.pages() == SEEDS + 19


def test_the_operator_sees_who_is_full_and_takes_a_grant_back(robot: Robot, full: FullWiki) -> None:
    def listed() -> list[str]:
        done = run("list")
        (line,) = [line for line in done.output.splitlines() if f"//{full.slug}." in line]
        return str(line).split("\t")[3:]

    def run(*words: str) -> Result:
        return CliRunner(env={"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(robot.data)}).invoke(wiki_command, words)

    assert [re.sub(r"^[\d.]+", "N", figure) for figure in listed()] == [
        "N of 5000 pages", "N of 200 MiB", "N MiB on disk", ""
    ]  # fmt: skip
    full.grant("--pages", "4")
    assert (listed()[0], listed()[3]) == ("4 of 4 pages", "full")
    full.grant("--mebibytes", "0")
    assert (listed()[0], listed()[3]) == ("4 of 4 pages", "over quota")
    full.grant("--default", "--mebibytes", "7")
    assert (listed()[:2], listed()[3]) == (["4 of 5000 pages", "0.0 of 7 MiB"], "")
    assert run("quota", full.slug, "--pages", "-1").exit_code == 2
    assert "`robot wiki list` names them all" in run("quota", "none").output


def test_the_hosts_default_is_what_a_new_wiki_may_hold(robot: Robot) -> None:
    slug, settings = f"small-{secrets.token_hex(4)}", {"ROBOT_QUOTA_PAGES": "12", "ROBOT_QUOTA_MEBIBYTES": "3"}
    assert robot_command("wiki", "create", slug, data=robot.data, port=robot.port, env=settings).returncode == 0
    said = robot_command("wiki", "quota", slug, data=robot.data, port=robot.port).stdout
    assert said.splitlines()[:2] == ["4 of 12 pages", "0.0 of 3 MiB"]
