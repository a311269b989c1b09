"""What the operator is told: one sentence, and what to do. Nothing of a wiki's pages is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_MAX_CHARS = 500


class Kind(StrEnum):
    """Why a message is sent."""

    BEGAN = "began"
    STILL = "still"
    OVER = "over"
    TEST = "test"


_HEADS = {Kind.BEGAN: "", Kind.STILL: "Still: ", Kind.OVER: "Over: ", Kind.TEST: ""}


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is wrong: `name` says which thing, the same each time; `remedy` what to do about it."""

    name: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Message:
    """An alert as it is told by one way at the moment `at`; `host` is whose it is."""

    kind: Kind
    host: str
    at: datetime
    alert: Alert

    @property
    def subject(self) -> str:
        """One line: whose, and what."""
        return f"[{self.host}] {_HEADS[self.kind]}{self.alert.sentence}"

    @property
    def text(self) -> str:
        """All of it in some lines; what is over needs no remedy."""
        remedy = [] if self.kind is Kind.OVER or not self.alert.remedy else [self.alert.remedy]
        told = f"robot at {self.host}, {self.at:%Y-%m-%d %H:%M} UTC"
        return "\n".join([f"{_HEADS[self.kind]}{self.alert.sentence}", *remedy, told])


def one_line(text: str) -> str:
    """`text` in one printable line of bounded length: parts of it may come from programs and people."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= _MAX_CHARS else f"{plain[: _MAX_CHARS - 1]}…"


def trial_message(host: str, at: datetime) -> Message:
    """What `robot alert test` sends."""
    sentence = "This is a test: alerts of this host arrive here."
    return Message(Kind.TEST, host, at, Alert("test", sentence, "Nothing is wrong, and nothing is to be done."))
