"""Bytes that are not UTF-8: git brings them, and they are shown with marks (U+FFFD), as at every door."""

from __future__ import annotations

from typing import Any

import git
import otterwiki.gitstorage
from otterwiki.gitstorage import StorageErrorEncoding, StorageNotFound

GitStorage: Any = otterwiki.gitstorage.GitStorage


class MarkingStorage(GitStorage):  # type: ignore[misc]  # Otter Wiki is untyped
    """Otter Wiki's reading, where stock fails on such bytes, or on a well-formed revision that does not exist."""

    def load(self, filename: str, mode: str = "r", revision: str | None = None, size: int = -1) -> str | bytes:
        try:
            return super().load(filename, mode, revision, size)  # type: ignore[no-any-return]
        except StorageErrorEncoding:
            return shown(super().load(filename, "rb", revision, size))

    def blame(self, filename: str, revision: str | None = None) -> list[tuple[Any, ...]]:
        return [
            tuple(shown(part) if isinstance(part, bytes) else part for part in line)
            for line in super().blame(filename, revision)
        ]

    def diff(self, rev_a: str, rev_b: str) -> str:
        try:
            return _sendable(super().diff(rev_a, rev_b))
        except git.GitCommandError as error:
            raise StorageNotFound("There is no such revision.") from error

    def show_commit(self, revision: str) -> tuple[dict[str, Any], str]:
        try:
            metadata, diff = super().show_commit(revision)
        except (git.ODBError, git.GitCommandError, ValueError) as error:
            raise StorageNotFound("There is no such commit.") from error
        return metadata, _sendable(diff)


def shown(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sendable(text: str) -> str:
    """What git printed, without the surrogates that GitPython decodes such bytes to."""
    return shown(text.encode("utf-8", "surrogateescape"))
