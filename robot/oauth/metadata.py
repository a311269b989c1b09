"""The documents by which clients discover whom to ask for a token, and how (pure).

A client begins at a wiki: its resource metadata (RFC 9728) names the one authorization server of this host, whose own
metadata (RFC 8414) is at the platform. Both come from the host's name alone, so that they are the same for a wiki
that is private and for one that does not exist. A wiki with a domain of its own is a resource at either address, since
a client holds the name in the metadata against the address that it was given (RFC 9728, section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.hosts import OwnDomain, PlatformHost, WikiHost
from robot.address import PublicAddress
from robot.oauth.clients import AuthMethod
from robot.oauth.endpoints import AUTHORIZE, REGISTER, REVOKE, TOKEN, authorize_for
from robot.oauth.resources import resource_of
from robot.oauth.scopes import SCOPES

RESOURCE_PATH = "/.well-known/oauth-protected-resource"
_SERVER_PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
# With the path of the MCP endpoint behind it, as RFC 8414 and RFC 9728 (section 3.1) put it, and as old clients guess.
_SUFFIXES = ("", "/", "/mcp", "/mcp/")

Document = Mapping[str, Any]


def resource_metadata_address(wiki_origin: str) -> str:
    """Where the metadata of a wiki is, for challenges."""
    return f"{wiki_origin}{RESOURCE_PATH}/mcp"


def document_at(path: str, address: PublicAddress, place: PlatformHost | WikiHost | OwnDomain) -> Document | None:
    """The document at `path` of that place."""
    if path in _forms(*_SERVER_PATHS):
        return _server(address, AUTHORIZE if isinstance(place, PlatformHost) else authorize_for(place))
    if path in _forms(RESOURCE_PATH) and not isinstance(place, PlatformHost):
        return _resource(address, address.origin_at(place))
    return None


def _forms(*paths: str) -> frozenset[str]:
    return frozenset(path + suffix for path in paths for suffix in _SUFFIXES)


def _resource(address: PublicAddress, wiki_origin: str) -> Document:
    return {
        "resource": resource_of(wiki_origin),
        "authorization_servers": [address.platform_origin],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": wiki_origin.partition("://")[2],
        "resource_documentation": f"{address.platform_origin}/",
    }


def _server(address: PublicAddress, authorize: str) -> Document:
    issuer, methods = address.platform_origin, [method.value for method in AuthMethod]
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + authorize,
        "token_endpoint": issuer + TOKEN,
        "registration_endpoint": issuer + REGISTER,
        "revocation_endpoint": issuer + REVOKE,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": list(SCOPES),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "service_documentation": f"{issuer}/",
    }
