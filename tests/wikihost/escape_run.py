"""A program: a fleet of two wikis, in one of which `escapes.py` is at work; prints what became of each attempt.

`python -m tests.wikihost.escape_run ISOLATION DIRECTORY`, as the user who is to be tried.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import trio

from tests.wikihost import escapes, fleets
from wikihost import zygote
from wikihost.fleet import FleetOptions, Worker
from wikihost.layout import DataDir


async def main(isolation: Any, place: Path) -> None:
    data, outside = DataDir(place / "data"), place / "outside"
    mine, other = (fleets.hosted(data.root, name) for name in ("mine", "other"))
    data.keys.mkdir()
    outside.mkdir()
    secrets = {"database": data.robot_db, "key": data.keys / "key", "settings": place / "robot.toml"}
    for file in (*secrets.values(), outside / "file"):
        file.write_text("secret")
    options = FleetOptions(wake_timeout_s=fleets.PATIENCE_S, isolation=isolation, max_awake=2, memory_bytes=512 << 20)
    with ExitStack() as stack:
        stack.enter_context(plugged_in(Path(escapes.__file__), place / "plugins"))
        async with fleets.running_fleet(data.run, options) as fleet, fleet.lease(mine) as a, fleet.lease(other) as b:
            target = {
                **{name: str(path) for name, path in secrets.items()},
                **{"home": str(mine.home.root), "page": str(other.home.repo / "Home.md")},
                **{"outside": str(outside), "file": str(outside / "file")},
                **{"core": os.getpid(), "sibling": b.pid, "socket": own_path(data, b)},
                **listeners(stack),
            }
            answer = await fleets.ask(a, "/-/escape", body=json.dumps(target).encode(), content_type="application/json")
            outcome = {"late binding": fleet.late_binding, "attempts": json.loads(answer.text)}
            outcome["after"] = [
                (await fleets.save(a, "After", "Still\n")).status,
                (await fleets.ask(b, "/Home")).status,
            ]
    print(json.dumps(outcome))


def own_path(data: DataDir, worker: Worker) -> str:
    return str(data.run / Path(worker.socket_path).name)


def plugged_in(source: Path, folder: Path) -> Any:
    """Have zygotes find a plugin as they would find one that an operator installed: `plugin` in a file of Python."""
    name = source.stem
    installed = folder / f"{name}-1.dist-info"
    installed.mkdir(parents=True)
    shutil.copy(source, folder)
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[otterwiki]\n{name} = {name}:plugin\n")
    environment = zygote._environment()
    environment["PYTHONPATH"] += f"{os.pathsep}{folder}{os.pathsep}" + os.pathsep.join(filter(None, sys.path))
    return mock.patch.object(zygote, "_environment", return_value=environment)


def listeners(stack: ExitStack) -> dict[str, Any]:
    """What an escape would find on the machine: a service on TCP, and one on an abstract socket."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
    name = f"robot-escape-{os.getpid()}"
    abstract.bind("\0" + name)
    abstract.listen()
    return {"port": server.getsockname()[1], "abstract": name}


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2]))
