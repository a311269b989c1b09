"""`robot stats`"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import click
import trio

from robot.amounts import counted, duration, file_size
from robot.census import count_all
from robot.commands.opened import Opened, open_platform
from robot.commands.running_host import read_figures
from robot.logs import escaped
from robot.machine import disk_of, last_backup_age_s
from robot.metrics.summary import Running, Summary, summarize

_MOST_TROUBLES = 5


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.pass_obj
def command(config: Path | None, as_json: bool) -> None:
    """Show on one screen how this host is and what it did since it was started; what is on disk also when it is not."""
    with open_platform(config) as opened:
        text = read_figures(opened.settings.port)
        summary = _at_rest(opened) if text is None else _summary(text, opened.settings.port)
    if as_json:
        click.echo(json.dumps(_plain(asdict(summary)), indent=2))
        return
    for label, value in _lines(summary):
        # Where robot does not run, any program of this machine may have answered.
        click.echo(escaped(f"{label:<10}{value}".rstrip()))


def _summary(text: str, port: int) -> Summary:
    try:
        return summarize(text)
    except ValueError as error:
        raise click.ClickException(
            f"What answers on port {port} is not robot; check `port` in the settings."
        ) from error


def _at_rest(opened: Opened) -> Summary:
    """What can be known where no host runs."""
    counts, disk = trio.run(count_all, opened.db), disk_of(opened.data)
    return Summary(
        wikis=counts.wikis,
        deleted=counts.deleted,
        frozen=counts.frozen,
        people=counts.people,
        backup_age_s=last_backup_age_s(opened.db, time.time()),
        disk_free=disk.free,
        disk_size=disk.total,
        database=disk.database,
        running=None,
    )


def _plain(value: object) -> object:
    """The same without infinity, which JSON does not have: None."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    return None if value == math.inf else value


def _lines(summary: Summary) -> Iterator[tuple[str, str]]:
    """The screen: what a line is about, and what it says."""
    running = summary.running
    yield "robot", "does not run" if running is None else _since(running)
    yield "wikis", _wikis(summary)
    yield "people", "unknown: the database does not answer" if summary.people is None else f"{summary.people:,}"
    if running is not None:
        yield from _requests(running)
        yield "changes", f"{running.changes:,}, {counted(running.conflicts, 'conflict')}"
        yield "index", _index(running)
    age = summary.backup_age_s
    yield "backup", "none yet" if age is None else f"{duration(age)} old"
    share = summary.disk_free / summary.disk_size if summary.disk_size else 0
    free = f"{file_size(summary.disk_free)} free of {file_size(summary.disk_size)} ({share * 100:.0f} %)"
    yield "disk", f"{free}, the database takes {file_size(summary.database)}"
    if running is not None:
        parts = f"{counted(running.descriptors, 'file')} open, {counted(running.threads, 'thread')}"
        yield "process", f"{file_size(running.memory)}, {parts}, loop late by {_ms(running.loop_delay_s)} at most"
        yield from _troubles(running)


def _since(running: Running) -> str:
    began = datetime.now().astimezone() - timedelta(seconds=running.up_s)
    return f"{running.version}, up for {duration(running.up_s)}, since {began:%Y-%m-%d %H:%M}"


def _wikis(summary: Summary) -> str:
    if summary.wikis is None:
        return "unknown: the database does not answer"
    running = summary.running
    awake = "" if running is None else f", {running.awake} awake of {running.most_awake} at most"
    return f"{summary.wikis:,}{awake}, {summary.frozen:,} read-only, {summary.deleted:,} more deleted"


def _requests(running: Running) -> Iterator[tuple[str, str]]:
    looks = running.cache_hits + running.cache_misses
    kept = f", {running.cache_hits / looks * 100:.0f} % of pages were kept" if looks else ""
    yield "requests", f"{sum(face.requests for face in running.faces):,}{kept}"
    if running.faces:
        yield "", f"{'face':<10} {'requests':>10} {'failed':>8} {'half within':>12} {'99 % within':>12}"
    for face in running.faces:
        times = f"{_ms(face.p50_s):>12} {_ms(face.p99_s):>12}"
        yield "", f"{face.face:<10} {face.requests:>10,} {face.failed:>8,} {times}"


def _index(running: Running) -> str:
    waits = "nothing waits"
    if running.index_wikis:
        waits = f"{counted(running.index_wikis, 'wiki')} at work or waiting, for {running.index_lag_s:.0f} s at most"
    return f"{waits}, {running.index_failing:,} failing" if running.index_failing else waits


def _troubles(running: Running) -> Iterator[tuple[str, str]]:
    """What the parts logged that logged most."""
    label = "troubles"
    for trouble in running.troubles[:_MOST_TROUBLES]:
        yield label, f"{trouble.part}: {counted(trouble.errors, 'error')}, {counted(trouble.warnings, 'warning')}"
        label = ""
    if not running.troubles:
        yield label, "none in the last 24 hours"


def _ms(seconds: float) -> str:
    """Some milliseconds, or seconds."""
    if seconds == math.inf:
        return "over 30 s"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
