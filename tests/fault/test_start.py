"""A start that cannot succeed says why in one sentence and exits with a code other than 0."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Robot, environment, free_port, robot_argv, robot_command, running_robot

pytestmark = pytest.mark.fault


def refused(*words: str, env: dict[str, str] | None = None) -> str:
    """Start a verb that must fail; returns its one sentence."""
    done = subprocess.run(
        robot_argv(*words), env=environment(env), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("verb", ["serve", "demo"])
def test_port_in_use(tmp_path: Path, verb: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(verb, "--port", str(port), "--data", str(tmp_path / "data"))
    assert f"port {port}" in said
    assert "in use" in said
    assert "--port" in said
    assert "Errno" not in said


def test_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    said = refused("serve", "--port", str(free_port()), "--data", str(tmp_path / "file" / "data"))
    assert str(tmp_path / "file") in said
    assert "--data" in said


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"ROBOT_PORT": "many"}, ("port", "integer")),
        ({"ROBOT_PORT": "70000"}, ("port", "65535")),
        ({"ROBOT_DOMAIN": "https://example.org"}, ("domain", "host name")),
        ({"ROBOT_DOMAIN": "example.org"}, ("https",)),
        ({"ROBOT_POTR": "1"}, ("ROBOT_POTR",)),
        ({"ROBOT_CONFIG": "/nonexistent/robot.toml"}, ("/nonexistent/robot.toml",)),
    ],
)
def test_wrong_setting(env: dict[str, str], words: tuple[str, ...]) -> None:
    said = refused("serve", env=env)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(("toml", "word"), [("port = 1\nprot = 2", "prot"), ("port = [", "TOML"), ("port = 0", "port")])
def test_wrong_settings_file(tmp_path: Path, toml: str, word: str) -> None:
    (tmp_path / "robot.toml").write_text(toml)
    assert word in refused("--config", str(tmp_path / "robot.toml"), "serve")


def test_data_of_a_newer_robot(tmp_path: Path) -> None:
    assert robot_command("wiki", "list", data=tmp_path, port=free_port()).returncode == 0
    with closing(sqlite3.connect(tmp_path / "robot.db")) as db:
        db.execute("PRAGMA user_version = 999")
    said = refused("serve", "--port", str(free_port()), "--data", str(tmp_path))
    assert "newer robot" in said


def test_data_of_another_program(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "robot.db")) as db:
        db.execute("CREATE TABLE theirs (x)")
    assert "not a database of robot" in refused("serve", "--port", str(free_port()), "--data", str(tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "robot.db").write_text("This is a letter, not a database." * 100)
    assert "robot.db" in refused("serve", "--port", str(free_port()), "--data", str(tmp_path))


def test_a_second_robot_on_the_same_data(own_robot: Robot) -> None:
    said = refused("serve", "--port", str(free_port()), "--data", str(own_robot.data))
    assert "Another robot" in said
    with own_robot.client() as client:
        assert client.get("/").status_code == 200


def test_check_names_settings_sources_and_problems(tmp_path: Path) -> None:
    (tmp_path / "robot.toml").write_text('log_level = "debug"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = robot_command(
            "check", data=tmp_path / "data", port=port, env={"ROBOT_CONFIG": str(tmp_path / "robot.toml")}
        )
    assert done.returncode == 1
    assert f"port {port}" in " ".join(done.stdout.lower().split())
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "environment" in rows["port"]
    assert "robot.toml" in rows["log_level"]
    assert "default" in rows["domain"]


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    with running_robot(tmp_path / "data", first_start=True) as first, first.agent() as agent:
        token = first.token
        assert agent.put("/api/v1/pages/Kept", json={"content": "Kept."}).status_code == 201
    with running_robot(tmp_path / "data") as second, second.agent() as agent:
        assert second.token == token
        assert agent.get("/api/v1/pages/Kept").json()["content"] == "Kept."
