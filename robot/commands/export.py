"""`robot export`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click
import trio

from robot.audit import OPERATOR, AuditAction, Entry, note
from robot.commands.opened import Opened, open_platform, wiki_at
from robot.contents import Contents
from robot.exports import Exports, Form
from robot.model import Wiki
from wikihost.content import Content
from wikihost.exports.site import site_files


@click.command("export")
@click.argument("slug")
@click.argument("dest", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    default=Form.ZIP.value,
    show_default=True,
    help="zip: Markdown and attachments; bundle: the whole git history; html: pages that any browser shows.",
)
@click.pass_obj
def command(config: Path | None, slug: str, dest: Path, form: str) -> None:
    """Write the wiki at SLUG to DEST: a new file, or with `--format html` a new folder unless DEST ends in .zip."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        if dest.exists():
            raise click.ClickException(f"{dest} exists already; name another place, or remove it first.")
        if form == Form.HTML and dest.suffix != ".zip":
            _write_folder(opened, wiki, dest)
        else:
            trio.run(_write_file, opened, wiki, Form(form), dest)
        trio.run(note, opened.db, Entry(AuditAction.EXPORTED, OPERATOR, wiki.id, form))
        click.echo(f"{wiki.name} is in {dest}.")


async def _write_file(opened: Opened, wiki: Wiki, form: Form, dest: Path) -> None:
    # Under another name until it is whole: half an export is none.
    draft = dest.with_name(f"{dest.name}.part")
    file = draft.open("xb")
    contents = Contents(opened.data)
    try:
        with file:
            await _stream(Exports(contents, opened.data), wiki, form, file)
        draft.rename(dest)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        contents.close_all()


async def _stream(exports: Exports, wiki: Wiki, form: Form, file: IO[bytes]) -> None:
    written = 0

    async def write(piece: bytes) -> None:
        nonlocal written
        await trio.to_thread.run_sync(file.write, piece)
        written += len(piece)
        if sys.stderr.isatty():
            click.echo(f"\r{written / 2**20:.1f} MiB", err=True, nl=False)

    await exports.stream(wiki, form, write)
    if sys.stderr.isatty():
        click.echo("", err=True)


def _write_folder(opened: Opened, wiki: Wiki, dest: Path) -> None:
    content = Content(opened.data.wiki(wiki.id))
    try:
        with (
            content.snapshot() as snapshot,
            click.progressbar(length=content.stats().pages + 1, label="Exporting") as bar,
        ):
            for path, data in site_files(snapshot, wiki.name):
                place = dest / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                bar.update(1 if path.endswith(".html") else 0)
    finally:
        content.close()
