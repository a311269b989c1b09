"""`robot stats` where no host answers, or another program does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import generate_latest

from robot.cli import cli
from robot.finished import Face, Finished
from robot.metrics.exposition import Everything
from robot.metrics.meters import Meters
from tests.robot.test_health import WELL


def stats(directory: Path, port: int, *words: str) -> Result:
    file = directory / "robot.toml"
    file.write_text(f'data = "{directory / "data"}"\nport = {port}')
    return CliRunner().invoke(cli, ["--config", str(file), "stats", *words])


@contextmanager
def answering(status: int, text: str) -> Iterator[int]:
    """Some program at a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_without_a_host_it_tells_what_is_on_disk(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port  # nobody listens there when it is closed
    told = stats(tmp_path, port)
    assert told.exit_code == 0, told.output
    assert told.output.startswith("robot     does not run\nwikis     0, 0 read-only, 0 more deleted\npeople    0\n")
    assert "backup    none yet\n" in told.output
    summary = json.loads(stats(tmp_path, port, "--json").output)
    assert (summary["wikis"], summary["backup_age_s"], summary["running"]) == (0, None, None)
    assert summary["disk_free"] > 0


@pytest.mark.parametrize(
    ("status", "text", "sentence"),
    [
        (200, "<html>hello</html>", "is not robot; check `port`"),
        (200, "up 1\n", "is not robot; check `port`"),
        (404, "", "gives its figures to others only; add 127.0.0.0/8 to `metrics_from`."),
        (503, "", "The host is starting or stopping (503); try again."),
    ],
)
def test_what_is_no_answer_is_said_in_a_sentence(tmp_path: Path, status: int, text: str, sentence: str) -> None:
    with answering(status, text) as port:
        told = stats(tmp_path, port)
    assert told.exit_code == 1
    assert sentence in told.output


def test_what_another_program_answers_is_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    with answering(200, 'robot_info{version="\x1b]0;mine\x07"} 1\n') as port:
        told = stats(tmp_path, port)
    assert (told.exit_code, told.output.isascii()) == (0, True)
    assert told.output.startswith("robot     \\x1b]0;mine\\x07, up for")


def test_a_host_that_is_not_well_is_shown_as_it_is(tmp_path: Path) -> None:
    """Its database does not answer, and a request took longer than anything that is counted."""
    meters = Meters()
    meters.request(Finished("r", Face.GIT, "POST", "/.git", 500, True, 100.0, {}, 0, None, None, ""))
    everything = Everything(meters, WELL, counts=None)
    with answering(200, generate_latest(everything).decode()) as port:
        told = stats(tmp_path, port).output
        faces = json.loads(stats(tmp_path, port, "--json").output)["running"]["faces"]
    assert "wikis     unknown: the database does not answer\npeople    unknown" in told
    assert "git                 1        1    over 30 s    over 30 s" in told
    assert faces == [{"face": "git", "requests": 1, "failed": 1, "p50_s": None, "p99_s": None}]
