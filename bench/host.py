"""robot under test: wikis put into a data directory of its own, the server started on it, its process tree known."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from bench.http_client import wait_for_page
from robot import datadir
from robot.accounts import create_user
from robot.db import Database
from robot.hosting import create_hosted_wiki
from robot.model import Scope, User, Visibility
from robot.tokens import create_token
from wikihost.layout import DataDir
from wikihost.quota import Quota

DOMAIN = "robot.localhost"
HEALTH = "/healthz"
READY = "/readyz"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 60.0
LOG_TAIL_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Planted:
    """A wiki in the data directory, and a token that may write to it."""

    slug: str
    repo: Path
    token: str

    @property
    def host(self) -> str:
        return f"{self.slug}.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Host:
    """A running robot; `healthy_s` is the time from the start of its process to the first 200 of /healthz."""

    port: int
    process: subprocess.Popen[bytes]
    began: float
    healthy_s: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def mcp_url(self, wiki: Planted) -> str:
        return f"http://{wiki.host}:{self.port}/mcp"

    def wait_until_ready(self) -> None:
        """Wait until everything is loaded and the processes at rest are there."""
        wait_for_page(self.port, DOMAIN, READY, limit_s=START_LIMIT_S)

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it ended. Raises subprocess.TimeoutExpired when it does not."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_LIMIT_S)
        return time.perf_counter() - began


def plant(data: Path, wikis: Mapping[str, Path]) -> dict[str, Planted]:
    """Public wikis with the history of these repositories (slug → repository), while no server runs on `data`."""
    return trio.run(partial(_plant, DataDir(data), wikis))


async def _plant(data: DataDir, wikis: Mapping[str, Path]) -> dict[str, Planted]:
    datadir.prepare(data)
    db = Database.open(data.robot_db)
    try:
        owner = await create_user(db, "bench", "Bench", is_operator=True)
        return {slug: await _plant_one(db, data, owner, slug, repo) for slug, repo in wikis.items()}
    finally:
        db.close()


async def _plant_one(db: Database, data: DataDir, owner: User, slug: str, source: Path) -> Planted:
    wiki = await create_hosted_wiki(
        db,
        data,
        owner,
        slug=slug,
        name=slug,
        description="",
        visibility=Visibility.PUBLIC,
        domain=DOMAIN,
        quota=Quota(),
        pages={"Home": "# Home\n"},
    )
    secret, _ = await create_token(db, owner, wiki, "bench", [Scope.READ, Scope.WRITE])
    repo = data.wiki(wiki.id).repo
    for words in (("fetch", "--quiet", str(source), "main"), ("reset", "--quiet", "--hard", "FETCH_HEAD")):
        await trio.run_process(["git", "-C", str(repo), *words])
    return Planted(slug, repo, secret)


@contextlib.contextmanager
def running_host(data: Path, port: int, settings: Mapping[str, str] | None = None) -> Iterator[Host]:
    """`robot serve` on `data` until the block ends; `settings` are `ROBOT_…` variables."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ROBOT_")}
    surroundings |= {"ROBOT_DATA": str(data), "ROBOT_PORT": str(port), "PYTHONUTF8": "1", **(settings or {})}
    log_file = data.with_suffix(".log")
    with log_file.open("a") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "robot", "serve"], env=surroundings, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_page(port, DOMAIN, HEALTH, limit_s=START_LIMIT_S)
        yield Host(port, process, began, time.perf_counter() - began)
    except TimeoutError as error:
        error.add_note(log_file.read_text("utf-8", "replace")[-LOG_TAIL_CHARS:])
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
