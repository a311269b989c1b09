"""`robot reindex`"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import trio

from robot.commands.opened import open_platform, wiki_at
from robot.commands.running_host import HostDoor, Refused, owners_door
from robot.model import Wiki
from robot.search.telling import tell
from robot.search.values import ReindexStatus
from robot.wikis import list_wikis

POLL_EVERY_S = 0.5

_INDEX = "/api/v1/reindex"

Doors = Sequence[tuple[Wiki, HostDoor]]


@click.command("reindex")
@click.argument("slug", required=False)
@click.option("--all", "every", is_flag=True, help="Of all wikis of this host, but for those that are read-only.")
@click.option("--status", "only_tell", is_flag=True, help="Only say how far it is, and which model is used.")
@click.option("--cancel", is_flag=True, help="Stop one that is running.")
@click.option("--no-wait", is_flag=True, help="Start it and return.")
@click.pass_obj
def command(config: Path | None, slug: str | None, every: bool, only_tell: bool, cancel: bool, no_wait: bool) -> None:
    """Have the running host build the search index of the wiki at SLUG anew, and show how far it is."""
    if (slug is None) is not every:
        raise click.UsageError("Name one wiki, or say --all.")
    if only_tell + cancel + no_wait > 1:
        raise click.UsageError("Choose one of --status, --cancel and --no-wait.")
    with open_platform(config) as opened, ExitStack() as tokens:
        wikis = trio.run(list_wikis, opened.db) if slug is None else [wiki_at(opened.db, slug)]
        if every and not only_tell:
            wikis = [wiki for wiki in wikis if not wiki.is_frozen]
        doors = [(wiki, tokens.enter_context(owners_door(opened, wiki, "reindex"))) for wiki in wikis]
        if only_tell:
            for wiki, door in doors:
                _show(wiki, _status(door))
        elif cancel:
            for wiki, door in doors:
                _cancel(wiki, door)
        else:
            started = _start_all(doors) if every else _start(*doors[0])
            if not no_wait:
                _follow_all(started, slug or "--all")


def _start(wiki: Wiki, door: HostDoor) -> Doors:
    try:
        door.call("POST", _INDEX)
    except Refused as refusal:
        if refusal.code != "reindex_running":
            raise
        raise click.ClickException(
            f"The index of {wiki.slug} is being built anew already: {tell(_status(door)).sentence}"
            f" Wait for it, or stop it with `robot reindex {wiki.slug} --cancel`."
        ) from refusal
    return [(wiki, door)]


def _start_all(doors: Doors) -> Doors:
    """As for one, but it is no failure that somebody was faster."""
    for _, door in doors:
        try:
            door.call("POST", _INDEX)
        except Refused as refusal:
            if refusal.code != "reindex_running":
                raise
    return doors


def _follow_all(doors: Doors, slug: str) -> None:
    """Show how far each is until it is done. Leaving does not stop the host."""
    failed = False
    try:
        for wiki, door in doors:
            status = _follow(wiki, door)
            failed |= status.state != "complete"
            _show(wiki, status)
    except KeyboardInterrupt:
        click.echo(
            f"\nThe host goes on. `robot reindex {slug} --status` says how far it is, `robot reindex {slug} --cancel`"
            " stops it.",
            err=True,
        )
        raise click.Abort from None
    if failed:
        raise click.ClickException("Not everything is indexed.")


def _follow(wiki: Wiki, door: HostDoor) -> ReindexStatus:
    with click.progressbar(length=1, label=f"Indexing {wiki.slug}") as bar:
        while True:
            status = _status(door)
            bar.length = max(status.pages_total, 1)
            bar.update(status.pages_indexed - bar.pos)
            if status.state != "in_progress":
                return status
            time.sleep(POLL_EVERY_S)


def _cancel(wiki: Wiki, door: HostDoor) -> None:
    was_running = door.call("DELETE", _INDEX)["status"] == "cancelled"
    done = "Cancelled." if was_running else "Nobody was having the index built anew."
    click.echo(f"{wiki.slug}: {done} {tell(_status(door)).sentence}")


def _status(door: HostDoor) -> ReindexStatus:
    told = door.call("GET", f"{_INDEX}/status")
    return ReindexStatus(
        state=told["status"],
        pages_total=told["pages_total"],
        pages_indexed=told["pages_indexed"],
        chunks_total=told["chunks_total"],
        chunks_indexed=told["chunks_indexed"],
        head=told["head"],
        indexed_head=told["indexed_head"],
        started_at=_moment(told["started_at"]),
        completed_at=_moment(told["completed_at"]),
        error_message=told["error_message"],
        eta_s=told["eta_s"],
        model=told["model"],
        model_problem=told["model_problem"],
    )


def _moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _show(wiki: Wiki, status: ReindexStatus) -> None:
    told = tell(status)
    click.echo(f"{wiki.slug}: {told.sentence}")
    if told.problem:
        click.echo(f"  {told.problem}")
    click.echo(f"  Model: {status.model}" if status.model else "  No model is in use.")
