"""From what an operator writes to the place that is meant: a directory, or `s3://bucket/prefix`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from robot.backup.directory import DirectoryStore
from robot.backup.store import Store, StoreFailed

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def open_store(address: str) -> Store:
    """The store at an address; nothing is asked there yet. Raises `StoreError`."""
    if _SCHEME.match(address) is None:
        return DirectoryStore(Path(address).absolute())
    if "@" in address:
        raise StoreFailed(
            "A place for backups is named without a key or password, which logs would show; set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY in the environment."
        )
    found = _S3.fullmatch(address)
    if found is None:
        raise StoreFailed(f"{address} is no place for backups; name a directory, or s3://bucket/prefix.")
    # A library that only this needs.
    from robot.backup.s3 import BucketStore  # noqa: PLC0415

    return BucketStore(found[1], (found[2] or "").strip("/"), os.environ)
