"""At start: whether workers can be kept to their own wikis on this machine, and what follows if they cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from robot.settings import Settings
from wikihost.isolation.confinement import Piece
from wikihost.isolation.trial import try_isolation
from wikihost.layout import DataDir

log = logging.getLogger(__name__)


class IsolationMissing(Exception):
    """Workers cannot be isolated here, and the settings require it; the message says why, and what to do."""


def ensure_isolation(settings: Settings, data: DataDir) -> None:
    """Refuse to start where isolation is required and missing; else say once what is missing. Forks, so before threads.

    Raises IsolationMissing.
    """
    if settings.isolation == "off":
        log.warning("workers are not isolated, since the settings say so: one that is taken over reads all wikis")
        return
    pieces = try_isolation(data)
    missing = missing_pieces(pieces)
    if missing and settings.isolation == "required":
        raise IsolationMissing(f'{" ".join(missing)} Mend it, or set isolation = "try".')
    for sentence in (*missing, *_said_of(pieces, is_required=False)):
        log.warning("%s", sentence)


def missing_pieces(pieces: Sequence[Piece]) -> list[str]:
    """A sentence for each piece that isolation needs and this machine has not."""
    return list(_said_of(pieces, is_required=True))


def _said_of(pieces: Sequence[Piece], *, is_required: bool) -> Iterator[str]:
    for piece in pieces:
        if piece.lacks and piece.is_required == is_required:
            yield f"Workers are not isolated from each other ({piece.name}): {piece.lacks}."
