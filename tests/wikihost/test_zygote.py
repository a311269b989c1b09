"""No orphans: whichever process is killed, nothing of the fleet stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.wikihost.fleets import children_of, eventually, hosted, is_running

CORE = """
import sys
from pathlib import Path
import trio
from wikihost.fleet import Fleet, FleetOptions, HostedWiki
from wikihost.layout import WikiHome

async def main(root, run_dir):
    home = WikiHome(Path(root))
    fleet = Fleet(Path(run_dir), FleetOptions(wake_timeout_s=60), lambda *_: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        async with fleet.lease(HostedWiki("a", home, "A", "", "")) as worker:
            print(worker.pid, flush=True)
            await trio.sleep_forever()

trio.run(main, *sys.argv[1:])
"""


@contextmanager
def running_core(root: Path, run_dir: Path) -> Iterator[tuple[int, int]]:
    """A core of its own with one awake worker, killed at the end: the pids of both."""
    code = Path(__file__).parents[2]
    command = [sys.executable, "-c", CORE, str(root), str(run_dir)]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as core:
        assert core.stdout is not None
        try:
            yield core.pid, int(core.stdout.readline())
        finally:
            core.kill()


async def test_nothing_outlives_a_killed_core(tmp_path: Path) -> None:
    wiki, run_dir = hosted(tmp_path), tmp_path / "run"
    with running_core(wiki.home.root, run_dir) as (core, worker):
        (zygote,) = children_of(core)
        assert worker in children_of(zygote)
    await eventually(lambda: not is_running(zygote) and not is_running(worker))
    assert list(run_dir.glob("*.sock"))
    # What it left on disk is in nobody's way.
    with running_core(wiki.home.root, run_dir) as (_, worker):
        assert is_running(worker)
        assert len(list(run_dir.glob("*.sock"))) == 1
    await eventually(lambda: not is_running(worker))
