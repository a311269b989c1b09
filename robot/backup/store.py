"""What a backup needs of the place where it lies, and how that place fails.

Names are relative, with `/` between parts, which are letters, digits, `.`, `_` and `-`. All methods block: call them in
a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """Base of all failures of a destination; the message is a sentence that says what to do."""


class StoreFull(StoreError):
    """There is no room left."""


class StoreUnreachable(StoreError):
    """Nobody answers there, or not in time; another time may do."""


class StoreRefused(StoreError):
    """It may not be read or written by us: credentials, rights, or a file system that is read-only."""


class StoreFailed(StoreError):
    """It failed in another way."""


class NotStored(StoreError):
    """There is no file of that name."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(f"There is no {name} at {address}.")
        self.name = name


@dataclass(frozen=True, slots=True)
class Stored:
    """A file at the destination."""

    name: str
    bytes: int


class Store(Protocol):
    """A destination. All methods raise `StoreError`."""

    @property
    def address(self) -> str:
        """What people know it by; never with a secret in it."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """All files whose name begins with `prefix`, which is empty or ends with `/`; in no order."""

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file, in place of one of that name. It appears whole and durable, or not at all.

        What `pieces` raises is raised.
        """

    def get(self, name: str) -> Iterator[bytes]:
        """The file, piece by piece. Raises `NotStored`, with the first piece at the latest."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
