"""`robot user create | list | suspend | unsuspend | operator | delete`"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click
import trio

from robot.accounts import insert_user, list_users, new_user
from robot.audit import OPERATOR, AuditAction, Entry, record
from robot.commands.opened import open_platform, person_named
from robot.leaving import delete_account
from robot.model import User
from robot.standing import set_operator, suspend, unsuspend


@click.group("user")
def command() -> None:
    """Create, list and delete accounts, keep people out, and say who is an operator."""


@command.command("create")
@click.argument("name")
@click.option("--display-name", metavar="NAME", help="What commits show; the user name by default.")
@click.option("--operator", "is_operator", is_flag=True, help="They see the operator's pages.")
@click.pass_obj
def create(config: Path | None, name: str, display_name: str | None, is_operator: bool) -> None:
    """Make an account with the user name NAME, for somebody who signs in with a one-time link."""
    with open_platform(config) as opened:
        user = new_user(name, display_name or name, is_operator=is_operator)

        def insert(connection: sqlite3.Connection) -> None:
            insert_user(connection, user)
            record(connection, Entry(AuditAction.USER_CREATED, OPERATOR, target=user.name))

        opened.db.transact(insert)
        click.echo(f"{user.name} has an account. `robot login-link --user {user.name}` signs them in.")


@command.command("list")
@click.pass_obj
def list_(config: Path | None) -> None:
    """List everybody: user name, display name, since when, and what is special about them."""
    with open_platform(config) as opened:
        for user in trio.run(list_users, opened.db):
            click.echo("\t".join([user.name, user.display_name, f"{user.created:%Y-%m-%d}", *_special(user)]))


def _special(user: User) -> list[str]:
    return [
        *(["operator"] if user.is_operator else []),
        *(["suspended"] if user.suspended else []),
        *([f"deleted on {user.leaving:%Y-%m-%d}"] if user.leaving else []),
    ]


@command.command("suspend")
@click.argument("name")
@click.option("--why", default="", metavar="REASON", help="The person reads it.")
@click.pass_obj
def suspend_(config: Path | None, name: str, why: str) -> None:
    """Let nothing of NAME open anything from now on: no browser, no token, no connection. Nothing is removed."""
    with open_platform(config) as opened:

        async def keep_out() -> None:
            await suspend(opened.db, person_named(opened.db, name), why, by=OPERATOR)

        trio.run(keep_out)
        click.echo(f"{name} is suspended. `robot user unsuspend {name}` ends that.")


@command.command("unsuspend")
@click.argument("name")
@click.pass_obj
def unsuspend_(config: Path | None, name: str) -> None:
    """Let NAME in again; their agents get in as before, they themselves sign in anew."""
    with open_platform(config) as opened:

        async def let_in() -> None:
            await unsuspend(opened.db, person_named(opened.db, name), by=OPERATOR)

        trio.run(let_in)
        click.echo(f"{name} is not suspended.")


@command.command("operator")
@click.argument("name")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.pass_obj
def operator(config: Path | None, name: str, switch: str) -> None:
    """Make NAME an operator (on), or one no more (off). A host keeps one."""
    with open_platform(config) as opened:

        async def decide() -> None:
            user = person_named(opened.db, name)
            await set_operator(opened.db, user, is_operator=switch == "on", by=OPERATOR)

        trio.run(decide)
        click.echo(f"{name} is {'an operator' if switch == 'on' else 'no operator'} now.")


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(config: Path | None, name: str, yes: bool) -> None:
    """Delete the account NAME for good, at once. Wikis that they alone own need another owner, or to go, first."""
    with open_platform(config) as opened:
        user = person_named(opened.db, name)
        if not yes and click.prompt(f"This deletes the account of {user.display_name}. Type {name} to go on") != name:
            raise click.ClickException("Nothing was deleted.")

        async def remove() -> None:
            await delete_account(opened.db, user, by=OPERATOR)

        trio.run(remove)
        click.echo(f"Deleted the account {name}. What they wrote stays in the wikis, under their name.")
