"""robot under test: wikis put into a data directory of its own, the server started on it, its process tree known."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
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
from robot.model import Scope, User, Visibility, Wiki
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE
from robot.signin.keys import load_session_key
from robot.signin.sessions import Sessions, insert_wiki_session
from robot.tokens import create_token
from wikihost.layout import DataDir, WikiHome
from wikihost.quota import Quota

DOMAIN = "robot.localhost"
HEALTH = "/healthz"
READY = "/readyz"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 60.0
LOG_TAIL_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Planted:
    """A wiki in the data directory; a token that may write to it, and the cookie of a browser that its owner uses."""

    slug: str
    home: WikiHome
    token: str
    cookies: Mapping[str, str]

    @property
    def repo(self) -> Path:
        return self.home.repo

    @property
    def catalog(self) -> Path:
        return self.home.catalog_db

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

    def git_url(self, wiki: Planted) -> str:
        """Where git clones from and pushes to, with the token."""
        return f"http://git:{wiki.token}@{wiki.host}:{self.port}/.git"

    def wait_until_ready(self) -> None:
        """Wait until everything is loaded and the processes at rest are there."""
        wait_for_page(self.port, DOMAIN, READY, limit_s=START_LIMIT_S)

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it ended. Raises subprocess.TimeoutExpired when it does not."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_LIMIT_S)
        return time.perf_counter() - began


def kept_catalog(source: Path) -> Path:
    """Where the catalog of a made wiki is kept with all its vectors, which take minutes to make."""
    return source.with_suffix(".catalog.db")


def plant(data: Path, wikis: Mapping[str, Path | None]) -> dict[str, Planted]:
    """Public wikis with the history of these repositories (slug → repository), while no server runs on `data`.

    One without a repository has its first page.
    """
    return trio.run(partial(_plant, DataDir(data), wikis))


async def _plant(data: DataDir, wikis: Mapping[str, Path | None]) -> dict[str, Planted]:
    datadir.prepare(data)
    db = Database.open(data.robot_db)
    try:
        owner = await create_user(db, "bench", "Bench", is_operator=True)
        return {slug: await _plant_one(db, data, owner, slug, repo) for slug, repo in wikis.items()}
    finally:
        db.close()


async def _plant_one(db: Database, data: DataDir, owner: User, slug: str, source: Path | None) -> Planted:
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
    home = data.wiki(wiki.id)
    if source is not None:
        await _take_over(home, source)
    return Planted(slug, home, secret, await _sign_in(db, data, owner, wiki))


async def _take_over(home: WikiHome, source: Path) -> None:
    for words in (("fetch", "--quiet", str(source), "main"), ("reset", "--quiet", "--hard", "FETCH_HEAD")):
        await trio.run_process(["git", "-C", str(home.repo), *words])
    catalog = kept_catalog(source)
    if catalog.exists():
        shutil.copy(catalog, home.catalog_db)


async def _sign_in(db: Database, data: DataDir, owner: User, wiki: Wiki) -> dict[str, str]:
    """The cookie that a browser has on the wiki's host when its user has signed in."""
    sessions = Sessions(db, load_session_key(data.keys), issuer=f"http://{DOMAIN}")
    session = sessions.platform_session([(b"cookie", f"{PLATFORM_COOKIE}={await sessions.begin(owner)}".encode())])
    if session is None:
        raise RuntimeError("the session that was just begun is not known")
    secret = secrets.token_urlsafe()
    await db.write(lambda connection: insert_wiki_session(connection, secret, session.id, wiki.id, time.time()))
    return {WIKI_COOKIE: secret}


# Requests are counted as ever, and what is measured never comes too often.
_OUT_OF_REACH = {
    f"ROBOT_{name}_PER_HOUR": "1000000000" for name in ("ANONYMOUS_REQUESTS", "WRITES", "SEARCHES", "GIT_REQUESTS")
}


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of robot and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROBOT_")}
    return clean | {"PYTHONUTF8": "1", "ROBOT_CONFIG": os.devnull} | _OUT_OF_REACH | dict(settings)


@contextlib.contextmanager
def running_host(
    data: Path, port: int, settings: Mapping[str, str] | None = None, program: str = "robot"
) -> Iterator[Host]:
    """`robot serve` on `data` until the block ends; `settings` are `ROBOT_…` variables, `program` is the module run."""
    surroundings = environment({"ROBOT_DATA": str(data), "ROBOT_PORT": str(port), **(settings or {})})
    log_file = data.with_suffix(".log")
    with log_file.open("a") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", program, "serve"], env=surroundings, stdout=log, stderr=log, start_new_session=True
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
