"""The data directory at start: present, ours, writable, and used by one robot at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from wikihost.layout import DataDir
from wikihost.objects import sync


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
        self._fd = _lock(self._data)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def prepare(data: DataDir) -> None:
    """Make the directories that are missing, readable by this user only. Raises `DataDirError`."""
    with _writing(data.root):
        if os.geteuid() == 0 and data.root.exists():
            _refuse_other_user(data)
        if data.restoring.exists():
            raise DataDirError(
                f"A restore into {data.root} is under way, or was interrupted: run `robot restore` again;"
                " it begins anew."
            )
        for directory in (data.root, data.keys, data.run, data.wikis):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data.root / ".writable"
        probe.touch()
        probe.unlink()


@contextmanager
def being_restored(data: DataDir) -> Iterator[None]:
    """Hold the empty directory while a backup is restored into it; robot starts there only after the block ended well.

    After a failure it is empty again. What an interrupted restore left is removed first. Raises `DataDirError`.
    """
    with _writing(data.root):
        data.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_other_user(data)
        lock = _lock(data)
    try:
        if not data.restoring.exists():
            _refuse_files(data)
        with _writing(data.root):
            data.restoring.touch(0o600)
            sync(data.root)
            _remove_restored(data)
        try:
            yield
        except BaseException:
            _remove_restored(data)
            data.restoring.unlink()
            raise
        with _writing(data.root):
            sync(data.root)
            data.restoring.unlink()
            sync(data.root)
    finally:
        os.close(lock)


def _lock(data: DataDir) -> int:
    """The descriptor that holds the lock of the directory. Raises `DataDirError` when another process does."""
    descriptor = os.open(data.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataDirError(
            f"Another robot is running on {data.root}; stop it first, or give this one its own directory."
        ) from None
    return descriptor


def _refuse_other_user(data: DataDir) -> None:
    """Raise `DataDirError` where root would leave files that the service's own user can neither read nor lock."""
    owner = data.root.stat().st_uid
    if owner == os.geteuid():
        return
    try:
        name = data.root.owner()
    except KeyError:
        name = str(owner)
    raise DataDirError(
        f"{data.root} belongs to the user {name}, who could not use what this would leave there; run it as {name}"
        f" (runuser -u {name} -- robot …)."
    )


def _refuse_files(data: DataDir) -> None:
    """Raise `DataDirError` when there is any file; folders that `robot check` or systemd made are none."""
    for folder, _, names in os.walk(data.root):
        for name in names:
            if Path(folder, name) != data.lock:
                raise DataDirError(
                    f"{data.root} is not empty ({Path(folder, name).relative_to(data.root)} is there). A backup is only"
                    " restored into an empty directory: move what is there aside, or name another with --to."
                )


def _remove_restored(data: DataDir) -> None:
    for file in data.root.glob(f"{data.robot_db.name}*"):
        file.unlink()
    for folder in (data.keys, data.wikis, data.transfers):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataDirError(f"The data directory {root} cannot be written: {error.strerror}. {_mend(root)}") from error


def _mend(root: Path) -> str:
    return f"Make it writable for this user (chown -R {os.getuid()} {root}), or name another with --data or ROBOT_DATA."
