"""`robot serve`"""

from __future__ import annotations

from pathlib import Path

import click
import trio

from robot import logs, supervisor
from robot.settings import load


@click.command("serve")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--data", type=click.Path(path_type=Path), help="The data directory.")
@click.pass_obj
def command(config: Path | None, port: int | None, data: Path | None) -> None:
    """Run the host until SIGTERM or Ctrl-C."""
    settings = load(config, {"port": port, "data": data}).settings
    logs.configure(settings.log_level)
    supervisor.run(settings, _announce)
    supervisor.leave()


async def _announce(core: supervisor.Core) -> None:
    click.echo(f"robot answers at {core.address.platform_origin}", err=True)
    await trio.lowlevel.checkpoint()
