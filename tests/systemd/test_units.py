"""The unit files, judged by systemd's own tools."""

import os
import re
import shutil
import socket
import subprocess
import sys
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
    for name, verb in (("robot.service", "serve"), ("robot-backup.service", "backup")):
        service = (UNITS / name).read_text()
        assert f"ExecStart={INSTALLED_ROBOT} {verb}\n" in service
        (tmp_path / name).write_text(service.replace(INSTALLED_ROBOT, str(program)))
    for name in ("robot.socket", "robot-backup.timer"):
        shutil.copy(UNITS / name, tmp_path)
    return tmp_path


def test_units_verify_clean(units: Path) -> None:
    ran = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", *sorted(units.glob("robot*.*"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_the_single_file_is_started_by_the_same_unit(units: Path) -> None:
    drop_in = (UNITS / "onefile.conf").read_text()
    (units / "robot.service.d").mkdir()
    (units / "robot.service.d" / "onefile.conf").write_text(
        drop_in.replace("/opt/robot-onefile/robot serve", f"{units / 'robot'} serve --onefile")
    )
    for said, mistake in (("", ""), ("Nonsense", "Nonsense=1\n")):
        with (units / "robot.service.d" / "onefile.conf").open("a") as file:
            file.write(mistake)
        ran = subprocess.run(
            [tool("systemd-analyze"), "verify", "--man=no", units / "robot.service"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (said in ran.stderr) if said else (ran.returncode, ran.stderr) == (0, "")


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


def test_workers_can_be_isolated_under_the_units_filter(tmp_path: Path) -> None:
    tool("systemd-analyze")
    trial = "import sys, pathlib, robot.isolating as isolating, wikihost.layout as layout\n"
    trial += "pieces = isolating.try_isolation(layout.DataDir(pathlib.Path(sys.argv[1])))\n"
    trial += "sys.exit(' '.join(isolating.missing_pieces(pieces)) or 0)"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sandbox = [sys.executable, str(Path(__file__).with_name("sandbox.py")), str(UNITS / "robot.service")]
        ran = subprocess.run(
            [*sandbox, str(listener.fileno()), sys.executable, "-c", trial, str(tmp_path)],
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", ["robot.service", "robot-backup.service"])
def test_service_is_hardened(units: Path, name: str) -> None:
    ran = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", units / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    exposure = re.search(rf"Overall exposure level for {re.escape(name)}: ([0-9.]+)", ran.stdout)
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
