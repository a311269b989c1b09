"""A destination that is a directory, on a disk of this machine or a mounted one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

from robot.backup.store import NotStored, Stored, StoreFailed, StoreFull, StoreRefused, StoreUnreachable

_PIECE_BYTES = 1024 * 1024
_UNFINISHED = ".unfinished"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_AWAY = frozenset({errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ESTALE, errno.EIO})


class DirectoryStore:
    """A `Store`. The directory itself must be there: a mount that is missing is not written beside."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def address(self) -> str:
        return str(self._root)

    def list(self, prefix: str) -> Iterator[Stored]:
        with self._translated():
            if not self._root.is_dir():
                raise StoreUnreachable(f"There is no directory {self._root}; make it, or mount what belongs there.")
            for folder, _, files in os.walk(self._root / prefix, onerror=_unless_missing):
                for file in files:
                    path = Path(folder, file)
                    yield Stored(path.relative_to(self._root).as_posix(), path.stat().st_size)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        path = self._root / name
        draft = path.with_name(path.name + _UNFINISHED)
        with self._translated():
            self._make_folder(path.parent)
            file = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
        try:
            with self._closed(file):
                for piece in pieces:
                    with self._translated():
                        file.write(piece)
                with self._translated():
                    file.flush()
                    os.fsync(file.fileno())
            with self._translated():
                draft.rename(path)
                _sync(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    def get(self, name: str) -> Iterator[bytes]:
        with self._translated():
            try:
                file = (self._root / name).open("rb")
            except FileNotFoundError:
                raise NotStored(name, self.address) from None
        with file:
            while True:
                with self._translated():
                    piece = file.read(_PIECE_BYTES)
                if not piece:
                    return
                yield piece

    def delete(self, name: str) -> None:
        path = self._root / name
        with self._translated():
            path.unlink(missing_ok=True)
            # Folders go with the last file in them, up to the destination itself.
            with contextlib.suppress(OSError):
                for folder in path.parents:
                    if folder == self._root:
                        return
                    folder.rmdir()

    def _make_folder(self, folder: Path) -> None:
        if not self._root.is_dir():
            raise StoreUnreachable(f"There is no directory {self._root}; make it, or mount what belongs there.")
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in missing:
            _sync(place.parent)

    @contextmanager
    def _closed(self, file: BufferedWriter) -> Iterator[None]:
        try:
            yield
        finally:
            # It writes what it holds back, so a full disk is met here once more.
            with self._translated():
                file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where, reason = self._root, error.strerror or str(error)
            if error.errno in _FULL:
                raise StoreFull(f"The disk of {where} is full; make room there, or keep fewer backups.") from error
            if error.errno in _REFUSED:
                user = os.getuid()
                raise StoreRefused(
                    f"{where} cannot be used by this user ({user}): {reason}; let it write there."
                ) from error
            if error.errno in _AWAY:
                raise StoreUnreachable(f"{where} does not answer: {reason}; look at its disk or mount.") from error
            raise StoreFailed(f"{where} failed: {reason}.") from error


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
