"""Core's side of the zygote: start it, ask it for workers, hear of their ends."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

import wikihost
from wikihost.fleet_states import FleetOptions
from wikihost.overhearing import Overhearing
from wikihost.worker_protocol import (
    MAX_DESCRIPTORS,
    MAX_MESSAGE_BYTES,
    Exited,
    Message,
    Spawn,
    Spawned,
    SpawnFailed,
    WorkerSpec,
    ZygoteReady,
    channel,
    decode,
    encode,
)

# What a zygote and its workers see of core's environment; anything else might be taken for an Otter Wiki setting.
_PASSED_ON: Final = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
# A fork takes milliseconds; a zygote that needs this long hangs.
SPAWN_S = 10.0
# How long the zygote's word on an exit may come after the exit itself.
_EXIT_WORD_S: Final = 1.0
_ZYGOTE_END_S: Final = 2.0
_LAST_WORDS_S: Final = 1.0


class ZygoteGone(Exception):
    """The zygote ended; its workers end with it."""


class SpawnRefused(Exception):
    """The zygote could not fork; the message says why."""


@dataclass(slots=True)
class Child:
    """A forked worker. Signals go through its pidfd, so they can never reach another process of the same pid."""

    pid: int
    _pidfd: int
    exit_code: int | None = None
    _told: trio.Event = field(default_factory=trio.Event)

    def kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended already
            signal.pidfd_send_signal(self._pidfd, number)

    def has_ended(self) -> bool:
        """Whether the process is gone, known before the task that waits for it has run."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))

    async def wait(self) -> None:
        """Return when the process has ended; `exit_code` is set when the zygote lived to tell it."""
        await trio.lowlevel.wait_readable(self._pidfd)
        with trio.move_on_after(_EXIT_WORD_S):
            await self._told.wait()

    def tell(self, exit_code: int | None) -> None:
        self.exit_code = exit_code
        self._told.set()

    def close(self) -> None:
        os.close(self._pidfd)


class Zygote:
    """One zygote process. `await nursery.start(zygote.run)` returns its `ZygoteReady`; `run` ends with the process."""

    def __init__(self, scratch: Path, options: FleetOptions, *, import_after_fork: str = "") -> None:
        self._scratch = scratch
        self._options = options
        self._import_after_fork = import_after_fork
        self._control: trio.socket.SocketType | None = None
        self._send_lock = trio.Lock()
        self._requests = 0
        self._answers: dict[int, trio.MemorySendChannel[Child | SpawnFailed]] = {}
        self._children: dict[int, Child] = {}
        self._ready = False
        self._process: subprocess.Popen[bytes] | None = None

    async def run(self, *, task_status: trio.TaskStatus[ZygoteReady]) -> None:
        """Keep one zygote process until it ends or this is cancelled; then it is gone, and so are its workers."""
        await trio.to_thread.run_sync(self._clear_scratch)
        overhearing = Overhearing()
        with overhearing.begin() as log:
            process, control = self._start_process(log)
        self._process = process
        try:
            with control:
                self._control = control
                await self._listen(control, task_status)
                if not self._ready:
                    raise ZygoteGone("the zygote ended before it was ready")
        finally:
            self._control = self._process = None
            self._abandon()
            await _end(process, overhearing)

    async def spawn(self, spec: WorkerSpec, listener: socket.socket, events: socket.socket) -> Child:
        """Fork a worker with these two sockets. Raises ZygoteGone, SpawnRefused."""
        control = self._control
        if control is None:
            raise ZygoteGone("there is no zygote")
        self._requests += 1
        request = self._requests
        send, receive = trio.open_memory_channel[Child | SpawnFailed](1)
        self._answers[request] = send
        try:
            with trio.fail_after(SPAWN_S):
                async with self._send_lock:
                    await _send(control, Spawn(request, spec), [listener.fileno(), events.fileno()])
                answer = await receive.receive()
        except trio.TooSlowError as error:
            self.kill()
            raise ZygoteGone("the zygote did not answer and was killed") from error
        except (OSError, trio.EndOfChannel) as error:
            raise ZygoteGone("the zygote ended while a worker was asked for") from error
        finally:
            self._answers.pop(request, None)
            _close_unread(receive)
        if isinstance(answer, SpawnFailed):
            raise SpawnRefused(answer.reason)
        return answer

    def kill(self) -> None:
        """Kill the process; `run` then ends."""
        if self._process is not None:
            self._process.kill()

    async def _listen(self, control: trio.socket.SocketType, task_status: trio.TaskStatus[ZygoteReady]) -> None:
        """Hear the zygote out; returns when it is gone."""
        while True:
            try:
                packet, ancillary, _, _ = await control.recvmsg(
                    MAX_MESSAGE_BYTES, socket.CMSG_SPACE(MAX_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
                )
            except ConnectionResetError:
                return
            if not packet:
                return
            message = decode(packet)
            match message:
                case ZygoteReady():
                    self._ready = True
                    task_status.started(message)
                case Spawned(request, pid):
                    child = self._children[pid] = Child(pid, _descriptors(ancillary)[0])
                    self._deliver(request, child)
                case SpawnFailed(request):
                    self._deliver(request, message)
                case Exited():
                    if ended := self._children.pop(message.pid, None):
                        ended.tell(message.exit_code)

    def _deliver(self, request: int, answer: Child | SpawnFailed) -> None:
        waiting = self._answers.get(request)
        if waiting is not None:
            waiting.send_nowait(answer)
        elif isinstance(answer, Child):
            answer.close()  # whoever asked was cancelled; the worker ends, nobody holds its other end

    def _abandon(self) -> None:
        """Wake those who wait for word of the process that is gone."""
        for waiting in self._answers.values():
            waiting.close()
        for child in self._children.values():
            child.tell(None)
        self._children.clear()

    def _clear_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(mode=0o700, parents=True)

    def _start_process(self, log: int) -> tuple[subprocess.Popen[bytes], trio.socket.SocketType]:
        """Start the process from this thread: it dies with the thread that started it (PR_SET_PDEATHSIG)."""
        ours, theirs = channel()
        with theirs:
            command = [sys.executable, "-s", "-P", "-m", "wikihost.child.zygote"]
            command += ["--control", str(theirs.fileno()), "--parent", str(os.getpid())]
            command += ["--scratch", str(self._scratch), "--log-level", self._options.log_level]
            command += ["--isolation", self._options.isolation, "--workers", str(self._options.max_awake)]
            command += ["--memory-bytes", str(self._options.memory_bytes)]
            if self._import_after_fork:
                command += ["--import-after-fork", self._import_after_fork]
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                # Ctrl-C in a terminal is for core, which ends the others in order.
                start_new_session=True,
            )
        return process, trio.socket.from_stdlib_socket(ours)


def _close_unread(answers: trio.MemoryReceiveChannel[Child | SpawnFailed]) -> None:
    """Close what came for someone who was cancelled before it could be taken."""
    with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
        answer = answers.receive_nowait()
        if isinstance(answer, Child):
            answer.close()


def _environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONUTF8"] = "1"
    environment["PYTHONPATH"] = str(Path(wikihost.__file__).parent.parent)
    # The machine's git configuration must not change what a wiki does.
    environment["GIT_CONFIG_NOSYSTEM"] = "1"
    environment["GIT_CONFIG_GLOBAL"] = os.devnull
    return environment


async def _send(control: trio.socket.SocketType, message: Message, descriptors: list[int]) -> None:
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(fd.to_bytes(4, sys.byteorder) for fd in descriptors))
    await control.sendmsg([encode(message)], [rights])


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found += [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data) // 4 * 4, 4)]
    return found


async def _end(process: subprocess.Popen[bytes], overhearing: Overhearing) -> None:
    """Wait for the process, whose control channel is closed; kill it when it does not take the hint."""
    pidfd = None
    try:
        pidfd = os.pidfd_open(process.pid)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _ZYGOTE_END_S):
            await trio.lowlevel.wait_readable(pidfd)
    except ProcessLookupError:
        pass
    finally:
        if pidfd is not None:
            os.close(pidfd)
    process.kill()
    process.wait()
    with trio.CancelScope(shield=True):
        # Bounded by itself. The workers end with the zygote, and what they said last often says why.
        await trio.to_thread.run_sync(overhearing.wait, _LAST_WORDS_S)
