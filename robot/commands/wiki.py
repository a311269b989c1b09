"""`robot wiki create | list | delete`"""

from __future__ import annotations

from pathlib import Path

import click
import trio

from robot.accounts import operator_of
from robot.commands.opened import open_platform, person_named, wiki_at
from robot.hosting import create_hosted_wiki, delete_hosted_wiki
from robot.model import Visibility
from robot.wikis import list_wikis


@click.group("wiki")
def command() -> None:
    """Create, list and delete wikis."""


@command.command("create")
@click.argument("slug")
@click.option("--name", help="What the wiki is called; its address by default.")
@click.option("--description", default="", help="What the wiki is for, in a sentence.")
@click.option("--owner", metavar="NAME", help="Who owns it; the operator by default.")
@click.option(
    "--visibility", type=click.Choice([one.value for one in Visibility]), default="private", show_default=True
)
@click.pass_obj
def create(
    config: Path | None, slug: str, name: str | None, description: str, owner: str | None, visibility: str
) -> None:
    """Create a wiki at SLUG, filled with a few first pages."""
    with open_platform(config) as opened:

        async def make() -> None:
            person = await operator_of(opened.db) if owner is None else person_named(opened.db, owner)
            await create_hosted_wiki(
                opened.db,
                opened.data,
                person,
                slug=slug,
                name=name or slug,
                description=description,
                visibility=Visibility(visibility),
                domain=opened.address.domain,
            )

        trio.run(make)
        click.echo(opened.address.wiki_origin(slug))


@command.command("list")
@click.pass_obj
def list_(config: Path | None) -> None:
    """List all wikis: address, visibility, name."""
    with open_platform(config) as opened:
        for wiki in trio.run(list_wikis, opened.db):
            click.echo(f"{opened.address.wiki_origin(wiki.slug)}\t{wiki.visibility}\t{wiki.name}")


@command.command("delete")
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(config: Path | None, slug: str, yes: bool) -> None:
    """Delete the wiki at SLUG with all its pages and history, for good."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        if not yes and click.prompt(f"This deletes {wiki.name} for good. Type its address ({slug}) to go on") != slug:
            raise click.ClickException("Nothing was deleted.")
        trio.run(delete_hosted_wiki, opened.db, opened.data, wiki)
        click.echo(f"Deleted {wiki.name}.")
