"""A zip as a source. What an archive says of itself is believed only as far as it was bounded before."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from wikihost.imports.sources import Listed, sift
from wikihost.imports.values import ImportRefused, Refusal, SourceLimits, Unreadable

_DIRECTORY_BYTES = 8 * 1024 * 1024  # a central directory of 50,000 files; `zipfile` reads it whole
_PIECE_BYTES = 64 * 1024
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_FREE_BYTES = 1024 * 1024  # text packs well: the ratio counts only beyond this
_TYPES = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class Archive:
    """An open zip. Raises `ImportRefused` when it is none, or is made to be too much."""

    def __init__(self, place: Path, limits: SourceLimits, *, name: str = "") -> None:
        self._file = _BoundedReads(place)
        try:
            self._zip = _open(self._file)
            entries = [(_path_of(info), info) for info in self._zip.infolist()]
            _refuse_overlaps(self._zip, place.stat().st_size)
            files = [(path, info) for path, info in entries if path[-1:] not in ("/", "\\")]
            listed = (Listed(path, info.file_size, _problem(info, limits)) for path, info in files)
            sifted = sift(listed, limits, root=Path(name).stem)
        except BaseException:
            self._file.close()
            raise
        infos = dict(reversed(files))  # of two with one name the first is taken
        self._infos = {path: infos[original] for path, original in sifted.files.items()}
        self.files: Mapping[str, int] = {path: info.file_size for path, info in self._infos.items()}
        self.refused: Sequence[Refusal] = sifted.refused
        self.hidden: Sequence[str] = sifted.hidden

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def read(self, path: str) -> bytes:
        info = self._infos[path]
        data = bytearray()
        try:
            with self._zip.open(info) as file:
                while piece := file.read(_PIECE_BYTES):
                    data += piece
                    if len(data) > info.file_size:
                        raise Unreadable("It is larger than the archive says.")
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise Unreadable("It is damaged in the archive.") from error
        if len(data) != info.file_size:
            raise Unreadable("It is cut off in the archive.")
        return bytes(data)


class _BoundedReads(io.FileIO):
    """A file that gives no more than a central directory may have in one piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise ImportRefused("There are too many files in this archive; import it in parts.")
        return super().read(_DIRECTORY_BYTES if size is None or size < 0 else size) or b""


def _open(file: _BoundedReads) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, OverflowError, NotImplementedError) as error:
        raise ImportRefused("This is not a zip archive that can be read.") from error


def _refuse_overlaps(archive: zipfile.ZipFile, size_bytes: int) -> None:
    """A file whose bytes stand for several entries unpacks to more than any ratio tells."""
    if sum(info.compress_size for info in archive.infolist()) > size_bytes:
        raise ImportRefused("The parts of this archive overlap, as only those made to do harm do.")


def _path_of(info: zipfile.ZipInfo) -> str:
    """The entry's name. Many programs write UTF-8 and do not say so; what is none is cp437, as the format has it."""
    if info.flag_bits & _UTF8_NAME:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return info.orig_filename


def _problem(info: zipfile.ZipInfo, limits: SourceLimits) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "It is a symbolic link; a wiki has regular files only."
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "It is no regular file."
    if info.flag_bits & _ENCRYPTED:
        return "It is encrypted."
    if info.compress_type not in _TYPES:
        return "It is packed in an unusual way; pack the archive with the usual method (deflate)."
    if info.file_size > _FREE_BYTES and info.file_size > info.compress_size * limits.ratio:
        return f"It unpacks to more than {limits.ratio} times its packed size."
    return None
