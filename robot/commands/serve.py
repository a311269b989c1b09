"""`robot serve`"""

from __future__ import annotations

import logging
from pathlib import Path

import click
import trio

from robot import logs, supervisor
from robot.secret_files import exposed_secrets
from robot.settings import Loaded, load

log = logging.getLogger(__name__)


@click.command("serve")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--data", type=click.Path(path_type=Path), help="The data directory.")
@click.pass_obj
def command(config: Path | None, port: int | None, data: Path | None) -> None:
    """Run the host until SIGTERM or Ctrl-C."""

    def read() -> Loaded:
        return load(config, {"port": port, "data": data})

    loaded = read()
    logs.configure(loaded.settings.log_level, loaded.settings.log_format)
    for sentence in exposed_secrets(loaded):
        log.warning("%s", sentence)
    supervisor.run(loaded.settings, _announce, lambda: read().settings)
    supervisor.leave()


async def _announce(core: supervisor.Core) -> None:
    click.echo(f"robot answers at {core.address.platform_origin}", err=True)
    await trio.lowlevel.checkpoint()
