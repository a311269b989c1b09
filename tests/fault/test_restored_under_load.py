"""A backup is taken while a script, an agent, a browser and git write: what was acknowledged before is restored."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from robot.backup.directory import DirectoryStore
from robot.backup.pieces import open_source
from tests.doors import Doors, open_doors
from tests.git_door.client import Git, address, new_wiki
from tests.harness import Robot, free_port, robot_command, running_robot
from tests.processes import git
from tests.wikihost.wikis import assert_sound
from wikihost.layout import DataDir

pytestmark = pytest.mark.fault

ENOUGH = 3
"""Writes at each door before the backup begins, and again before it may end the writing."""


@dataclass
class Journal:
    """What was acknowledged, when: each text is of one write."""

    entries: list[tuple[float, str]] = field(default_factory=list)
    grew: threading.Condition = field(default_factory=threading.Condition)

    def note(self, text: str) -> None:
        with self.grew:
            self.entries.append((time.time(), text))
            self.grew.notify_all()

    def wait_for(self, door: str, more: int) -> None:
        with self.grew:
            assert self.grew.wait_for(lambda: self._count(door) >= more, timeout=60), door

    def _count(self, door: str) -> int:
        return sum(text.startswith(door) for _, text in self.entries)


@contextmanager
def writing(doors: Doors, copy: Git, journal: Journal) -> Iterator[None]:
    """A script, an agent and a browser write to a wiki, and git pushes to another, until the block ends."""
    over = threading.Event()

    def put(text: str) -> bool:
        return doors.put(text, text).status_code == 201

    def call(text: str) -> bool:
        return doors.tool("write_note", path=text, content=text)[0]

    def save(text: str) -> bool:
        return doors.save(text, text).status_code == 302

    def push(text: str) -> bool:
        copy.write({f"{text}.md": text})
        return copy.run("push", "-q").returncode == 0

    def repeat(write: Callable[[str], bool]) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            text = f"{write.__name__} {turn}"
            assert write(text)
            journal.note(text)

    threads = [threading.Thread(target=repeat, args=(write,)) for write in (put, call, save, push)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def id_of(robot: Robot, slug: str) -> str:
    with closing(sqlite3.connect(robot.data / "robot.db")) as db:
        return str(db.execute("SELECT id FROM wikis WHERE slug = ?", (slug,)).fetchone()[0])


def texts_in(repo: Path) -> set[str]:
    """What the pages of a wiki say at its head."""
    listed = git(repo, "-c", "core.quotePath=false", "grep", "-h", "-E", "^(put|call|save|push) [0-9]+$", "HEAD")
    return set(listed.splitlines())


def back_up_under_load(robot: Robot, doors: Doors, copy: Git, place: Path) -> tuple[Journal, float]:
    """The journal of what was written before, while and after the backup; and its mark."""
    journal = Journal()
    with writing(doors, copy, journal):
        for door in ("put", "call", "save", "push"):
            journal.wait_for(door, ENOUGH)
        done = robot_command("backup", str(place), data=robot.data, port=robot.port)
        assert done.returncode == 0, done.stderr
        after = len(journal.entries)
        with journal.grew:
            journal.grew.wait_for(lambda: len(journal.entries) > after, timeout=60)
    return journal, open_source(DirectoryStore(place), None).manifest.mark_at.timestamp()


def test_a_backup_under_load_has_all_that_was_acknowledged(robot: Robot, tmp_path: Path) -> None:
    place, restored, port = tmp_path / "backup", tmp_path / "restored", free_port()
    place.mkdir()
    pushed_to = f"t-{secrets.token_hex(4)}"
    copy = Git(tmp_path).clone(address(robot, new_wiki(robot, pushed_to), pushed_to), "copy")
    with open_doors(robot) as doors:
        journal, mark = back_up_under_load(robot, doors, copy, place)
    homes = [DataDir(restored).wiki(id_of(robot, slug)) for slug in (doors.slug, pushed_to)]
    before = {text for at, text in journal.entries if at < mark}
    assert len(before) >= 4 * ENOUGH

    done = robot_command("restore", str(place), data=restored, port=port)
    assert done.returncode == 0, done.stderr

    assert before - {text for home in homes for text in texts_in(home.repo)} == set()
    for home in homes:
        assert_sound(home)
    with running_robot(restored, port=port, env={"ROBOT_EMBEDDING_MODEL": "none"}) as again:
        origin = again.wiki_origin(doors.slug)
        with again.agent(doors.token, origin) as rest:
            listed = {page["path"] for page in rest.get("/api/v1/pages").json()["pages"]}
            assert {text for text in before if not text.startswith("push")} <= listed
        with again.client(origin, cookies=again.sign_in(origin)) as browser:
            assert "put 1" in browser.get("/put 1").text
