"""An Otter Wiki plugin as somebody would write it who took a worker over: each attempt leaves the wiki in its own way.

Loaded into real workers by `escape_run.py`. An attempt that succeeds returns; one that is refused raises.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy

_libc = ctypes.CDLL(None, use_errno=True)
_BLOCK = 1 << 30

Target = dict[str, Any]


def _call(function: Any, *arguments: Any) -> int:
    result: int = function(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _unix(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(address)


def _send_datagram(target: Target) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"query", ("127.0.0.1", target["port"]))


def _trace(target: Target) -> None:
    _call(_libc.ptrace, 0x4206, target["sibling"], 0, 0)  # PTRACE_SEIZE
    os.kill(target["sibling"], signal.SIGSTOP)
    os.waitpid(target["sibling"], 0x40000000)  # __WALL
    _libc.ptrace(17, target["sibling"], 0, 0)
    os.kill(target["sibling"], signal.SIGCONT)


def _read_memory(target: Target) -> None:
    """The address is the same in both, since both were forked from one process."""

    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    mine, theirs = ctypes.create_string_buffer(8), Vector(id(None), 8)
    into = Vector(ctypes.addressof(mine), 8)
    _call(_libc.process_vm_readv, target["sibling"], ctypes.byref(into), 1, ctypes.byref(theirs), 1, 0)


def _take_descriptor(target: Target) -> None:
    pidfd = os.pidfd_open(target["sibling"])
    try:
        os.close(_call(_libc.syscall, 438, pidfd, 0, 0))
    finally:
        os.close(pidfd)


def _signal_by_descriptor(target: Target) -> None:
    pipe = os.pipe()
    try:
        fcntl.fcntl(pipe[0], fcntl.F_SETOWN, target["core"])
    finally:
        os.close(pipe[0])
        os.close(pipe[1])


def _many_tasks(_target: Target) -> None:
    end, started = threading.Event(), []
    usual = threading.stack_size(64 * 1024)  # so that memory is not what ends it
    try:
        for _ in range(900):
            thread = threading.Thread(target=end.wait)
            thread.start()
            started.append(thread)
    finally:
        threading.stack_size(usual)
        end.set()
        for thread in started:
            thread.join()


def _much_memory(_target: Target) -> None:
    mmap.mmap(-1, _BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


def _huge_file(target: Target) -> None:
    with open(f"{target['home']}/huge", "wb") as file:
        file.truncate(5 * _BLOCK)
    os.unlink(file.name)


def _gain_rights(_target: Target) -> None:
    if _libc.prctl(39, 0, 0, 0, 0) == 1:  # PR_GET_NO_NEW_PRIVS
        raise PermissionError("programs gain none")


def _symbolic_link(target: Target) -> None:
    link = Path(target["home"], "link")
    link.symlink_to(target["page"])  # that it leads out is for core to suffer, which may read there
    link.unlink()


def _hard_link(target: Target) -> None:
    link = Path(target["home"], "hard")
    os.link(target["file"], link)
    link.unlink()


def _rename_in(target: Target) -> None:
    os.rename(target["file"], f"{target['home']}/taken")
    os.rename(f"{target['home']}/taken", target["file"])


def _rename_out(target: Target) -> None:
    mine = Path(target["home"], "mine")
    mine.touch()
    os.rename(mine, f"{target['outside']}/mine")


def _empty_by_opening(target: Target) -> None:
    os.close(os.open(target["file"], os.O_RDONLY | os.O_TRUNC))


def _open_for_nothing(target: Target) -> None:
    """Neither for reading nor for writing; what is then done by the descriptor is a second matter."""
    os.close(os.open(target["file"], os.O_ACCMODE))


def _empty_for_nothing(target: Target) -> None:
    os.close(os.open(target["file"], os.O_ACCMODE | os.O_TRUNC))


def _change_by_descriptor(target: Target) -> None:
    """Of a file that it may open: one of its own stands for a program that belongs to the same user."""
    with open(f"{target['home']}/own", "wb") as file:
        try:
            os.fchmod(file.fileno(), stat.S_IRWXU)
        finally:
            os.unlink(file.name)


def _run_from_memory(_target: Target) -> None:
    file = os.memfd_create("program", 0)
    try:
        os.write(file, Path("/usr/bin/true").read_bytes())
        subprocess.run([f"/proc/self/fd/{file}"], pass_fds=[file], check=True)
    finally:
        os.close(file)


def _run_from_home(target: Target) -> None:
    program = Path(target["home"], "program")
    with open(program, "wb", opener=lambda path, flags: os.open(path, flags, stat.S_IRWXU)) as file:
        file.write(Path("/usr/bin/true").read_bytes())
    try:
        subprocess.run([str(program)], check=True)
    finally:
        program.unlink()


def _make_fifo(target: Target) -> None:
    os.mkfifo(f"{target['home']}/fifo")


def _new_key(_target: Target) -> None:
    _call(_libc.syscall, 248, b"user", b"escape", b"x", 1, -5)  # add_key, KEY_SPEC_USER_SESSION_KEYRING


def _write(path: str) -> None:
    Path(path).write_text("written")
    os.unlink(path)


ATTEMPTS: dict[str, Callable[[Target], object]] = {
    "read a page of another wiki": lambda t: Path(t["page"]).read_text(),
    "read robot.db": lambda t: Path(t["database"]).read_bytes(),
    "read a key": lambda t: Path(t["key"]).read_bytes(),
    "read the settings": lambda t: Path(t["settings"]).read_text(),
    "list all wikis": lambda t: os.listdir(Path(t["home"]).parent),
    "read core's environment": lambda t: Path(f"/proc/{t['core']}/environ").read_bytes(),
    "open core's memory": lambda t: open(f"/proc/{t['core']}/mem", "rb").close(),
    "connect by TCP": lambda t: socket.create_connection(("127.0.0.1", t["port"])).close(),
    "listen on TCP": lambda _: socket.create_server(("127.0.0.1", 0)).close(),
    "send a datagram": _send_datagram,
    "make a pair of sockets": lambda _: list(map(socket.socket.close, socket.socketpair())),
    "connect to an abstract socket": lambda t: _unix("\0" + t["abstract"]),
    "connect to another worker": lambda t: _unix(t["socket"]),
    "trace another worker": _trace,
    "read another worker's memory": _read_memory,
    "take another worker's descriptor": _take_descriptor,
    "signal another worker": lambda t: os.kill(t["sibling"], signal.SIGCONT),
    "signal core": lambda t: os.kill(t["core"], signal.SIGCONT),
    "signal its group": lambda _: os.kill(0, signal.SIGCONT),
    "signal core by a descriptor": _signal_by_descriptor,
    "change core's limits": lambda t: resource.prlimit(t["core"], resource.RLIMIT_CORE),
    "slow core down": lambda t: os.setpriority(os.PRIO_PROCESS, t["core"], 19),
    "start ever more tasks": _many_tasks,
    "take much memory": _much_memory,
    "write a huge file": _huge_file,
    "gain rights": _gain_rights,
    "leave a symbolic link that leads out": _symbolic_link,
    "link a file from outside": _hard_link,
    "rename from outside": _rename_in,
    "rename to outside": _rename_out,
    "write outside": lambda t: _write(f"{t['outside']}/new"),
    "write to /tmp": lambda t: _write(f"/tmp/escape-{t['core']}"),
    "write to /dev/shm": lambda t: _write(f"/dev/shm/escape-{t['core']}"),
    "truncate by name": lambda t: os.truncate(t["file"], 4),
    "empty a file by opening": _empty_by_opening,
    "open a file for nothing": _open_for_nothing,
    "empty a file that it opens for nothing": _empty_for_nothing,
    "change a mode by descriptor": _change_by_descriptor,
    "change a mode": lambda t: os.chmod(t["file"], stat.S_IRWXU),
    "change a time": lambda t: os.utime(t["file"], (0, 0)),
    "watch a folder": lambda _: os.close(_call(_libc.inotify_init1, 0)),
    "run a program from memory": _run_from_memory,
    "run a program from its wiki": _run_from_home,
    "make a pipe with a name": _make_fifo,
    "keep a key in the kernel": _new_key,
}


class Plugin:
    """Answers `POST /-/escape` with what became of each attempt: what refused it, or "done"."""

    @pluggy.HookimplMarker("otterwiki")
    def setup(self, app: Any, **_: Any) -> None:
        from flask import jsonify, request

        app.add_url_rule("/-/escape", "escape", lambda: jsonify(try_all(json.loads(request.data))), methods=["POST"])


def try_all(target: Target) -> dict[str, str]:
    return {name: _outcome(attempt, target) for name, attempt in ATTEMPTS.items()}


def _outcome(attempt: Callable[[Target], object], target: Target) -> str:
    try:
        attempt(target)
    except (OSError, RuntimeError, MemoryError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return "done"


plugin = Plugin()
