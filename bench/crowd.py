"""A crowd at one wiki, in a process of its own: `python -m bench.crowd` reads what it is to do as a line of JSON.

It says "begun" when the first of it was answered, and goes on until its input ends.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.http_client import Visitor
from bench.loops import ANSWERED, API, Loops, Patient, Tally, Work

UPLOAD_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Crowd:
    """`clients` that all do `work`, one of `WORKS`, again and again. `pages` are what is crawled."""

    port: int
    host: str
    token: str
    work: str
    clients: int
    pages: list[str]

    @property
    def git_url(self) -> str:
        return f"http://git:{self.token}@{self.host}:{self.port}/.git"


@contextmanager
def gathered(crowd: Crowd) -> Iterator[None]:
    """The crowd is at work in the block. Raises RuntimeError when it cannot begin."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.crowd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(crowd)) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "begun":
            raise RuntimeError(f"the crowd ({crowd.work}) did not begin")
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()


def _crawl(crowd: Crowd, tally: Tally, number: int) -> Work:
    visitor = Patient(Visitor(crowd.port, crowd.host), tally)
    at = itertools.count(number * 17)

    def crawl() -> None:
        visitor.ask("GET", f"/{crowd.pages[next(at) % len(crowd.pages)]}?crawl={next(at)}")

    return crawl


def _upload(crowd: Crowd, tally: Tally, number: int) -> Work:
    bearer = {"Authorization": f"Bearer {crowd.token}", "Content-Type": "application/octet-stream"}
    script = Patient(Visitor(crowd.port, crowd.host, bearer), tally)
    turns = itertools.count()

    def upload() -> None:
        body = next(turns).to_bytes(4, "big") + bytes(UPLOAD_BYTES)
        script.ask("PUT", f"{API}/pages/Home/attachments/large-{number}.bin", body)

    return upload


def _clone(crowd: Crowd, tally: Tally, _number: int) -> Work:
    def clone() -> None:
        with tempfile.TemporaryDirectory(prefix="robot-bench-") as place:
            command = ["git", "clone", "--quiet", "--bare", crowd.git_url, str(Path(place) / "copy")]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                tally.note(ANSWERED)

    return clone


WORKS: dict[str, Callable[[Crowd, Tally, int], Work]] = {"crawl": _crawl, "upload": _upload, "clone": _clone}


def main() -> None:
    crowd = Crowd(**json.loads(sys.stdin.readline()))
    loops, tally = Loops(), Tally()
    for number in range(crowd.clients):
        loops.repeat(WORKS[crowd.work](crowd, tally, number))
    while not tally[ANSWERED] and not loops.over.wait(0.01):
        pass
    print("begun", flush=True)
    sys.stdin.read()
    loops.stop()


if __name__ == "__main__":
    main()
