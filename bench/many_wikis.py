"""Thousands of registered wikis, none awake: what they cost at the start, and while nobody comes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench import process_tree
from bench.figures import Figure, mib, ms
from bench.host import Host, Planted, running_host
from bench.http_client import free_port
from robot.search.indexing import run_record
from robot.search.indexing.run_record import RunRecord
from robot.search.model.directory import bundled_model
from robot.search.service import WARM_UP_AFTER_S
from wikihost.layout import DataDir

MOST_BYTES = 220 * 1024 * 1024
LATEST_READY_S = 2.5

SETTLED_WITHIN_S = 120.0


def register(data: Path, model: Planted, count: int) -> None:
    """Have `count` wikis in all, of `model`'s owner: rows, and directories whose files are links to its own."""
    copies = [f"w_many{number:08}" for number in range(1, count)]
    with closing(sqlite3.connect(DataDir(data).robot_db)) as db, db:
        (wiki_id,) = db.execute("SELECT id FROM wikis WHERE slug = ?", (model.slug,)).fetchone()
        for copy in copies:
            db.execute(
                "INSERT INTO wikis (id, slug, name, description, visibility, state, created_at)"
                " SELECT ?1, replace(?1, '_', '-'), name, description, visibility, state, created_at FROM wikis"
                " WHERE id = ?2",
                (copy, wiki_id),
            )
            db.execute(
                "INSERT INTO grants (user_id, wiki_id, role, granted_at)"
                " SELECT user_id, ?1, role, granted_at FROM grants WHERE wiki_id = ?2",
                (copy, wiki_id),
            )
    for copy in copies:
        shutil.copytree(model.home.root, DataDir(data).wiki(copy).root, copy_function=os.link)


def note_as_indexed(data: Path) -> None:
    """Have every wiki look as if it was searched before, and its index were whole."""
    record = RunRecord(
        model=bundled_model().model_id,
        unfinished=False,
        asked_for=False,
        started_at=None,
        completed_at=None,
        error=None,
        indexed_head="0" * 40,
    )
    for root in DataDir(data).wikis.glob("*"):
        run_record.keep(DataDir(data).wiki(root.name), record)


def measure(data: Path, count: int, starts: int, say: Callable[[str], None]) -> list[Figure]:
    """The rows "registered wikis, none awake: memory, start"; and the memory once the model for searches is loaded."""
    label = f"{count:,} registered wikis, none awake"
    ready, cpu, sizes = [], [], []
    for _ in range(starts):
        with running_host(data, free_port()) as host:
            host.wait_until_ready()
            ready.append(time.perf_counter() - host.began)
            cpu.append(process_tree.cpu_s(host.pid))
            sizes.append(_settled_bytes(host))
    note_as_indexed(data)
    with running_host(data, free_port()) as host:
        host.wait_until_ready()
        with_model_bytes = _settled_bytes(host)
    ready_s, size_bytes = statistics.median(ready), statistics.median(sizes)
    say(f"{count} registered: ready {ms(ready_s)}, {ms(statistics.median(cpu))} of CPU, {mib(size_bytes)}")
    return [
        Figure(f"{label}: memory, of the whole tree", "", "", mib(size_bytes), "≤ 220 MiB", size_bytes <= MOST_BYTES),
        Figure(
            "the same where they were searched before: the model is loaded", "", "", mib(with_model_bytes), "", None
        ),
        Figure(
            f"{label}: `robot serve` → ready, median of {starts}",
            "",
            "",
            f"{ms(ready_s)}, {ms(statistics.median(cpu))} of CPU",
            "≤ 2.5 s",
            ready_s <= LATEST_READY_S,
        ),
    ]


def _settled_bytes(host: Host) -> float:
    time.sleep(WARM_UP_AFTER_S)
    process_tree.wait_until_quiet(host.pid, limit_s=SETTLED_WITHIN_S)
    return process_tree.pss_bytes(host.pid)
