"""Frozen values of the platform: people, wikis, roles, tokens, and who is acting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit


class Role(StrEnum):
    """What a person is in a wiki, strongest first."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Visibility(StrEnum):
    """Who may read a wiki without a role in it."""

    PRIVATE = "private"
    UNLISTED = "unlisted"
    PUBLIC = "public"


class Scope(StrEnum):
    """What a token lets its bearer do, never more than its person may."""

    READ = "read"
    WRITE = "write"


class Action(StrEnum):
    """What `access.may` decides about."""

    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class User:
    """A person. `id` never changes; `name` is the unique user name, `display_name` is what commits show.

    `suspended` is since when the operator keeps them out, and why; `leaving` is when their account is deleted.
    """

    id: str
    name: str
    display_name: str
    is_operator: bool
    created: datetime
    suspended: datetime | None = None
    suspended_why: str = ""
    leaving: datetime | None = None

    @property
    def is_barred(self) -> bool:
        """Whether nothing that proves to be this person opens anything: suspended, or on the way out."""
        return self.suspended is not None or self.leaving is not None


@dataclass(frozen=True, slots=True)
class Wiki:
    """A hosted wiki. `id` never changes and names its directory; `slug` is its first label and may be renamed.

    A quota of None is the host's default. `guidance` is what the owner tells agents; a frozen wiki can only be read.
    `domain` is its own, in the form that DNS has it, while people are sent to that. `taken_down` is since when the
    operator keeps everybody out of it, and why.
    """

    id: str
    slug: str
    name: str
    description: str
    visibility: Visibility
    created: datetime
    git_enabled: bool = True
    quota_pages: int | None = None
    quota_bytes: int | None = None
    guidance: str = ""
    is_frozen: bool = False
    domain: str | None = None
    taken_down: datetime | None = None
    taken_down_why: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A credential that a person made for an agent, as listed; the secret itself is shown once and never stored.

    `prefix` is the folder that its bearer is confined to, with a slash at its end; None is the whole wiki.
    """

    id: str
    wiki_id: str
    user_id: str
    name: str
    scopes: frozenset[Scope]
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    prefix: str | None = None


class Health(StrEnum):
    """How a connection is: whether its client still gets in by itself.

    REFUSED: its last refresh was refused. EXPIRED: it was not used for too long. REUSED: a secret that had been used up
    came again, as a stolen one would, so everything was taken back. After the last two the client must ask anew.
    """

    WELL = "well"
    REFUSED = "refused"
    EXPIRED = "expired"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Connection:
    """What a person consented to (OAuth): the client `client_id` acts for them in one wiki, called `name`."""

    id: str
    wiki_id: str
    user_id: str
    client_id: str
    name: str
    scopes: frozenset[Scope]
    created: datetime
    last_used: datetime | None
    prefix: str | None = None
    health: Health = Health.WELL


Credential = Token | Connection


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular."""


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person in a browser; `role` is theirs in the wiki at hand."""

    user: User
    role: Role | None


@dataclass(frozen=True, slots=True)
class Agent:
    """A program acting for a person with a credential of the wiki at hand; `client` is its own name for itself."""

    user: User
    role: Role | None
    credential: Credential
    client: str


Actor = Anonymous | Person | Agent


@dataclass(frozen=True, slots=True)
class WikiRequest:
    """What the front decided about a request on a wiki host; handlers find it at `scope["robot.request"]`.

    `origin` is the one that was asked (`https://notes.example.org`), `request_id` names the request in logs.
    """

    wiki: Wiki
    actor: Actor
    origin: str
    request_id: str

    @property
    def home(self) -> str:
        """The origin at which people read the wiki, for links: its own domain's, by the same scheme and port."""
        if self.wiki.domain is None:
            return self.origin
        asked = urlsplit(self.origin)
        return f"{asked.scheme}://{self.wiki.domain}" + ("" if asked.port is None else f":{asked.port}")
