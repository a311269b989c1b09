"""The unit files, judged by systemd's own tools."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
INSTALLED_ROBOT = "/opt/robot/.venv/bin/robot"
HIGHEST_EXPOSURE = 2.0


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: unit files can only be judged on a machine with systemd")
    return found


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A copy of the units that starts a program which exists here: verify asks for that."""
    program = tmp_path / "robot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    service = (UNITS / "robot.service").read_text()
    assert f"ExecStart={INSTALLED_ROBOT} serve\n" in service
    (tmp_path / "robot.service").write_text(service.replace(INSTALLED_ROBOT, str(program)))
    shutil.copy(UNITS / "robot.socket", tmp_path)
    return tmp_path


def test_units_verify_clean(units: Path) -> None:
    ran = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", units / "robot.service", units / "robot.socket"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_verify_sees_a_mistake(units: Path) -> None:
    service = units / "robot.service"
    service.write_text(service.read_text().replace("WatchdogSec=30", "WatchdogSecs=30"))
    ran = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", service],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "WatchdogSecs" in ran.stderr


def test_service_is_hardened(units: Path) -> None:
    ran = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", units / "robot.service"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    exposure = re.search(r"Overall exposure level for robot\.service: ([0-9.]+)", ran.stdout)
    assert exposure is not None, ran.stdout
    assert float(exposure[1]) <= HIGHEST_EXPOSURE


def test_account_and_directories_are_made(tmp_path: Path) -> None:
    """sysusers and tmpfiles, run for real on an empty root directory."""
    if os.geteuid() != 0:
        pytest.skip("making accounts and giving directories away needs root")
    for tree in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(UNITS / tree, tmp_path / "usr/lib" / tree)
    (tmp_path / "etc").mkdir()
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        subprocess.run([tool(command[0]), *command[1:], f"--root={tmp_path}"], timeout=60, check=True)

    account = re.search(
        r"^robot:x:(\d+):(\d+):.*:/var/lib/robot:/usr/sbin/nologin$",
        (tmp_path / "etc/passwd").read_text(),
        re.MULTILINE,
    )
    assert account is not None
    uid, gid = int(account[1]), int(account[2])
    data = (tmp_path / "var/lib/robot").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o777) == (uid, gid, 0o700)
    config = (tmp_path / "etc/robot").stat()
    assert (config.st_uid, config.st_gid, config.st_mode & 0o777) == (0, gid, 0o750)
