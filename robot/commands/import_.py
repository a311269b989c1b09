"""`robot import`"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

import click
import trio

from robot.access import first_owner
from robot.audit import OPERATOR, AuditAction, Entry, note
from robot.authorship import author_of
from robot.commands.opened import Opened, open_platform, wiki_at
from robot.fetch import Door
from robot.imports.repositories import Repositories
from robot.imports.sources import (
    LocalFile,
    LocalFolder,
    Origin,
    Prepared,
    RemoteRepository,
    label_of,
    open_source,
    prepare,
)
from robot.model import Person, Role, Wiki
from wikihost.content import Content
from wikihost.imports.run import Order, plan_import, run_import
from wikihost.imports.values import Choices, LinkStyle, OnExisting, Report, SourceLimits
from wikihost.transfer import held_directory

MAX_SHOWN = 100


@click.command("import")
@click.argument("slug")
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--existing",
    type=click.Choice([one.value for one in OnExisting]),
    default=OnExisting.SKIP.value,
    show_default=True,
    help="What to do with pages that the wiki has already; rename keeps both.",
)
@click.option(
    "--links",
    type=click.Choice([one.value for one in LinkStyle]),
    default=LinkStyle.AUTO.value,
    show_default=True,
    help="How the source writes its links; auto looks at them.",
)
@click.pass_obj
def command(config: Path | None, slug: str, source: str, dry_run: bool, existing: str, links: str) -> None:
    """Import SOURCE into the wiki at SLUG, in one commit of its owner's.

    SOURCE is a folder or a zip of Markdown, such as an Obsidian vault, a git bundle, or the https address of a git
    repository.
    """
    origin = _origin(source)
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        root = opened.data.transfers / f"import-{secrets.token_hex(8)}"
        with held_directory(root):
            prepared = trio.run(prepare, origin, _repositories(opened), root)
            choices = Choices(OnExisting(existing), LinkStyle(links))
            report = _work(opened, wiki, prepared, choices, root, dry_run=dry_run)
        if not dry_run and report.changes_something:
            entry = Entry(AuditAction.IMPORTED, OPERATOR, wiki.id, label_of(origin), report.revision or "")
            trio.run(note, opened.db, entry)
    _show(report, dry_run=dry_run)


def _origin(source: str) -> Origin:
    if source.startswith(("https://", "http://")):
        return RemoteRepository(source)
    path = Path(source)
    if path.is_dir():
        return LocalFolder(path.absolute())
    if not path.is_file():
        raise click.ClickException(f"There is no folder or file {source}.")
    return LocalFile(path.absolute(), path.name)


def _repositories(opened: Opened) -> Repositories:
    return Repositories(Door(), max_bytes=opened.settings.max_push_bytes)


def _work(opened: Opened, wiki: Wiki, prepared: Prepared, choices: Choices, root: Path, *, dry_run: bool) -> Report:
    limits = SourceLimits(opened.settings.max_body_bytes)
    author = author_of(Person(first_owner(opened.db, wiki), Role.OWNER), opened.address.domain, "web")
    order = Order(label_of(prepared.origin), choices, limits, author, prepared.history)
    home = opened.data.wiki(wiki.id)
    content = Content(home)
    try:
        with open_source(prepared, limits) as source, click.progressbar(length=1, label="Importing") as bar:

            def progress(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            if dry_run:
                return plan_import(content, source, order, progress)
            return run_import(content, home, root / "made", source, order, progress)
    finally:
        content.close()


def _show(report: Report, *, dry_run: bool) -> None:
    """The report, as text."""
    _list("Created", report.created)
    _list("Replaced", report.replaced)
    _list("Attachments", report.attachments)
    _list("Skipped, since the wiki has them", report.skipped)
    _list("Renamed", (f"{moved.source} → {moved.target}: {moved.reason}" for moved in report.renamed))
    _list("Refused", (f"{refusal.source}: {refusal.reason}" for refusal in report.refused))
    _list("Left out, since it is hidden", report.hidden)
    _list("Notes", report.notes)
    click.echo(
        f"{len(report.created)} pages created, {len(report.replaced)} replaced, {len(report.skipped)} skipped,"
        f" {len(report.unchanged)} as they were; {len(report.attachments)} attachments, {report.links} links rewritten"
        f" ({report.style})."
    )
    if report.history:
        click.echo(f"{report.history} commits of history come along.")
    if dry_run:
        click.echo("Nothing was written: this was a dry run.")
        if report.no_room:
            raise click.ClickException(f"The import would be refused. {report.no_room}")
    elif report.changes_something:
        click.echo(f"Commit {report.revision}")


def _list(title: str, lines: Iterable[str]) -> None:
    shown = list(lines)
    if not shown:
        return
    click.echo(f"{title}:")
    for line in shown[:MAX_SHOWN]:
        click.echo(f"  {line}")
    if len(shown) > MAX_SHOWN:
        click.echo(f"  and {len(shown) - MAX_SHOWN} more")
