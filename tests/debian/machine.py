"""A Debian 12 machine with its own systemd and no network but loopback: a directory tree that systemd-nspawn boots."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PACKAGES = "ca-certificates,curl,dbus,systemd,systemd-sysv"
START_S = 60.0
STOP_S = 30.0
# Neither registers with the outer systemd nor needs one.
NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit")


def make_tree(base: Path, tree: Path) -> None:
    """A fresh copy of a bare Debian 12, which is fetched into `base` once."""
    if not (base / "etc/os-release").exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(base), MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["cp", "-a", str(base), str(tree)], check=True)


def run_online(tree: Path, command: str) -> None:
    """Run a command in the tree before it is booted, with this machine's network: what needs Debian's archive."""
    quiet = ["--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-c", f"apt-get update -q && {command}"]
    subprocess.run([*NSPAWN, "-D", str(tree), *quiet], check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted tree; `leader` is its systemd."""

    leader: int

    def run(self, command: str) -> str:
        """What a command prints, run by root in /root. Raises AssertionError with all it said if it fails."""
        done = self.attempt(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "-t", str(self.leader), "--all", "--root", "--wd"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "bash", "-c", f"cd /root\n{command}"]
        return subprocess.run([*enter, *clean], check=False, capture_output=True, text=True, errors="replace")


@contextlib.contextmanager
def booted(tree: Path) -> Iterator[Machine]:
    """Boot the tree; it is shut down with the block."""
    command = [*NSPAWN, "-D", str(tree), "--private-network", f"--machine=robot-{os.getpid()}", "--boot"]
    with (tree.parent / "boot.log").open("w") as log:
        container = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        machine = Machine(_leader(container))
        machine.attempt("until systemctl is-system-running --wait; do sleep 0.2; done")
        yield machine
        os.kill(machine.leader, signal.SIGRTMIN + 4)  # systemd's signal to power off
        container.wait(STOP_S)
    finally:
        if container.poll() is None:
            container.kill()
        container.wait()


def _leader(container: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    deadline = time.monotonic() + START_S
    while container.poll() is None and time.monotonic() < deadline:
        for pid in children.read_text().split():
            if "systemd" in Path(f"/proc/{pid}/comm").read_text() and Path(f"/proc/{pid}/root/run/dbus").exists():
                return int(pid)
        time.sleep(0.1)  # a process in another namespace becomes a machine without telling anybody outside
    raise AssertionError("the tree did not boot")
