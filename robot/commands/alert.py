"""`robot alert test | list`"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import trio

from robot.alerts.book import list_standing, list_undelivered
from robot.alerts.chosen import chosen_ways
from robot.alerts.message import Message, trial_message
from robot.alerts.secrets import read_alert_secrets
from robot.alerts.ways import NotSent, Way
from robot.commands.opened import open_platform
from robot.fetch import Door
from robot.settings import load


@click.group("alert")
def command() -> None:
    """Try how alerts reach you, and list what is wrong."""


@command.command("test")
@click.pass_obj
def test(config: Path | None) -> None:
    """Send a test by every way that the settings name, and say what happened; exit code 1 if one failed."""
    settings = load(config).settings
    ways = chosen_ways(settings, read_alert_secrets(settings), Door())
    if not ways:
        raise click.ClickException("Nobody is told: set alert_webhook_file or alert_mail_to (docs/operations.md).")
    message = trial_message(settings.domain, datetime.now(UTC))
    went = [trio.run(_try, way, message) for way in ways]
    if not all(went):
        sys.exit(1)


async def _try(way: Way, message: Message) -> bool:
    try:
        await way.send(message)
    except NotSent as error:
        click.echo(f"{way.name}: not sent. {error}")
        return False
    click.echo(f"{way.name}: sent. Look whether it arrived.")
    return True


@command.command("list")
@click.pass_obj
def list_(config: Path | None) -> None:
    """List the alerts that stand: since when, what is wrong, what to do; then the ways that fail."""
    with open_platform(config) as opened:
        standing, undelivered = list_standing(opened.db), list_undelivered(opened.db)
        for one in standing:
            click.echo(f"{one.begun:%Y-%m-%d %H:%M}\t{one.alert.name}\t{one.alert.sentence} {one.alert.remedy}")
        for each in undelivered:
            click.echo(f"{each.since:%Y-%m-%d %H:%M}\t{each.way}\t{each.sentence}")
        if not standing and not undelivered:
            click.echo("Nothing is wrong that robot knows of.")
