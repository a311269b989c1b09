"""The disk is full: every door says so, nothing is half-written, and room is enough to go on without a restart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import Robot, running_robot
from tests.processes import git, small_disk, wiki_repo

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]

DISK_MIB = 24
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Robot]:
    """A robot whose data directory is a disk of its own, with the wiki awake."""
    with small_disk(tmp_path / "disk", DISK_MIB) as disk, running_robot(disk / "data") as robot:
        with robot.client() as browser:
            assert browser.get("/").status_code == 200
        yield robot


def fill(disk: Path) -> Path:
    """Take every free byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                file.write(b"x" * block)
            except OSError:
                block //= 2
    return ballast


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """No byte is free on a disk of our own until the block is left."""
    ballast = fill(disk)
    try:
        yield
    finally:
        ballast.unlink()


def test_full_disk_at_every_door(cramped: Robot) -> None:
    repo = wiki_repo(cramped.data)
    text = "A page that finds no room. " * 2000
    cookies = cramped.sign_in(cramped.wiki)
    with cramped.agent() as agent, cramped.client(cookies=cookies) as browser:
        assert agent.get("/api/v1/pages/Home").status_code == 200
        head = git(repo, "rev-parse", "HEAD")
        ballast = fill(cramped.data.parent)

        refused = agent.put("/api/v1/pages/Roomless", json={"content": text})
        assert refused.status_code == 507, refused.text
        assert refused.json()["code"] == "storage_full"

        page = browser.post("/Roomless/save", data={"content": text, "commit": "x"}, headers=SAME_ORIGIN)
        assert page.status_code == 507, page.text
        assert "full" in page.text

        assert git(repo, "rev-parse", "HEAD") == head
        assert git(repo, "status", "--porcelain") == ""
        assert agent.get("/api/v1/pages/Home").status_code == 200
        assert browser.get("/?made-anew").status_code == 200
        assert agent.get("/api/v1/pages/Roomless").status_code == 404

        ballast.unlink()
        assert agent.put("/api/v1/pages/Roomless", json={"content": text}).status_code == 201
        saved = browser.post("/Roomless too/save", data={"content": text, "commit": "x"}, headers=SAME_ORIGIN)
        assert saved.status_code in (302, 303)
    git(repo, "fsck", "--full", "--strict")
    assert git(repo, "status", "--porcelain") == ""


def test_a_wiki_first_used_on_a_full_disk(cramped: Robot) -> None:
    """Its catalog cannot be opened, and that is said as what it is; with room it opens."""
    with cramped.agent() as agent:
        ballast = fill(cramped.data.parent)
        refused = agent.put("/api/v1/pages/Roomless", json={"content": "x"})
        assert refused.status_code == 507, refused.text
        ballast.unlink()
        assert agent.put("/api/v1/pages/Roomless", json={"content": "x"}).status_code == 201
