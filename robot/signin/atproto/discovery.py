"""From an account's server to whoever signs its people in: two documents, and what must be right in them.

The server that has the data (a PDS, the protected resource) names one authorization server, which may be itself.
Nothing is kept from one sign-in to the next, so an account that moved is never sent to its former server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robot.fetch import Door, FetchRefused
from robot.signin.atproto.origins import bare_origin
from robot.signin.providers import SignInFailed

RESOURCE_PATH = "/.well-known/oauth-protected-resource"
SERVER_PATH = "/.well-known/oauth-authorization-server"
MAX_DOCUMENT_BYTES = 64 * 1024
DEADLINE_S = 10.0

# What a header can hold, without a fragment.
_ADDRESS = re.compile(r"[!\"$-~]{1,2000}")
_TRUE = (
    "authorization_response_iss_parameter_supported",
    "require_pushed_authorization_requests",
    "client_id_metadata_document_supported",
)
_LISTED = (
    ("response_types_supported", "code"),
    ("grant_types_supported", "authorization_code"),
    ("code_challenge_methods_supported", "S256"),
    ("scopes_supported", "atproto"),
    ("token_endpoint_auth_methods_supported", "private_key_jwt"),
    ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
    ("dpop_signing_alg_values_supported", "ES256"),
)
"""What an authorization server of the AT Protocol can do, as far as it is needed here."""


class DocumentRefused(Exception):
    """A document is not what it must be; the message is a sentence about it."""


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Whom to ask. All endpoints are on the origin `issuer`, which is the server's name."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    pushing_endpoint: str
    revocation_endpoint: str | None
    resources: frozenset[str] | None
    """The protected resources that it says it is for; None if it does not say."""


def read_resource(said: Mapping[str, Any], resource: str) -> str:
    """The issuer that the metadata of a protected resource names (RFC 9728, pure). Raises `DocumentRefused`."""
    if said.get("resource") != resource:
        raise DocumentRefused("It is about another server.")
    servers = said.get("authorization_servers")
    if not isinstance(servers, list) or len(servers) != 1 or not isinstance(servers[0], str):
        raise DocumentRefused("It does not name exactly one authorization server.")
    issuer = bare_origin(servers[0])
    if issuer is None or issuer != servers[0]:
        raise DocumentRefused("It names an authorization server that is no https address of a host.")
    return issuer


def read_server(said: Mapping[str, Any], issuer: str) -> AuthorizationServer:
    """The authorization server that its metadata describes (RFC 8414, pure). Raises `DocumentRefused`."""
    if said.get("issuer") != issuer:
        raise DocumentRefused("It is about another server.")
    for name in _TRUE:
        if said.get(name) is not True:
            raise DocumentRefused(f"It lacks {name}.")
    for name, needed in _LISTED:
        listed = said.get(name)
        if not isinstance(listed, list) or needed not in listed:
            raise DocumentRefused(f"It lacks {needed} in {name}.")
    resources = said.get("protected_resources")
    return AuthorizationServer(
        issuer=issuer,
        authorization_endpoint=_endpoint(said, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(said, "token_endpoint", issuer),
        pushing_endpoint=_endpoint(said, "pushed_authorization_request_endpoint", issuer),
        revocation_endpoint=(
            None if said.get("revocation_endpoint") is None else _endpoint(said, "revocation_endpoint", issuer)
        ),
        resources=frozenset(map(str, resources)) if isinstance(resources, list) else None,
    )


def _endpoint(said: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address on the issuer's own host: what is secret is never sent to another, whoever wrote the document."""
    address = said.get(name)
    if not isinstance(address, str) or not address.startswith(f"{issuer}/") or not _ADDRESS.fullmatch(address):
        raise DocumentRefused(f"Its {name} is not on its own host.")
    return address


def check_serves(server: AuthorizationServer, resource: str) -> None:
    """Refuse a server that names for whom it signs in, and not `resource` (RFC 9728, section 4).

    Raises `SignInFailed`.
    """
    if server.resources is not None and resource not in server.resources:
        raise _refused(server.issuer, f"It says that it signs nobody of {_host(resource)} in.")


@dataclass(frozen=True, slots=True)
class Discovery:
    """Asks the servers. All methods raise `SignInFailed`."""

    door: Door

    async def server_of(self, resource: str) -> AuthorizationServer:
        """Who signs in the people of the server at the origin `resource`."""
        server = await self.server(await self.issuer_of(resource))
        check_serves(server, resource)
        return server

    async def server_at(self, origin: str) -> AuthorizationServer:
        """Who signs people in at an origin that somebody typed: it may have people's data, or sign them in only."""
        try:
            issuer = await self.issuer_of(origin)
        except SignInFailed as failure:
            if failure.code != "unreachable":
                raise
            return await self.server(origin)
        server = await self.server(issuer)
        check_serves(server, origin)
        return server

    async def issuer_of(self, resource: str) -> str:
        """The issuer that the server at the origin `resource` names."""
        said = await self._document(resource, RESOURCE_PATH)
        try:
            return read_resource(said, resource)
        except DocumentRefused as error:
            raise _refused(resource, str(error)) from None

    async def server(self, issuer: str) -> AuthorizationServer:
        """What the authorization server of that origin says of itself."""
        said = await self._document(issuer, SERVER_PATH)
        try:
            return read_server(said, issuer)
        except DocumentRefused as error:
            raise _refused(issuer, str(error)) from None

    async def _document(self, origin: str, path: str) -> Mapping[str, Any]:
        try:
            answer = await self.door.get(
                origin + path,
                types=["application/json"],
                max_bytes=MAX_DOCUMENT_BYTES,
                deadline_s=DEADLINE_S,
                max_redirects=0,
            )
        except FetchRefused as refused:
            raise SignInFailed("unreachable", f"{_host(origin)} did not say how to sign in there. {refused}") from None
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise _refused(origin, "It is no JSON object.")
        return said


def _refused(origin: str, reason: str) -> SignInFailed:
    return SignInFailed("refused", f"What {_host(origin)} says about signing in there is not right. {reason}")


def _host(origin: str) -> str:
    return origin.partition("://")[2]
