"""Keeps the wikis' repositories quick: when one has many loose objects and rests, they become a pack.

After two thousand saves over an API a clone costs git eight times as much as before. Nobody waits for the packing: it
takes no lock, and readers and writers go on. Cancelled or killed, it leaves the wiki as it was.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

import trio

from robot.git.process import GitFailed, run_git
from robot.git.view import git_view
from wikihost.errors import ContentError
from wikihost.layout import DataDir, WikiHome
from wikihost.packing import Removed, adopt_pack, count_loose, link_large_packs
from wikihost.pushes import notes_head
from wikihost.transfer import Transfer
from wikihost.writer import storage_errors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Habits:
    """When a wiki is packed: with so many loose objects, once it was at rest for `rest_s`, or after `latest_s`."""

    loose_objects: int = 2_000
    rest_s: float = 60.0
    latest_s: float = 3600.0
    deadline_s: float = 300.0


HABITS = Habits()


@dataclass(slots=True)
class _Stir:
    """When a wiki changed, first and last since it was looked after."""

    first: float
    last: float


class Upkeep:
    """The one task that packs, a wiki at a time."""

    def __init__(self, data: DataDir, habits: Habits = HABITS) -> None:
        self._data = data
        self._habits = habits
        self._stirred: dict[str, _Stir] = {}
        self._left: dict[str, int] = {}  # loose objects that no pack took, since no branch reaches them
        self._news = trio.Event()

    def notify(self, wiki_id: str) -> None:
        """A wiki changed."""
        now = trio.current_time()
        self._stirred.setdefault(wiki_id, _Stir(now, now)).last = now
        self._news.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look after wikis until cancelled."""
        task_status.started()
        while True:
            due = {wiki_id: self._due(stir) for wiki_id, stir in self._stirred.items()}
            if not due:
                self._news = trio.Event()
                await self._news.wait()
                continue
            wiki_id = min(due, key=due.__getitem__)
            if due[wiki_id] > trio.current_time():
                await trio.sleep_until(due[wiki_id])
                continue  # it may have changed again meanwhile
            del self._stirred[wiki_id]
            await self._look_after(wiki_id)

    def _due(self, stir: _Stir) -> float:
        return min(stir.last + self._habits.rest_s, stir.first + self._habits.latest_s)

    async def _look_after(self, wiki_id: str) -> None:
        home = self._data.wiki(wiki_id)
        try:
            loose = await trio.to_thread.run_sync(count_loose, home)
            if loose - self._left.get(wiki_id, 0) >= self._habits.loose_objects:
                removed = await pack(self._data, home, self._habits.deadline_s)
                self._left[wiki_id] = await trio.to_thread.run_sync(count_loose, home)
                log.info("packed %s: %d loose objects, %d packs", wiki_id, removed.loose, removed.packs)
        except (ContentError, GitFailed) as error:
            # A full disk, or a wiki that was deleted: the next change is the next occasion.
            log.info("%s was not packed: %s", wiki_id, error)


async def pack(data: DataDir, home: WikiHome, deadline_s: float) -> Removed:
    """Put what the branch and the notes of pushes reach into one pack, but for what is in large ones.

    Raises `ContentError`, `GitFailed`.
    """
    async with git_view(data, home) as view:
        keep = await trio.to_thread.run_sync(link_large_packs, home, view.objects)
        notes = await trio.to_thread.run_sync(notes_head, home.repo)
        await _make_pack(view, keep, [view.head, *([notes] if notes else [])], deadline_s)
        # Not left half way: each step is a rename or a removal, and the loop does not wait for it.
        return await trio.to_thread.run_sync(adopt_pack, home, view.objects)


async def _make_pack(transfer: Transfer, keep: list[str], tips: list[str], deadline_s: float) -> None:
    # A bitmap tells a clone at once what there is to send; it needs a pack that has everything.
    options = [f"--keep-pack={name}" for name in keep] or ["--all", "--write-bitmap-index"]
    command = ["pack-objects", "--quiet", "--revs", "--delta-base-offset", "--non-empty", *options]
    listed = await trio.to_thread.run_sync(_open_list, transfer, tips)
    try:
        await run_git(
            [*command, str(transfer.objects / "pack/pack")],
            stdin=listed,
            git_dir=str(transfer.git_dir),
            deadline_s=deadline_s,
        )
    finally:
        os.close(listed)


def _open_list(transfer: Transfer, commits: list[str]) -> int:
    """A file that names commits, as standard input."""
    with storage_errors():
        transfer.body.write_text("".join(f"{commit}\n" for commit in commits), "ascii")
        return os.open(transfer.body, os.O_RDONLY | os.O_CLOEXEC)
