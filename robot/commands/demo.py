"""`robot demo`"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from robot import logs, supervisor
from robot.demo import Demo, prepare_demo
from robot.settings import load

# Whoever presses Ctrl-C at a demo does not want to wait.
STOP_TIMEOUT_S = 1.0


@click.command("demo")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--data", type=click.Path(path_type=Path), help="The data directory.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.pass_obj
def command(config: Path | None, port: int | None, data: Path | None, as_json: bool) -> None:
    """Run the host with a demo wiki until Ctrl-C."""
    # A demo is its own small world: what /etc/robot says is for the host that is deployed on this machine.
    settings = load(config, {"port": port, "data": data, "stop_timeout": STOP_TIMEOUT_S}, default=None).settings
    logs.configure("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)

    async def announce(core: supervisor.Core) -> None:
        demo = await prepare_demo(core.db, core.data, core.address)
        click.echo(json.dumps(asdict(demo)) if as_json else _welcome(demo))

    supervisor.run(settings, announce)
    supervisor.leave()


def _welcome(demo: Demo) -> str:
    return f"""
  robot is running.

  Sign in (works once):   {demo.signin_link}
  The demo wiki:          {demo.wiki}
  The platform:           {demo.platform}

  Connect Claude Code to the demo wiki:

    {demo.claude_line}

  Ctrl-C stops it; the data stays.
"""
