"""`robot token create | list | revoke`"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click
import trio

from robot.accounts import operator_of
from robot.audit import OPERATOR
from robot.commands.opened import open_platform, person_named, wiki_at
from robot.model import Scope
from robot.tokens import create_token, list_tokens, revoke_token


@click.group("token")
def command() -> None:
    """Create, list and revoke the tokens of agents."""


@command.command("create")
@click.argument("slug")
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option("--user", metavar="NAME", help="For whom it acts; the operator by default.")
@click.option("--read-only", is_flag=True, help="Reads, but writes nothing.")
@click.option("--prefix", metavar="FOLDER", help="Reads and writes only pages under this folder.")
@click.option("--days", type=click.IntRange(min=1), help="Works for so many days; for ever by default.")
@click.pass_obj
def create(
    config: Path | None, slug: str, name: str, user: str | None, read_only: bool, prefix: str | None, days: int | None
) -> None:
    """Print a new token for the wiki at SLUG. It is shown once and stored nowhere."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        scopes = {Scope.READ} if read_only else {Scope.READ, Scope.WRITE}
        expires = None if days is None else datetime.now(UTC) + timedelta(days=days)

        async def make() -> str:
            person = await operator_of(opened.db) if user is None else person_named(opened.db, user)
            secret, _ = await create_token(
                opened.db, person, wiki, name, scopes, expires=expires, prefix=prefix, by=OPERATOR
            )
            return secret

        click.echo(trio.run(make))


@command.command("list")
@click.argument("slug")
@click.pass_obj
def list_(config: Path | None, slug: str) -> None:
    """List the tokens of the wiki at SLUG: id, person, scopes, folder, last use, name."""
    with open_platform(config) as opened:
        for token, user in list_tokens(opened.db, wiki_at(opened.db, slug)):
            used = "never used" if token.last_used is None else f"used {token.last_used:%Y-%m-%d %H:%M}"
            where = "everywhere" if token.prefix is None else f"under {token.prefix}"
            click.echo(f"{token.id}\t{user.name}\t{'+'.join(sorted(token.scopes))}\t{where}\t{used}\t{token.name}")


@command.command("revoke")
@click.argument("slug")
@click.argument("token_id")
@click.pass_obj
def revoke(config: Path | None, slug: str, token_id: str) -> None:
    """Revoke the token TOKEN_ID of the wiki at SLUG; its next use is refused."""
    with open_platform(config) as opened:
        if not trio.run(partial(revoke_token, opened.db, wiki_at(opened.db, slug), token_id, by=OPERATOR)):
            raise click.ClickException(
                f"The wiki {slug} has no token {token_id}; `robot token list {slug}` names them."
            )
        click.echo("Revoked.")
