"""Clients that registered themselves (RFC 7591): anybody may, so their number is bounded and the unused go."""

from __future__ import annotations

import json
import logging
import sqlite3

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.oauth.client_metadata import ClientMetadata
from robot.oauth.clients import AuthMethod, Client
from robot.rounds import go_round
from robot.secret import hash_secret, new_id, new_secret

log = logging.getLogger(__name__)

SECRET_PREFIX = "robot_client_"  # noqa: S105  (scanners of published code know leaked ones by it)
MAX_UNUSED = 2_000
UNUSED_REST_S = 24 * 3600
"""How long a client may wait for the first person who consents to it."""
IDLE_REST_S = 90 * 24 * 3600
"""How long one that was used is kept after that: its program remembers its id, and asks for a new consent with it."""
SWEEP_EVERY_S = 3600
USE_NOTED_EVERY_S = 3600


class Registrations:
    """The registered clients, in the database."""

    def __init__(self, db: Database, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._clock = clock

    def find(self, client_id: str) -> Client | None:
        """The client of that id, in place."""
        row = self._db.one("SELECT * FROM oauth_clients WHERE id = ?", (client_id,))
        if row is None:
            return None
        return Client(
            id=row["id"],
            name=row["name"],
            uri=row["uri"],
            redirect_uris=tuple(json.loads(row["redirect_uris"])),
            auth_method=AuthMethod(row["auth_method"]),
            secret_hash=row["secret_hash"],
            is_document=False,
        )

    async def add(self, said: ClientMetadata) -> tuple[Client, str | None]:
        """Register a client; returns it with its secret, which is nowhere else, if it is to have one.

        When too many wait for their first use, the one that waits longest goes.
        """
        secret = None if said.auth_method is AuthMethod.NONE else SECRET_PREFIX + new_secret()
        client = Client(
            id=new_id("client"),
            name=said.name,
            uri=said.uri,
            redirect_uris=said.redirect_uris,
            auth_method=said.auth_method,
            secret_hash=None if secret is None else hash_secret(secret),
            is_document=False,
        )
        now = int(self._clock())

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM oauth_clients WHERE id IN (SELECT id FROM oauth_clients WHERE used_at IS NULL"
                " ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (MAX_UNUSED - 1,),
            )
            connection.execute(
                "INSERT INTO oauth_clients (id, name, uri, redirect_uris, auth_method, secret_hash, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    client.id,
                    client.name,
                    client.uri,
                    json.dumps(client.redirect_uris),
                    client.auth_method.value,
                    client.secret_hash,
                    now,
                ),
            )

        await self._db.write(insert)
        return client, secret

    async def note_use(self, client: Client) -> None:
        """Remember that the client took part in a grant just now; one with a document has no row to keep."""
        if client.is_document:
            return
        now = int(self._clock())

        def update(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE oauth_clients SET used_at = ? WHERE id = ? AND coalesce(used_at, 0) <= ?",
                (now, client.id, now - USE_NOTED_EVERY_S),
            )

        await self._db.write(update)

    async def sweep(self) -> int:
        """Remove clients that nobody consented to in time, or that are connected to nothing and unused for long.

        Returns how many.
        """
        now = int(self._clock())

        def delete(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM oauth_clients WHERE ((used_at IS NULL AND created_at <= ?) OR used_at <= ?)"
                " AND NOT EXISTS (SELECT 1 FROM connections WHERE connections.client_id = oauth_clients.id)",
                (now - UNUSED_REST_S, now - IDLE_REST_S),
            ).rowcount

        swept = await self._db.write(delete)
        if swept:
            log.info("removed %d unused OAuth clients", swept)
        return swept

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sweep every hour until cancelled."""
        await go_round(self.sweep, SWEEP_EVERY_S, task_status, left_undone="unused OAuth clients were not swept")
