"""When each token, connection and session was used last: what people see beside them, and what sessions live by."""

from __future__ import annotations

import sqlite3

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.model import Credential, Token

LAST_USED_EVERY_S = 60

_TOKEN_USED = "UPDATE tokens SET last_used_at = :at WHERE id = :id"  # noqa: S105  (SQL)
_CONNECTION_USED = "UPDATE connections SET last_used_at = :at WHERE id = :id"


class CredentialUses:
    """Remembers which of them were used, and writes it down once a minute, off the path of any request."""

    def __init__(self, db: Database, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._clock = clock
        self._seen: dict[tuple[str, str], int] = {}

    def note(self, credential: Credential) -> None:
        """The credential was used just now."""
        self.note_row(_TOKEN_USED if isinstance(credential, Token) else _CONNECTION_USED, credential.id)

    def note_row(self, statement: str, row_id: str) -> None:
        """What has a row of its own was used just now: `statement` writes that down, of `:id` and `:at`."""
        self._seen[statement, row_id] = int(self._clock())

    async def run(
        self, *, every_s: float = LAST_USED_EVERY_S, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Write the uses down every `every_s` until cancelled. A failure is tried again."""
        task_status.started()
        while True:
            await trio.sleep(every_s)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was noted since the last time, also at the end."""
        seen, self._seen = self._seen, {}
        if not seen:
            return

        def update(connection: sqlite3.Connection) -> None:
            for (statement, row_id), at in seen.items():
                connection.execute(statement, {"id": row_id, "at": at})

        try:
            await self._db.write(update)
        except DatabaseError:
            self._seen = seen | self._seen
