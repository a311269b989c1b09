"""Who a client is, by the id that it gives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from robot.db import Database
from robot.fetch import Door
from robot.model import Scope
from robot.oauth.redirects import same_redirect


class AuthMethod(StrEnum):
    """How a client proves itself at the token endpoint (RFC 7591, section 2)."""

    NONE = "none"
    POST = "client_secret_post"
    BASIC = "client_secret_basic"


class ClientUnknown(Exception):
    """No client has this id; the message is a sentence."""


class ClientDocumentFailed(Exception):
    """The id is the address of a document that cannot be had or is not right; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks people for access. `scopes` is the most that it may ask for.

    One with `is_document` is described at the address that is its id, and proves itself by the redirect alone; any
    other registered itself, and all that it says of itself may be untrue.
    """

    id: str
    name: str
    uri: str | None
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    secret_hash: bytes | None
    scopes: frozenset[Scope]
    is_document: bool


class Clients:
    """Finds clients: those that registered in the database, others by the document at their id."""

    def __init__(self, db: Database, door: Door) -> None:
        self._db = db
        self._door = door

    async def find_client(self, client_id: str) -> Client:
        """The client of that id. Raises `ClientUnknown` or `ClientDocumentFailed`."""
        row = self._db.one("SELECT * FROM oauth_clients WHERE id = ?", (client_id,))
        if row is None:
            raise ClientUnknown("No client has this id; it may have been unused for too long. Register again.")
        return Client(
            id=row["id"],
            name=row["name"],
            uri=row["uri"],
            redirect_uris=tuple(json.loads(row["redirect_uris"])),
            auth_method=AuthMethod(row["auth_method"]),
            secret_hash=row["secret_hash"],
            scopes=frozenset(Scope(scope) for scope in row["scopes"].split()),
            is_document=False,
        )


def matching_redirect(client: Client, redirect_uri: str) -> bool:
    """Whether answers for `client` may go to `redirect_uri`."""
    return any(same_redirect(registered, redirect_uri) for registered in client.redirect_uris)
