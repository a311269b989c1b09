"""A zip made while it is read: no more than one file of it is ever in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO

_PIECE_BYTES = 256 * 1024
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # the format knows no earlier year
# What is packed already only costs time.
_PACKED = (".7z", ".avif", ".docx", ".gif", ".gz", ".jpeg", ".jpg", ".mp3", ".mp4", ".png", ".webm", ".webp", ".zip")


def zip_pieces(files: Iterable[tuple[str, bytes]], when: datetime) -> Iterator[bytes]:
    """The bytes of a zip of these files, all dated `when`, in pieces."""
    sink = _Sink()
    date = max(when.astimezone(UTC), _EARLIEST).timetuple()[:6]
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for path, data in files:
            info = zipfile.ZipInfo(path, date)
            info.external_attr = 0o100644 << 16
            packed = path.casefold().endswith(_PACKED)
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as entry:
                for start in range(0, len(data), _PIECE_BYTES):
                    entry.write(data[start : start + _PIECE_BYTES])
                    if sink.waiting_bytes >= _PIECE_BYTES:
                        yield sink.take()
            if sink.waiting_bytes >= _PIECE_BYTES:
                yield sink.take()
    yield sink.take()


class ZipInPieces:
    """A zip for which somebody else has the bytes, entry by entry; each method returns what can go out by now."""

    def __init__(self, when: datetime) -> None:
        self._date = max(when.astimezone(UTC), _EARLIEST).timetuple()[:6]
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", allowZip64=True)
        self._entry: IO[bytes] | None = None

    def begin(self, path: str) -> bytes:
        """Begin the next entry, kept as it is, and end the one before."""
        self._end_entry()
        info = zipfile.ZipInfo(path, self._date)
        info.external_attr = 0o100644 << 16
        self._entry = self._archive.open(info, "w", force_zip64=True)
        return self._sink.take()

    def write(self, piece: bytes) -> bytes:
        """Add to the entry that was begun last."""
        assert self._entry is not None  # noqa: S101  (`begin` comes first)
        self._entry.write(piece)
        return self._sink.take()

    def end(self) -> bytes:
        """The rest: nothing can be added any more."""
        self._end_entry()
        self._archive.close()
        return self._sink.take()

    def _end_entry(self) -> None:
        if self._entry is not None:
            self._entry.close()
            self._entry = None


class _Sink(io.RawIOBase):
    """Where `zipfile` writes to: it cannot go back, so what is written can be taken at once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.waiting_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._pieces.append(piece)
        self.waiting_bytes += len(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.waiting_bytes = 0
        return taken
