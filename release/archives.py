"""Tar archives whose bytes depend on their content alone: sorted, of nobody, all of one moment."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


def pack(folder: Path, archive: Path, moment: int) -> None:
    """Write `folder`, by its own name, to `archive`, gzipped if it is named so. `moment` is in seconds since 1970."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in (folder, *sorted(folder.rglob("*"))):
            tar.add(path, str(path.relative_to(folder.parent)), recursive=False, filter=lambda it: _plain(it, moment))
    data = packed.getvalue()
    archive.write_bytes(gzip.compress(data, 6, mtime=moment) if archive.suffix == ".gz" else data)


def _plain(member: tarfile.TarInfo, moment: int) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = moment
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
