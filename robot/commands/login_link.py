"""`robot login-link`"""

from __future__ import annotations

from pathlib import Path

import click
import trio

from robot.accounts import operator_of
from robot.commands.opened import open_platform, person_named
from robot.signin.links import create_link, link_address


@click.command("login-link")
@click.option("--user", metavar="NAME", help="Whom the link signs in; the operator by default.")
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=15, show_default=True, help="How long it works.")
@click.pass_obj
def command(config: Path | None, user: str | None, minutes: int) -> None:
    """Print a one-time link that signs somebody in; on a new host it makes the operator's account."""
    with open_platform(config) as opened:

        async def make() -> str:
            person = await operator_of(opened.db) if user is None else person_named(opened.db, user)
            if person.suspended is not None:
                raise click.ClickException(
                    f"{person.name} is suspended, and a link would open nothing; `robot user unsuspend` ends that."
                )
            return link_address(opened.address, await create_link(opened.db, person, lifetime_s=minutes * 60))

        click.echo(trio.run(make))
