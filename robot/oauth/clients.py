"""What is known of a client: a program that asks people for access to their wikis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    """A client. Which scopes it gets is between it and each person: registering decides nothing about that.

    One with `is_document` is described at the https address that is its id, so that the host in there is proven; any
    other registered itself, and nothing that it says of itself is proven.
    """

    id: str
    name: str
    uri: str | None
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    secret_hash: bytes | None
    is_document: bool


def matching_redirect(client: Client, redirect_uri: str) -> bool:
    """Whether answers for `client` may go to `redirect_uri`."""
    return any(same_redirect(registered, redirect_uri) for registered in client.redirect_uris)
