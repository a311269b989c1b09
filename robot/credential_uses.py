"""When each token and each connection was used last: what the dashboard shows beside them."""

from __future__ import annotations

import sqlite3

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.model import Credential, Token

LAST_USED_EVERY_S = 60


class CredentialUses:
    """Remembers which credentials were used, and writes it down once a minute, off the path of any request."""

    def __init__(self, db: Database, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._clock = clock
        self._seen: dict[tuple[str, str], int] = {}

    def note(self, credential: Credential) -> None:
        """The credential was used just now."""
        table = "tokens" if isinstance(credential, Token) else "connections"
        self._seen[table, credential.id] = int(self._clock())

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
            for (table, credential_id), at in seen.items():
                # The only thing put into SQL text is one of the two names above.
                sql = f"UPDATE {table} SET last_used_at = ? WHERE id = ?"  # noqa: S608
                connection.execute(sql, (at, credential_id))

        try:
            await self._db.write(update)
        except DatabaseError:
            self._seen = seen | self._seen
