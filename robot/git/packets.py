"""What git puts on the wire: pkt-lines, the commands of a push, and its report. Pure.

Formats: gitprotocol-common(5), gitprotocol-pack(5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FLUSH = b"0000"
ZERO = "0" * 40
MAX_COMMANDS = 100
MAX_COMMAND_BYTES = 64 * 1024
PACK_HEAD_BYTES = 12

_MAX_PACKET_BYTES = 65_520
_MAX_BAND_BYTES = 65_515
_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]{1,1000})\n?")
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
_CAPABILITIES = b"report-status delete-refs side-band-64k quiet ofs-delta object-format=sha1 agent=robot"


class Malformed(Exception):
    """The bytes are not what git sends; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Command:
    """One ref that a push wants to move; `ZERO` on either side means that it is made or deleted."""

    old: str
    new: str
    ref: str


@dataclass(frozen=True, slots=True)
class PushHead:
    """The part of a push before its pack: `length` bytes. `pack_objects` is None where no pack follows."""

    commands: Sequence[Command]
    capabilities: frozenset[str]
    length: int
    pack_objects: int | None


def packet(data: bytes) -> bytes:
    """One pkt-line."""
    return b"%04x%s" % (len(data) + 4, data)


def advertise_push(head: str, branch: str) -> bytes:
    """What a client is told before it pushes: one branch, and what we understand.

    Deletion too, so that it is we who say why not.
    """
    ref = f"{head} {branch}".encode("utf-8", "surrogateescape")
    return packet(b"# service=git-receive-pack\n") + FLUSH + packet(ref + b"\0" + _CAPABILITIES + b"\n") + FLUSH


def parse_push(start: bytes) -> PushHead:
    """Read the commands at the start of a push. Raises `Malformed`.

    `start` is the whole request, or at least its first `MAX_COMMAND_BYTES` and `PACK_HEAD_BYTES`.
    """
    commands: list[Command] = []
    capabilities: frozenset[str] = frozenset()
    at = 0
    while True:
        line, at = _read_packet(start, at)
        if line is None:
            break
        if line.startswith(b"shallow "):
            continue  # what the client has not: the wiki has it, or the check of the new commits fails
        command, nul, rest = line.partition(b"\0")
        if nul and not commands:
            capabilities = frozenset(rest.decode("utf-8", "replace").split())
        commands.append(_command(command))
        if len({command.ref for command in commands}) < len(commands):
            raise Malformed("a ref is named twice")
        if len(commands) > MAX_COMMANDS:
            raise Malformed(f"a push can name at most {MAX_COMMANDS} refs")
    return PushHead(commands, capabilities, at, _pack_objects(start[at : at + PACK_HEAD_BYTES]))


def report(head: PushHead, refusals: Sequence[str | None]) -> bytes:
    """The answer to a push: for each command None where it was done, else the sentence why not."""
    if "report-status" not in head.capabilities:
        return b""
    lines = [packet(b"unpack ok\n")]
    for command, refusal in zip(head.commands, refusals, strict=True):
        ref = command.ref.encode("utf-8", "surrogateescape")
        if refusal is None:
            lines.append(packet(b"ok " + ref + b"\n"))
        else:
            reason = " ".join(refusal.split()).encode("utf-8", "replace")[:2000]
            lines.append(packet(b"ng " + ref + b" " + reason + b"\n"))
    whole = b"".join(lines) + FLUSH
    if "side-band-64k" not in head.capabilities:
        return whole
    pieces = [whole[at : at + _MAX_BAND_BYTES] for at in range(0, len(whole), _MAX_BAND_BYTES)]
    return b"".join(packet(b"\x01" + piece) for piece in pieces) + FLUSH


def _read_packet(data: bytes, at: int) -> tuple[bytes | None, int]:
    """The packet at an offset (None for a flush) and the offset after it."""
    digits = data[at : at + 4]
    if _LENGTH.fullmatch(digits) is None:
        raise Malformed("a packet has no length")
    length = int(digits, 16)
    if length == 0:
        return None, at + 4
    if not 4 < length <= _MAX_PACKET_BYTES or at + length > min(len(data), MAX_COMMAND_BYTES):
        raise Malformed("a packet is too long, or cut off")
    return data[at + 4 : at + length], at + length


def _command(line: bytes) -> Command:
    match = _COMMAND.fullmatch(line)
    if match is None:
        raise Malformed("a command is not 'old new ref'")
    return Command(match[1].decode(), match[2].decode(), match[3].decode("utf-8", "surrogateescape"))


def _pack_objects(head: bytes) -> int | None:
    """How many objects a pack says it has (gitformat-pack(5))."""
    if not head:
        return None
    if len(head) < PACK_HEAD_BYTES or head[:4] != b"PACK":
        raise Malformed("no pack follows the commands")
    return int.from_bytes(head[8:12], "big")
