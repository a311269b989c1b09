"""`robot keys list | rotate`"""

from __future__ import annotations

import time
from pathlib import Path

import click

from robot.clock import moment
from robot.datadir import prepare
from robot.settings import load
from robot.signin.atproto.client_keys import ClientKeys, KeyRing
from wikihost.layout import DataDir


@click.group("keys")
def command() -> None:
    """List and rotate the keys by which servers that sign people in know this host."""


@command.command("list")
@click.pass_obj
def list_(config: Path | None) -> None:
    """List the keys that are published: id, and what each is for now."""
    _show(_keys(config).load())


@command.command("rotate")
@click.option("--stolen", is_flag=True, help="Drop the old keys at once; sign-ins may fail for a quarter of an hour.")
@click.pass_obj
def rotate(config: Path | None, stolen: bool) -> None:
    """Publish a new key, which signs in the old one's place soon. The host may be running, and nobody notices."""
    keys = _keys(config)
    _show(keys.replace() if stolen else keys.rotate())


def _keys(config: Path | None) -> ClientKeys:
    data = DataDir(load(config).settings.data.absolute())
    prepare(data)
    return ClientKeys(data.keys)


def _show(ring: KeyRing) -> None:
    now = time.time()
    signing = ring.signing(now)
    for key in ring.published(now):
        if key is signing:
            state = f"signs since {moment(key.signs_from):%Y-%m-%d %H:%M} UTC"
        elif key.signs_from > now:
            state = f"signs from {moment(key.signs_from):%Y-%m-%d %H:%M} UTC on"
        else:
            state = "signs no more, and is published for sign-ins that it began"
        click.echo(f"{key.id}\t{state}")
