"""Runs a command under what `robot.service` promises, without systemd: `python sandbox.py UNIT LISTENER COMMAND…`.

The kernel is told the same as systemd would tell it: the unit's list of system calls, its address families, no memory
that is writable and executable, no namespaces, no new privileges, no capabilities, its umask. LISTENER is the number
of an inherited socket; the command gets it as systemd passes one (sd_listen_fds(3)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

LISTEN_FDS_START = 3

# seccomp.h of libseccomp
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_CMP_EQ = 4
_CMP_MASKED_EQ = 7

# linux/prctl.h, linux/capability.h
_PR_CAPBSET_DROP = 24
_LAST_CAPABILITY = 40

# sys/mman.h, linux/sched.h
_WRITE, _EXEC = 2, 4
_NAMESPACES = 0x7E020080
_ANY_NAMESPACE_CALL = ("unshare", "setns")


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def settings_of(unit: str, name: str) -> list[str]:
    """The values of a setting in a unit file, in order."""
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def allowed_calls(filters: list[str]) -> set[str]:
    """What `SystemCallFilter=` lines leave: groups written out, those after a ~ taken away."""
    calls: set[str] = set()
    for line in filters:
        refused = line.startswith("~")
        named = set().union(*(_calls_of(word) for word in line.removeprefix("~").split()))
        calls = calls - named if refused else calls | named
    return calls


def _calls_of(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    shown = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", word], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return set().union(*(_calls_of(one) for one in words if one and not one.startswith("#")))


class _Filter:
    """A seccomp filter that refuses with EPERM what no rule allows."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._lib.seccomp_rule_add_array.argtypes = (
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_void_p,
        )
        self._lib.seccomp_load.argtypes = (ctypes.c_void_p,)
        self._context = self._lib.seccomp_init(_ERRNO | errno.EPERM)

    def rule(self, call: str, *compare: tuple[int, int, int, int], action: int = _ALLOW) -> None:
        """Apply `action` to a call whose arguments compare so: (argument, operation, value or mask, masked value)."""
        number = self._lib.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # not a call of this architecture
            return
        array = (_Compare * len(compare))(*(_Compare(*one) for one in compare))
        failed = self._lib.seccomp_rule_add_array(self._context, action, number, len(compare), array)
        if failed:
            raise OSError(-failed, f"seccomp rule for {call}")

    def load(self) -> None:
        failed = self._lib.seccomp_load(self._context)
        if failed:
            raise OSError(-failed, "seccomp_load")


def confine(unit: str) -> None:
    """Put this process, and what it becomes, under the unit's restrictions."""
    calls = allowed_calls(settings_of(unit, "SystemCallFilter"))
    families = [int(getattr(socket, name)) for name in settings_of(unit, "RestrictAddressFamilies")[0].split()]
    for name in ("MemoryDenyWriteExecute", "RestrictNamespaces", "NoNewPrivileges"):
        assert settings_of(unit, name) == ["yes"], name
    assert settings_of(unit, "CapabilityBoundingSet") == [""]

    os.umask(int(settings_of(unit, "UMask")[0], 8))
    libc = ctypes.CDLL(None)
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)

    seccomp = _Filter()
    special = {"mmap", "mprotect", "pkey_mprotect", "socket", "clone", "clone3", *_ANY_NAMESPACE_CALL}
    for call in calls - special:
        seccomp.rule(call)
    for allowed in (0, _WRITE, _EXEC):
        seccomp.rule("mmap", (2, _CMP_MASKED_EQ, _WRITE | _EXEC, allowed))
    for call in ("mprotect", "pkey_mprotect"):
        seccomp.rule(call, (2, _CMP_MASKED_EQ, _EXEC, 0))
    for family in families:
        seccomp.rule("socket", (0, _CMP_EQ, family, 0))
    seccomp.rule("clone", (0, _CMP_MASKED_EQ, _NAMESPACES, 0))
    # Its flags lie in memory, where a filter cannot look: systemd says that there is no such call, and libc uses clone.
    seccomp.rule("clone3", action=_ERRNO | errno.ENOSYS)
    seccomp.load()


def main() -> None:
    unit = Path(sys.argv[1]).read_text("utf-8")
    for line in settings_of(unit, "Environment"):
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)
    os.dup2(int(sys.argv[2]), LISTEN_FDS_START, inheritable=True)
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http", "LISTEN_PID": str(os.getpid())}
    confine(unit)
    os.execv(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
