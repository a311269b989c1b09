"""Whose name a commit carries: the person's, with the agent's beside it when an agent acted."""

from __future__ import annotations

from typing import Literal

from robot.model import Agent, Person, User
from wikihost.repo import AGENT, CREDENTIAL, VIA
from wikihost.values import Author

Via = Literal["web", "mcp", "rest", "git"]

_MAX_CLIENT_CHARS = 60


def author_of(actor: Person | Agent, domain: str, via: Via) -> Author:
    """The commit author for `actor`, who came through the door `via`.

    Person: `Ada Lovelace <ada@users.example.org>`, with the trailer `Robot-Via: web`. Agent:
    `Ada Lovelace (Claude Code) <…>`, with `Robot-Agent: Claude Code`, `Robot-Via: mcp` and
    `Robot-Credential: t_4fK… (laptop)`: the credential's id for programs, which opens nothing, and for people the name
    that it has in the list of tokens.
    """
    email = address_of(actor.user, domain)
    match actor:
        case Person(user=user):
            return Author(user.display_name, email, {VIA: via})
        case Agent(user=user, client=client, credential=credential):
            shown, named = client_name(client), f"{credential.id} ({credential.name})"
            trailers = {AGENT: shown, VIA: via, CREDENTIAL: named}
            return Author(f"{user.display_name} ({shown})", email, trailers)


def address_of(user: User, domain: str) -> str:
    """What stands for a person's e-mail address in commits; it receives nothing."""
    return f"{user.name}@users.{domain}"


def client_name(claimed: str) -> str:
    """An agent's own name for itself, made fit for an author line and a trailer: one line, no brackets, bounded."""
    plain = "".join(char if char.isprintable() and char not in "<>()" else " " for char in claimed)
    return " ".join(plain.split())[:_MAX_CLIENT_CHARS].strip() or "agent"
