"""The data directory at start: present, ours, writable, and used by one robot at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from wikihost.layout import DataDir


class DataDirError(Exception):
    """The data directory cannot be used; the message is a sentence that says why and what to do."""


class DataDirLock:
    """Makes the data directory and holds it for this process; a second robot on it is refused.

    The lock is the kernel's and dies with the process, so a crash leaves nothing to clean up.
    """

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._fd = -1

    def __enter__(self) -> DataDirLock:
        prepare(self._data)
        self._fd = os.open(self._data.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise DataDirError(
                f"Another robot is running on {self._data.root}; stop it first, or give this one its own directory."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def prepare(data: DataDir) -> None:
    """Make the directories that are missing, readable by this user only."""
    try:
        for directory in (data.root, data.keys, data.run, data.wikis):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data.root / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataDirError(
            f"The data directory {data.root} cannot be written: {error.strerror}. {_mend(data.root)}"
        ) from error


def _mend(root: Path) -> str:
    return f"Make it writable for this user (chown -R {os.getuid()} {root}), or name another with --data or ROBOT_DATA."
