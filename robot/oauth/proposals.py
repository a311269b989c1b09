"""What a person is told and asked before a client gets in (pure).

The person decides about a client, in one wiki, answered at one place. All three are shown each time, whatever was
allowed before: anybody can register a client, and an old consent must not let another one in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from robot.access import scopes_for
from robot.model import Connection, Role, Scope, User, Wiki
from robot.oauth.asking import Asked
from robot.oauth.clients import Client
from robot.oauth.redirects import is_loopback


class Way(StrEnum):
    """Where an answer can go: to a site, to a program on the person's computer, to an app that opens such links."""

    SITE = "site"
    COMPUTER = "computer"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the answer goes; `shown` is a host, or the scheme of an app's links. The port of a computer is left out."""

    way: Way
    shown: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """One decision to make. `before` is what this person lets this client do there now, `moved_from` where its answers
    went at that time, when that was elsewhere."""

    asked: Asked
    user: User
    wiki: Wiki
    offered: frozenset[Scope]
    is_capped: bool
    before: Connection | None
    moved_from: Destination | None

    @property
    def destination(self) -> Destination:
        return destination_of(self.asked.redirect_uri)

    @property
    def may_write(self) -> bool:
        return Scope.WRITE in self.offered

    @property
    def is_write_new(self) -> bool:
        """Whether the client could not write until now, though it could read."""
        return self.may_write and self.before is not None and Scope.WRITE not in self.before.scopes


def propose(asked: Asked, user: User, wiki: Wiki, role: Role, consented: tuple[Connection, str] | None) -> Proposal:
    """What to ask `user` of that role. A client that names no scopes is offered what its person can give."""
    wished = asked.scopes or frozenset(Scope)
    offered = wished & scopes_for(role)
    before, moved_from = None, None
    if consented is not None:
        before, last = consented[0], destination_of(consented[1])
        moved_from = None if last == destination_of(asked.redirect_uri) else last
    return Proposal(asked, user, wiki, offered, offered != wished, before, moved_from)


def destination_of(redirect_uri: str) -> Destination:
    """Where an answer sent to `redirect_uri` arrives."""
    parts = urlsplit(redirect_uri)
    if is_loopback(redirect_uri):
        return Destination(Way.COMPUTER, parts.hostname or "")
    if parts.scheme == "https":
        return Destination(Way.SITE, parts.netloc)
    return Destination(Way.APP, parts.scheme)


def proven_host(client: Client) -> str | None:
    """The host that speaks for the client: it is in the id of one with a document, and of no other."""
    return urlsplit(client.id).netloc if client.is_document else None
