"""The peer: Otter Wiki from PyPI under gunicorn, in an environment of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.http_client import wait_for_page

LOCK = Path(__file__).with_name("requirements.lock")
SYNC_WORKERS = 2
WORKER_LIMIT_S = 600
START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Stock:
    """A running stock wiki; `pid` is the root of its process tree."""

    port: int
    pid: int
    host: str = "127.0.0.1"


def environment(work: Path) -> Path:
    """The stock wiki's own virtual environment, made from the lock file when it changed. Returns its bin directory."""
    venv = work / "venv"
    stamp = venv / "made-from"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--requirement", str(LOCK)], check=True)
        stamp.write_text(wanted)
    return venv / "bin"


def versions() -> str:
    """Which releases the lock file names, as a sentence."""
    found = dict(re.findall(r"^(gunicorn|otterwiki)==([^ ]+)", LOCK.read_text("utf-8"), re.MULTILINE))
    return f"Stock: otterwiki {found['otterwiki']}, gunicorn {found['gunicorn']}"


@contextlib.contextmanager
def running_stock(programs: Path, repo: Path, scratch: Path, port: int) -> Iterator[Stock]:
    """Stock Otter Wiki on a copy of `repo`, with the settings for names that robot uses, until the block ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / "repo"
    subprocess.run(["git", "clone", "--quiet", str(repo), str(copy)], check=True)
    settings = {
        "REPOSITORY": str(copy),
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{scratch / 'wiki.db'}",
        "SECRET_KEY": os.urandom(16).hex(),
        "RETAIN_PAGE_NAME_CASE": "True",
        "TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES": "True",
        "WRITE_ACCESS": "ANONYMOUS",
        "LOG_LEVEL": "WARNING",
        "PYTHONUTF8": "1",
    }
    surroundings = {**os.environ, **settings}
    with (scratch / "stock.log").open("w") as log:
        # Two workers that both make a missing database would race; make it first.
        once = [str(programs / "python"), "-c", "import otterwiki.server"]
        subprocess.run(once, env=surroundings, stdout=log, stderr=log, check=True)
        serve = [str(programs / "gunicorn"), "--workers", str(SYNC_WORKERS), "--bind", f"127.0.0.1:{port}"]
        # Its first page index of a large wiki asks git a thousand times, which can take longer than workers may.
        serve += ["--timeout", str(WORKER_LIMIT_S)]
        process = subprocess.Popen(
            [*serve, "--log-level", "warning", "otterwiki.server:app"], env=surroundings, stdout=log, stderr=log
        )
    try:
        wait_for_page(port, "127.0.0.1", "/", limit_s=START_LIMIT_S)
        yield Stock(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
