"""Alerts as a POST of JSON to an address that the operator chose, through the hardened door.

`text` is what Slack, Mattermost, Rocket.Chat, Google Chat and Matrix's hookshot show, `content` what Discord shows;
the other fields are for programs. The address is a secret with all of these, so it is never told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from robot.alerts.message import Message
from robot.alerts.ways import SEND_S, NotSent
from robot.fetch import Door, FetchRefused

_MAX_ANSWER_BYTES = 64 * 1024
_TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The way `webhook`; `address` begins with https://."""

    address: str = field(repr=False)
    door: Door
    name: str = "webhook"

    async def send(self, message: Message) -> None:
        """Post it; any answer of the 200s will do. Raises `NotSent`."""
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        try:
            await self.door.post(
                self.address,
                body=body,
                content_type="application/json",
                types=(),
                max_bytes=_MAX_ANSWER_BYTES,
                deadline_s=SEND_S,
                statuses=_TAKEN,
            )
        except FetchRefused as error:
            raise NotSent(str(error)) from error


def payload(message: Message) -> dict[str, Any]:
    """The JSON value that is posted (pure)."""
    return {
        "text": message.text,
        "content": message.text,
        "event": message.kind.value,
        "alert": message.alert.name,
        "sentence": message.alert.sentence,
        "remedy": message.alert.remedy,
        "host": message.host,
        "at": message.at.isoformat(),
    }
