"""A wiki's own files, as they are in its work tree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from wikihost import trees
from wikihost.names import is_safe_path
from wikihost.plans import Snapshot


def wiki_files(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Every regular file with its bytes, by path, one after the other. Raises `StorageFailed`."""
    for path, (mode, oid) in sorted(snapshot.repository.files(snapshot.head)):
        if mode in (trees.FILE, trees.EXECUTABLE) and is_safe_path(path) and _is_utf8(path):
            yield path, snapshot.repository.read_blob(oid.hex())


def head_time(snapshot: Snapshot) -> datetime:
    """When the wiki was changed last."""
    return datetime.fromtimestamp(snapshot.repository.commit(snapshot.head).time, UTC)


def _is_utf8(path: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in path)
