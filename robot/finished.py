"""What there is to say of a request when its answer has ended: for lines in the log, for figures, for owners.

Whoever wants to hear of each is an `Observer` of the front. It runs on the event loop, so it only takes note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from robot.model import Actor, Wiki


class Face(StrEnum):
    """Which side of the host a request came to. REFUSED is what reached no door: a foreign host, a bad head."""

    HEALTH = "health"
    DOCUMENTS = "documents"
    PLATFORM = "platform"
    AUTH = "auth"
    PAGES = "pages"
    STATIC = "static"
    REST = "rest"
    MCP = "mcp"
    GIT = "git"
    REFUSED = "refused"


class Phase(StrEnum):
    """Where the time of a request goes. Phases need not add up to the whole, and two may run at once.

    DOORS: until a host that has just started has loaded them. QUEUE: for a thread, while the wiki has others at work.
    WAKE: for a worker that is awake. WORKER: from there to the head of its answer. CONTENT: in a thread, on the files
    of a wiki. SEARCH: for what is found by meaning. GIT: a program of git. The others pass while the client sends
    (RECEIVING), takes (SENDING), or has nothing to hear yet (LISTENING).
    """

    DOORS = "doors"
    QUEUE = "queue"
    WAKE = "wake"
    WORKER = "worker"
    CONTENT = "content"
    SEARCH = "search"
    GIT = "git"
    RECEIVING = "receiving"
    SENDING = "sending"
    LISTENING = "listening"


CLIENTS_OWN = frozenset({Phase.RECEIVING, Phase.SENDING, Phase.LISTENING})
"""Phases whose length is the client's doing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """One request whose answer has ended, or broken off.

    `status` is 0 when no answer began: the client left, or the host stopped. `is_whole` says whether the answer came to
    its end. `path` is decoded and has no query. `wiki` is one that is there, `actor` who the front found to ask; the
    platform's pages find out by themselves, so for them it is None. `network` is as `ClientNetworks` tells it.
    `seconds` is from the request's head to the end of the answer, `sent_bytes` counts bodies.
    """

    request_id: str
    face: Face
    method: str
    path: str
    status: int
    is_whole: bool
    seconds: float
    phases: Mapping[Phase, float]
    sent_bytes: int
    wiki: Wiki | None
    actor: Actor | None
    network: str

    @property
    def own_seconds(self) -> float:
        """How long it took without what was the client's doing."""
        return max(0.0, self.seconds - sum(self.phases.get(phase, 0.0) for phase in CLIENTS_OWN))


Observer: TypeAlias = Callable[[Finished], None]
"""Told of each request when it is over. It must neither block nor raise."""
