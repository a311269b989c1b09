"""Processes and file systems as faults need them: who is whose child, who lives, a disk that is full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_S = 0.02
OF_THE_WORKER = "/-/changelog"
"""A page that no cache answers."""


def children_of(pid: int) -> list[int]:
    """Direct children, as the kernel lists them."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def descendants_of(pid: int) -> list[int]:
    direct = children_of(pid)
    return direct + [below for child in direct for below in descendants_of(child)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def zygotes_of(core: int) -> list[int]:
    """The zygote of a running core; none for a moment after it was killed."""
    return [pid for pid in children_of(core) if "wikihost.child.zygote" in command_of(pid)]


def zygote_of(core: int) -> int:
    """The zygote of a running core."""
    (zygote,) = zygotes_of(core)
    return zygote


def workers_of(core: int) -> list[int]:
    return children_of(zygote_of(core))


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Look again and again until `condition` holds; returns the seconds it took. For states only the kernel knows."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(POLL_S)
    return time.monotonic() - began


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, how)


@contextlib.contextmanager
def small_disk(mount_point: Path, size_mib: int) -> Iterator[Path]:
    """A tmpfs of that size, which a test can fill. Needs root."""
    mount_point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(mount_point)], check=True)
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", "-l", str(mount_point)], check=True)


def git(repo: Path, *words: str) -> str:
    """Output of git in `repo`; fails loudly."""
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(repo), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout


def wiki_repo(data: Path) -> Path:
    """The repository of the only wiki in a data directory."""
    (home,) = (path for path in (data / "wikis").iterdir() if (path / "repo").exists())
    return home / "repo"
