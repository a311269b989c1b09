"""Sends what waits, by each way in order; a way that fails is tried again, later each time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from robot.alerts.book import Waiting, list_waiting, note_failure, note_sent
from robot.alerts.decisions import Change
from robot.alerts.message import Message
from robot.alerts.ways import NotSent, Way
from robot.clock import Clock, moment, wall_clock
from robot.db import Database

log = logging.getLogger(__name__)

FIRST_RETRY_S = 60.0
LONGEST_RETRY_S = 3600.0


def retry_after_s(tries: int) -> float:
    """How long to wait after so many failures (pure)."""
    return float(min(FIRST_RETRY_S * 2 ** (min(tries, 20) - 1), LONGEST_RETRY_S))


class Delivery:
    """The ways of one host."""

    def __init__(self, db: Database, ways: Sequence[Way], host: str, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._ways = ways
        self._host = host
        self._clock = clock
        self._sent: set[int] = set()  # and still in the database, which could not be written

    @property
    def ways(self) -> list[str]:
        """Their names."""
        return [way.name for way in self._ways]

    async def deliver(self) -> None:
        """Send what is due by each way. Raises `DatabaseError`."""
        for way in self._ways:
            await self._deliver_by(way)

    async def send_unkept(self, changes: Sequence[Change]) -> None:
        """Send, once and by every way, what cannot be kept on a disk that is full; what does not go is lost."""
        for change in changes:
            message = Message(change.kind, self._host, moment(int(self._clock())), change.alert)
            for way in self._ways:
                try:
                    await way.send(message)
                except NotSent as error:
                    log.warning("an alert did not leave by %s, and cannot be kept: %s", way.name, error)

    async def _deliver_by(self, way: Way) -> None:
        for waiting in list_waiting(self._db, way.name, self._host):
            # A clock that went back must not keep a message for so long.
            if 0 < waiting.next_at - self._clock() <= LONGEST_RETRY_S or not await self._send(way, waiting):
                return  # what comes later waits behind it

    async def _send(self, way: Way, waiting: Waiting) -> bool:
        try:
            if waiting.id not in self._sent:
                await way.send(waiting.message)
        except NotSent as error:
            tries = waiting.tries + 1
            if tries == 1:
                log.warning("alerts do not leave by %s and are tried again: %s", way.name, error)
            next_at = self._clock() + retry_after_s(tries)
            await self._db.write(partial(note_failure, waiting=waiting, problem=str(error), next_at=next_at))
            return False
        self._sent.add(waiting.id)
        await self._db.write(partial(note_sent, waiting=waiting))
        self._sent.remove(waiting.id)
        if waiting.tries:
            log.info("alerts leave by %s again", way.name)
        return True
