"""A git process of ours: it reads no configuration but a transfer's, is bounded, and ends with whoever started it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

END_S = 5.0
NICENESS = 10
"""Pages and calls come first: a clone that waits takes longer, a page that waits is noticed."""
CPU_S = 300
MEMORY_BYTES = 4 << 30
_SAID_BYTES = 4096
_PIECE_BYTES = 64 * 1024
_PIPE_BYTES = 512 * 1024

_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
}


@asynccontextmanager
async def git_process(
    arguments: Sequence[str],
    *,
    stdin: int,
    stdout: int,
    environment: Mapping[str, str],
    max_file_bytes: int | None = None,
) -> AsyncIterator[trio.Process]:
    """Run `git` with these arguments until the block ends; what still runs then, children too, is killed.

    `stdin` and `stdout` are descriptors or `subprocess` constants; stderr is a pipe, to be read with `said`. No file
    that it writes grows beyond `max_file_bytes`.
    """
    process = await trio.lowlevel.open_process(
        ["git", *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT, **environment},
        cwd="/",
        # Not a session of its own: Linux shares the processors out among sessions first, whatever their niceness is.
        process_group=0,
    )
    try:
        if process.stdout is not None:
            _widen(process.stdout)
        with contextlib.suppress(ProcessLookupError):
            # Whoever started robot may have it give way already; back from there nobody may come.
            os.setpriority(os.PRIO_PROCESS, process.pid, max(os.getpriority(os.PRIO_PROCESS, process.pid), NICENESS))
            # A small pack can ask for very much memory or time: it is let have what an honest one needs.
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (CPU_S, CPU_S))
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            if max_file_bytes is not None:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
        yield process
    finally:
        # Not reaped yet, so the group is still this process's own.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with trio.move_on_after(END_S, shield=True):
            await process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    await stream.aclose()


def _widen(stream: trio.abc.ReceiveStream) -> None:
    """Let git write ahead of us more than the 64 KiB that a pipe holds; a system that is short of pipes says no."""
    if isinstance(stream, trio.lowlevel.FdStream):
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


async def said(process: trio.Process) -> str:
    """What a process writes to stderr until it closes it; the end of it when that is long."""
    assert process.stderr is not None  # noqa: S101  (git_process made the pipe)
    end = b""
    while piece := await process.stderr.receive_some(_PIECE_BYTES):
        end = (end + piece)[-_SAID_BYTES:]
    return end.decode("utf-8", "replace").strip()


class GitFailed(Exception):
    """git ended with an error; the message is what it said."""


def reason_of(words: str) -> str:
    """The first line in which git names an error, without its label."""
    lines = [line for line in words.splitlines() if line.startswith(("error:", "fatal:"))] or words.splitlines()
    return lines[0].partition(": ")[2] or lines[0] if lines else "no reason was given"


async def run_git(
    arguments: Sequence[str],
    *,
    stdin: int,
    git_dir: str,
    deadline_s: float,
    environment: Mapping[str, str] | None = None,
    max_file_bytes: int | None = None,
) -> None:
    """Run git on a repository to its end. Raises `GitFailed`, also when the deadline passes."""
    with trio.move_on_after(deadline_s) as patience:
        async with git_process(
            arguments,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            environment={"GIT_DIR": git_dir, **(environment or {})},
            max_file_bytes=max_file_bytes,
        ) as process:
            words = await said(process)
            if await process.wait() != 0:
                raise GitFailed(words or f"git ended with {process.returncode}")
    if patience.cancelled_caught:
        raise GitFailed(f"git took longer than {deadline_s:g} seconds")
