"""Whether isolation works on this machine: it is tried out, in a process of its own."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from wikihost.isolation import places
from wikihost.isolation.confinement import Confinement, Piece
from wikihost.isolation.limits import Limits
from wikihost.layout import DataDir, WikiHome

# What the process that tries says by its exit code.
_READ_IT: Final = 1
_MADE_A_SOCKET: Final = 2
_NOT_CONFINED: Final = 4
_LIMITS: Final = Limits(1 << 40, tasks=1 << 16)


def try_isolation(data: DataDir) -> tuple[Piece, ...]:
    """The pieces of isolation, as workers of this data directory would have them. Forks: no other thread may run."""
    confinement = Confinement(_LIMITS, [])
    with tempfile.TemporaryDirectory(prefix="robot-trial-") as place:
        outcome = _outcome(confinement, Path(place))
    refused = "the kernel refuses what it offers; a container or a service manager may forbid it"
    lacks = [refused if outcome & _NOT_CONFINED else ""] * 3
    if outcome & _READ_IT:
        lacks[0] = "it could read another file"
    if outcome & _MADE_A_SOCKET:
        lacks[1] = "it could make a socket"
    overlap = places.overlapping(data.root)
    if overlap is not None:
        lacks[0] = f"{data.root} lies in {overlap}, which all workers may read; choose another data directory"
    return tuple(
        replace(piece, lacks=piece.lacks or lack) for piece, lack in zip(confinement.pieces(), lacks, strict=True)
    )


def _outcome(confinement: Confinement, place: Path) -> int:
    home, secret = WikiHome(place / "home"), place / "secret"
    home.root.mkdir()
    secret.write_text("secret")
    pid = os.fork()
    if pid == 0:
        code = _NOT_CONFINED
        try:
            confinement.enter(home)
            code = _escapes(secret)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _escapes(secret: Path) -> int:
    code = 0
    try:
        secret.read_text()
        code |= _READ_IT
    except PermissionError:
        pass
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
        code |= _MADE_A_SOCKET
    except PermissionError:
        pass
    return code
