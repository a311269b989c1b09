"""The system calls that no worker makes, and libseccomp's filter that refuses them.

Landlock judges how files are opened. What it does not judge is refused here: the network whatever the protocol,
other processes, files that are changed by their names, and parts of the kernel that a web application has no use for.
What is not named is allowed; under systemd the unit's own list comes on top, and that one names what is allowed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Sockets come from core, connected or listening. A Unix socket is refused like any other: those of other workers and
# of the machine's services are files that Landlock does not judge.
_NETWORK: Final = ("socket", "socketpair", "connect", "bind")

_OTHER_PROCESSES: Final = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp"),
    *("pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tkill", "perf_event_open"),
    *("setpriority", "ioprio_set", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"),
    *("migrate_pages", "move_pages"),
    *("shmget", "shmat", "shmctl", "semget", "semctl", "semop", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl"),
    *("mq_open", "mq_unlink"),
)

# These need no right that Landlock knows. By descriptor, too: it may have been opened for reading only, as all workers
# may open programs, which may be this user's own.
_CHANGES: Final = (
    *("truncate", "chmod", "fchmodat", "fchmod", "chown", "lchown", "fchownat", "fchown"),
    *("utime", "utimes", "futimesat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "mknod", "mknodat"),
)
# Watching a folder tells what others do in it.
_WATCHING: Final = ("inotify_init", "inotify_init1", "fanotify_init", "name_to_handle_at", "open_by_handle_at")

_KERNEL: Final = (
    *("bpf", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret"),
    *("add_key", "request_key", "keyctl", "execveat", "personality", "modify_ldt", "iopl", "ioperm"),
    *("unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "move_mount", "mount_setattr"),
    *("open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "quotactl", "quotactl_fd", "acct", "syslog"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff"),
    *("sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "vhangup"),
)

# Younger than the libseccomp of Debian 12. These numbers are the same on every architecture.
_BY_NUMBER: Final = {
    "fchmodat2": 452,
    "setxattrat": 463,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_setattr": 469,
}

# Whoever calls these falls back to what came before them, whose arguments can be judged.
_UNKNOWN: Final = ("clone3", "openat2")

# clone(2): CLONE_NEWNS and its kin.
_NAMESPACES: Final = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
# fcntl(2): whom a descriptor signals, and with what.
_SIGNALLING: Final = (8, 10, 15)
# ioctl(2): the same (FIOSETOWN, SIOCSPGRP), and typing into the terminal of whoever started robot.
_IOCTLS: Final = (0x8901, 0x8902, 0x5412, 0x541C)
_LOW_HALF: Final = 0xFFFFFFFF
_NEGATIVE: Final = 0x80000000
_MFD_NOEXEC_SEAL: Final = 0x8

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_INSTRUCTION_BYTES: Final = 8
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, slots=True)
class Unavailable:
    """There is no filter, because of `why`."""

    why: str


class _Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_ = (("instructions", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """Refuses what this module names, to the thread that puts it on and to all that it starts; for ever."""

    def __init__(self, never_signalled: Sequence[int]) -> None:
        """`never_signalled` are pids. Raises RuntimeError or OSError where there is no libseccomp."""
        import pyseccomp  # noqa: PLC0415 -- looks for libseccomp, by a program; core has no use for it

        self._library: Any = pyseccomp
        self._filter: Any = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        self._refused = pyseccomp.ERRNO(errno.EPERM)
        self._refuse((*_NETWORK, *_OTHER_PROCESSES, *_CHANGES, *_WATCHING, *_KERNEL))
        for number in _BY_NUMBER.values():
            self._filter.add_rule(self._refused, number)
        for name in _UNKNOWN:
            self._add(pyseccomp.ERRNO(errno.ENOSYS), name)
        self._refuse_by_arguments()
        self._refuse_signals(never_signalled)
        code = _exported(self._filter)
        self._code = (ctypes.c_char * len(code)).from_buffer_copy(code)

    def put_on(self) -> None:
        """From now on. Needs no_new_privs. Raises OSError."""
        # Made once, since libseccomp takes two milliseconds each time.
        program = _Program(len(self._code) // _INSTRUCTION_BYTES, ctypes.addressof(self._code))
        if _prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP) failed")

    def _refuse(self, names: Iterable[str]) -> None:
        for name in names:
            self._add(self._refused, name)

    def _add(self, action: int, name: str, *arguments: Any) -> None:
        number = self._library.resolve_syscall(self._library.Arch.NATIVE, name)
        if number >= 0:  # others are unknown to this architecture
            self._filter.add_rule(action, number, *arguments)

    def _refuse_by_arguments(self) -> None:
        self._add(self._refused, "sendto", self._is_not(4, 0))  # to an address: by the descriptor of a datagram socket
        self._add(self._refused, "utimensat", self._is_not(1, 0))
        self._add(self._refused, "prlimit64", self._is_not(0, 0))
        for flag in _NAMESPACES:
            self._add(self._refused, "clone", self._masked(0, flag, flag))
        for command in _SIGNALLING:
            self._add(self._refused, "fcntl", self._masked(1, _LOW_HALF, command))
        for request in _IOCTLS:
            self._add(self._refused, "ioctl", self._masked(1, _LOW_HALF, request))
        for name, flags in (("open", 1), ("openat", 2)):
            # Opened for reading, but emptied: before its version 3 Landlock takes that for reading.
            self._add(self._refused, name, self._masked(flags, os.O_ACCMODE | os.O_TRUNC, os.O_TRUNC))
            # Opened for neither reading nor writing (open(2), the value 3), which Landlock lets pass for every file.
            self._add(self._refused, name, self._masked(flags, os.O_ACCMODE, os.O_ACCMODE))
        if _knows_files_that_never_run():
            self._add(self._refused, "memfd_create", self._masked(1, _MFD_NOEXEC_SEAL, 0))

    def _refuse_signals(self, pids: Sequence[int]) -> None:
        """None to groups, nor to these processes by their own numbers.

        Landlock refuses those to all others, from its version 6: before, a process can be reached by the number of any
        of its threads, which no filter knows.
        """
        self._add(self._refused, "kill", self._masked(0, _NEGATIVE, _NEGATIVE))
        for pid in (0, *pids):
            self._add(self._refused, "kill", self._masked(0, _LOW_HALF, pid))
        for pid in pids:
            self._add(self._refused, "tgkill", self._masked(0, _LOW_HALF, pid))

    def _masked(self, argument: int, mask: int, value: int) -> Any:
        return self._library.Arg(argument, self._library.MASKED_EQ, mask, value)

    def _is_not(self, argument: int, value: int) -> Any:
        return self._library.Arg(argument, self._library.NE, value)


def make_filter(never_signalled: Sequence[int]) -> Filter | Unavailable:
    """The filter, or why there is none."""
    try:
        return Filter(never_signalled)
    except (ImportError, RuntimeError):
        return Unavailable("libseccomp is not installed; on Debian: apt-get install libseccomp2")
    except OSError as error:
        return Unavailable(f"libseccomp cannot make its filter: {error.strerror}")


def _exported(made: Any) -> bytes:
    """A filter of libseccomp as the kernel takes it."""
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def _knows_files_that_never_run() -> bool:
    """Whether files in memory can be made so that nobody starts them (Linux 6.3)."""
    try:
        os.close(os.memfd_create("none", os.MFD_CLOEXEC | _MFD_NOEXEC_SEAL))
    except OSError:
        return False
    return True
