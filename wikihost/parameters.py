"""Values for SQL statements that take a list of them: as many marks, or parts of it where it may be long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Final, TypeVar

T = TypeVar("T")

# Of one statement; SQLite allows 32,766.
_MOST: Final = 900


def marks(values: Sized) -> str:
    """As many marks for parameters as there are values."""
    return ",".join("?" * len(values))


def parts(values: Iterable[T]) -> list[list[T]]:
    """The values in lists that are short enough for one statement each."""
    every = list(values)
    return [every[at : at + _MOST] for at in range(0, len(every), _MOST)]
