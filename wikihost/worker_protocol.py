"""What core, zygote and workers say to each other.

Every channel is a `SOCK_SEQPACKET` pair: one message is one packet of JSON, descriptors travel with the packet
that names them (SCM_RIGHTS, unix(7)), and an empty read means that the other side is gone.

| channel | direction | messages |
|---|---|---|
| control | core → zygote | `Spawn` with the listening socket and the worker's end of its event channel |
| control | zygote → core | `ZygoteReady` once, then `Spawned` with a pidfd, `SpawnFailed`, `Exited` |
| events | worker → core | `WorkerReady` once or `WorkerFailed`, then `Saved` after each commit |
| events | core → worker | `Described` when its wiki is called otherwise; its end of file tells the worker to end |
| events | worker → core | the same `Described`, once its pages say so |
| events | worker → core | `Find` for somebody who searches |
| events | core → worker | `Found` or `FindFailed`, the answer to it |

Standard library only: this module runs in all three processes.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from typing import Any, Final, get_args

from wikihost.questions import Findings, Question, as_fields, fitting, read_findings, read_question

# Descriptors in one packet: the listening socket and the event channel.
MAX_DESCRIPTORS: Final = 2
# Linux takes up to 208 KiB by default; ours are a few hundred bytes, but for descriptions and what searches found.
MAX_MESSAGE_BYTES: Final = 64 * 1024
# Of those, what a message takes beside the sections that it carries.
_ENVELOPE_BYTES: Final = 2 * 1024

# The path that only core asks for, and the header that proves it is core.
PROBE_PATH: Final = "/-/robot/health"
PROBE_HEADER: Final = "x-robot-probe"

# The commit that an answer was made at, said of answers that core may give again (`child/repeatable.py`).
MADE_AT_HEADER: Final = "x-robot-made-at"
# The page or folder that an answer shows, and in requests those that the person saw last: %-escaped, spaces between.
PAGE_HEADER: Final = "x-robot-page"
RECENT_HEADER: Final = "x-robot-recent"
FROZEN_HEADER: Final = "x-robot-frozen"
"""Said of a wiki that may only be read, whoever asks."""
ROLE_HEADER: Final = "x-robot-role"
"""The role of who asks, of those who have one."""
ELSEWHERE_HEADER: Final = "x-robot-elsewhere"
"""Said of what a page of another site, or another wiki, has the person's browser ask for."""
# Otter Wiki's session. The prefix keeps a sibling subdomain from planting it (RFC 6265bis, section 4.1.3.2).
SESSION_COOKIE: Final = "__Host-wiki"


@dataclass(frozen=True, slots=True)
class Described:
    """What a wiki's pages say of it, and lead to; its owner may change that while the worker runs."""

    site_name: str
    description: str
    platform_url: str


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """All that a worker needs to become one wiki. `root` is the wiki's directory."""

    wiki_id: str
    root: str
    described: Described
    probe_secret: str
    threads: int
    max_upload_bytes: int
    log_level: str


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a worker; `request` is repeated in the answer."""

    request: int
    spec: WorkerSpec


@dataclass(frozen=True, slots=True)
class ZygoteReady:
    """`late_binding` is false when workers import Otter Wiki after the fork; `reason` then says why."""

    late_binding: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """The answer to `Spawn`; a pidfd of the worker comes with it."""

    request: int
    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The answer to `Spawn` when no process could be made."""

    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker ended; `exit_code` as in `os.waitstatus_to_exitcode` (negative: the signal that killed it)."""

    pid: int
    exit_code: int


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker is this wiki now and answers on its socket."""


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """The worker could not become this wiki; it ends after saying so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A save made `head` the branch head; `asked_by` names core's request that it was made for, if there is one."""

    head: str
    asked_by: str


@dataclass(frozen=True, slots=True)
class Find:
    """A question about the worker's wiki; `request` is repeated in the answer."""

    request: int
    question: Question


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to `Find`, with as many findings as go into one packet."""

    request: int
    findings: Findings


@dataclass(frozen=True, slots=True)
class FindFailed:
    """The answer to `Find` when there is none; `reason` is a sentence for whoever searches."""

    request: int
    reason: str


Message = (
    Spawn
    | ZygoteReady
    | Spawned
    | SpawnFailed
    | Exited
    | WorkerReady
    | WorkerFailed
    | Saved
    | Described
    | Find
    | Found
    | FindFailed
)

_KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in get_args(Message)}


class ProtocolError(Exception):
    """A packet that no version of this protocol sends."""


def encode(message: Message) -> bytes:
    """A message as one packet."""
    fields = asdict(message)
    match message:
        case Find(_, question):
            fields["question"] = as_fields(question)
        case Found(_, findings):
            fields["findings"] = asdict(fitting(findings, MAX_MESSAGE_BYTES - _ENVELOPE_BYTES))
    return json.dumps([type(message).__name__, fields], separators=(",", ":")).encode()


def decode(packet: bytes) -> Message:
    """A packet as a message; raises ProtocolError."""
    try:
        kind, fields = json.loads(packet)
        return _KINDS[kind](**{name: _value(name, value) for name, value in fields.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not a message of this protocol: {packet[:80]!r}") from error


def _value(name: str, value: Any) -> Any:
    """What a field holds. The fields of all messages have one type to a name."""
    match name:
        case "spec":
            return WorkerSpec(**(value | {"described": Described(**value["described"])}))
        case "question":
            return read_question(value)
        case "findings":
            return read_findings(value)
        case "request" | "pid" | "exit_code":
            return _of(int, value)
        case "late_binding":
            return _of(bool, value)
        case _:
            return _of(str, value)


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.80} is no {kind.__name__}")
    return value


def channel() -> tuple[socket.socket, socket.socket]:
    """A new pair of ends; neither is inherited by an exec'd child unless it is asked for."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
