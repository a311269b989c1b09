"""Landlock, the kernel's way for a process to give up what it could reach: its three system calls (landlock(7)).

A domain is for ever, and for all that the process starts; a second one can only take away more. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from functools import reduce
from operator import or_
from typing import Final

# The same numbers on every architecture (linux/landlock.h has the rest).
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
# Abstract Unix sockets and signals: neither leaves the domain.
_SCOPES: Final = 0b11
_TCP: Final = 0b11

# Looked up once, before any fork: loading a library in a forked child costs more than the call.
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


class Access(IntFlag):
    """What can be done to files; a right that is given for a folder holds for all below it."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    """Renaming and linking between folders. Never allowed before ABI 2."""
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


# What each version of the interface added to the first.
_ADDED: Final = {2: Access.REFER, 3: Access.TRUNCATE, 5: Access.IOCTL_DEV}
_FIRST: Final = Access(Access.REFER - 1)
_TCP_SINCE: Final = 4
SCOPES_SINCE: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, and what may be done below it; or a file, which takes no rights of folders."""

    path: str
    access: Access


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def abi() -> int:
    """The version of the kernel's interface; 0 where there is none, or it was switched off."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    except OSError:
        return 0


def restrict(version: int, places: Iterable[Place]) -> None:
    """Let this thread, and all that it starts, reach no other files than those of `places`, which may be missing.

    From version 4 it also makes no TCP connection, from 6 it sends no signal to a process outside, and reaches no
    abstract socket there. No version lets it trace others. Needs no_new_privs. Raises OSError.
    """
    handled = reduce(or_, (right for since, right in _ADDED.items() if since <= version), _FIRST)
    rules = _Ruleset(handled, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= SCOPES_SINCE else 0)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(_size(version)), 0)
    try:
        for place in places:
            _allow(ruleset, place, handled)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _size(version: int) -> int:
    """How much of the structure a kernel of that version knows."""
    fields = 1 + (version >= _TCP_SINCE) + (version >= SCOPES_SINCE)
    return fields * ctypes.sizeof(ctypes.c_uint64)


def _allow(ruleset: int, place: Place, handled: Access) -> None:
    try:
        descriptor = os.open(place.path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what cannot be reached needs no right
    try:
        rule = _Beneath(place.access & handled, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result: int = _syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
