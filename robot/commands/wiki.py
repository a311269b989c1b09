"""`robot wiki create | clone | list | quota | freeze | unfreeze | take-down | put-up | delete | undelete`"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import click
import trio

from robot.accounts import operator_of
from robot.audit import OPERATOR
from robot.backup.cloning import clone_wiki
from robot.backup.report import of_taken_in
from robot.commands.opened import Opened, open_platform, person_named, wiki_at
from robot.db import Database
from robot.deletion import (
    delete_wiki_for_now,
    find_deleted_wiki_at,
    list_deleted_wikis,
    purge_wiki,
    undelete_wiki,
)
from robot.freezing import freeze, unfreeze
from robot.hosting import create_hosted_wiki
from robot.model import Visibility, Wiki
from robot.quotas import default_quota, set_quota
from robot.sealed_copies import SealedCopies
from robot.takedown import find_taken_down_at, list_taken_down, put_up, take_down
from robot.wikis import list_wikis
from wikihost.content import Content
from wikihost.errors import ContentError
from wikihost.layout import DataDir
from wikihost.quota import MIB, Quota, Usage, how_full


@click.group("wiki")
def command() -> None:
    """Create, list, delete and undelete wikis, and say how much each may hold, who writes, and whether it is up."""


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
                quota=default_quota(opened.settings),
                by=OPERATOR,
            )

        trio.run(make)
        click.echo(opened.address.wiki_origin(slug))


@command.command("clone")
@click.argument("slug")
@click.argument("new_slug")
@click.option("--owner", metavar="NAME", help="Who owns the copy; the owners of the original by default.")
@click.pass_obj
def clone(config: Path | None, slug: str, new_slug: str, owner: str | None) -> None:
    """Make a wiki at NEW_SLUG with all pages, files and history that the one at SLUG has now; private at first."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        person = None if owner is None else person_named(opened.db, owner)
        usual = default_quota(opened.settings)
        made = trio.run(
            partial(clone_wiki, opened.db, opened.data, wiki, new_slug, owner=person, usual=usual),
        )
        click.echo(of_taken_in(made, opened.address))


@command.command("list")
@click.pass_obj
def list_(config: Path | None) -> None:
    """List all wikis: address, visibility, name, pages and MiB against the quota, MiB on disk with history."""
    with open_platform(config) as opened:
        for wiki in trio.run(list_wikis, opened.db):
            figures = "\t".join(_figures(opened.data, wiki))
            frozen = "\tread-only" if wiki.is_frozen else ""
            click.echo(f"{opened.address.origin_of(wiki)}\t{wiki.visibility}\t{wiki.name}\t{figures}{frozen}")
        for wiki in trio.run(list_taken_down, opened.db):
            since = f"taken down {wiki.taken_down:%Y-%m-%d}: {wiki.taken_down_why}"
            click.echo(f"{opened.address.wiki_origin(wiki.slug)}\t{since}\t{wiki.name}")
        for deleted in trio.run(list_deleted_wikis, opened.db):
            if deleted.wiki.taken_down is not None:
                continue  # listed above, and has no end
            until = f"deleted, can be had back until {deleted.purge:%Y-%m-%d}"
            click.echo(f"{opened.address.origin_of(deleted.wiki)}\t{until}\t{deleted.wiki.name}")


def _figures(data: DataDir, wiki: Wiki) -> list[str]:
    try:
        with closing(Content(data.wiki(wiki.id))) as content:
            stats = content.stats()
    except ContentError as error:
        return [str(error)]
    usage, quota = stats.usage, stats.quota
    return [*_against(usage, quota), f"{stats.repository_bytes / MIB:.1f} MiB on disk", how_full(usage, quota)]


def _against(usage: Usage, quota: Quota) -> list[str]:
    used, most = usage.size_bytes / MIB, quota.size_bytes / MIB
    return [f"{usage.pages} of {quota.pages} pages", f"{used:.1f} of {most:.10g} MiB"]


@command.command("quota")
@click.argument("slug")
@click.option("--pages", type=click.IntRange(min=0), help="How many pages it may have.")
@click.option("--mebibytes", type=click.IntRange(min=0), help="How many MiB its files may take, without history.")
@click.option("--default", "as_usual", is_flag=True, help="What the settings say for all wikis; first of all.")
@click.pass_obj
def quota(config: Path | None, slug: str, pages: int | None, mebibytes: int | None, as_usual: bool) -> None:
    """Show how much the wiki at SLUG holds, and grant it more or less from its next write on."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        if as_usual or pages is not None or mebibytes is not None:
            kept_pages, kept_bytes = (None, None) if as_usual else (wiki.quota_pages, wiki.quota_bytes)
            granted_pages = kept_pages if pages is None else pages
            granted_bytes = kept_bytes if mebibytes is None else mebibytes * MIB

            async def grant() -> None:
                usual = default_quota(opened.settings)
                await set_quota(opened.db, opened.data, wiki, usual, pages=granted_pages, size_bytes=granted_bytes)

            trio.run(grant)
        click.echo("\n".join(filter(None, _figures(opened.data, wiki))))


@command.command("freeze")
@click.argument("slug")
@click.pass_obj
def freeze_(config: Path | None, slug: str) -> None:
    """Let the wiki at SLUG be read only, from its next write on, whoever writes; reading and exports go on."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        trio.run(freeze, opened.db, opened.data, wiki)
        click.echo(f"{wiki.name} is read-only now. `robot wiki unfreeze {slug}` ends that.")


@command.command("unfreeze")
@click.argument("slug")
@click.pass_obj
def unfreeze_(config: Path | None, slug: str) -> None:
    """Let the wiki at SLUG be written again."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        trio.run(unfreeze, opened.db, opened.data, wiki)
        click.echo(f"{wiki.name} can be written again.")


@command.command("take-down")
@click.argument("slug")
@click.option("--why", required=True, metavar="REASON", help="Whoever has a role in the wiki reads it.")
@click.pass_obj
def take_down_(config: Path | None, slug: str, why: str) -> None:
    """Keep everybody out of the wiki at SLUG, from the next request on, and keep a sealed copy; nothing is deleted."""
    with open_platform(config) as opened:
        trio.run(take_down, opened.db, _kept_wiki_at(opened.db, slug), why)
        click.echo(f"Nobody reaches {slug} any more. `robot wiki put-up {slug}` ends that.")
        copies = SealedCopies(opened.db, opened.data, opened.settings.backup_passphrase_file)
        taken_down = _kept_wiki_at(opened.db, slug)
        click.echo(f"A sealed copy is kept: {trio.run(copies.keep, taken_down)}")


@command.command("put-up")
@click.argument("slug")
@click.pass_obj
def put_up_(config: Path | None, slug: str) -> None:
    """Let people and agents into the wiki at SLUG again, as before it was taken down."""
    with open_platform(config) as opened:
        wiki = find_taken_down_at(opened.db, slug)
        if wiki is None:
            raise click.ClickException(f"No wiki {slug} was taken down; `robot wiki list` names those that were.")
        trio.run(put_up, opened.db, wiki)
        click.echo(f"{wiki.name} is there again.")


def _kept_wiki_at(db: Database, slug: str) -> Wiki:
    """The wiki at `slug`, whether somebody reaches it or not."""
    deleted = find_deleted_wiki_at(db, slug)
    return find_taken_down_at(db, slug) or (wiki_at(db, slug) if deleted is None else deleted.wiki)


@command.command("delete")
@click.argument("slug")
@click.option("--for-good", is_flag=True, help="With all pages and history, at once; nobody can undo this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(config: Path | None, slug: str, for_good: bool, yes: bool) -> None:
    """Delete the wiki at SLUG; for 30 days it can be had back with `robot wiki undelete`."""
    with open_platform(config) as opened:
        wiki = _kept_wiki_at(opened.db, slug) if for_good else wiki_at(opened.db, slug)
        how = f"deletes {wiki.name} {'for good' if for_good else 'for everybody'}"
        if not yes and click.prompt(f"This {how}. Type its address ({slug}) to go on") != slug:
            raise click.ClickException("Nothing was deleted.")
        trio.run(_delete, opened, wiki, for_good)
        after = "Backups that have it keep it until their time is over."
        click.echo(f"Deleted {wiki.name}. {after if for_good else f'`robot wiki undelete {slug}` undoes it.'}")


async def _delete(opened: Opened, wiki: Wiki, for_good: bool) -> None:
    await delete_wiki_for_now(opened.db, wiki, OPERATOR)
    if for_good:
        await purge_wiki(opened.db, opened.data, wiki.id, OPERATOR)


@command.command("undelete")
@click.argument("slug")
@click.pass_obj
def undelete(config: Path | None, slug: str) -> None:
    """Have the deleted wiki at SLUG back as it was."""
    with open_platform(config) as opened:
        deleted = find_deleted_wiki_at(opened.db, slug)
        wiki = None if deleted is None else trio.run(partial(undelete_wiki, opened.db, deleted.wiki.id, OPERATOR))
        if wiki is None:
            raise click.ClickException(
                f"There is no deleted wiki {slug} that anybody owns; `robot wiki list` names all."
            )
        click.echo(f"{wiki.name} is back at {opened.address.wiki_origin(slug)}.")
