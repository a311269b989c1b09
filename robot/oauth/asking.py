"""What a client asks a person for: the authorization request, judged (pure).

RFC 6749, section 4.1.1; RFC 7636, section 4.3; RFC 8707, section 2; answers carry `iss` (RFC 9207).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from proxy.hosts import OwnDomain, WikiHost
from robot.address import PublicAddress
from robot.model import Scope
from robot.oauth.clients import Client, matching_redirect
from robot.oauth.resources import InForce, place_of_resource
from robot.oauth.scopes import ScopeUnknown, parse_scopes

Sent = Mapping[str, Sequence[str]]
"""The parameters of a request, each with all its values."""

MAX_STATE_CHARS = 1024
MAX_REQUEST_CHARS = 4000

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # SHA-256 in base64url is 43 characters
_NO_RESOURCE = (
    "resource is missing: this server speaks for many wikis, and only resource says which one is meant. "
    "Name the wiki's own address with /mcp at its end, as its protected resource metadata has it."
)
_FOREIGN_RESOURCE = "resource is no wiki of this host: it is the wiki's own address with /mcp at its end."


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a person can decide about. At `place` may be no wiki, or one that the person does not know of.

    `scopes` is empty when the client named none and takes what it gets.
    """

    client: Client
    redirect_uri: str
    state: str | None
    challenge: str
    place: WikiHost | OwnDomain
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class ReturnTo:
    """A redirect of the client that was checked, and the state that goes back with any answer."""

    redirect_uri: str
    state: str | None

    def address(self, issuer: str, **answer: str) -> str:
        """The redirect with the answer in its query, by which the client also sees who answers (RFC 9207)."""
        fields = {**answer, "iss": issuer}
        if self.state is not None:
            fields["state"] = self.state
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(fields)}"


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A request that nobody may be sent back from, since nobody knows where to; the person reads the sentence."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that goes back to its client with an error and a sentence for whoever reads its log."""

    back: ReturnTo
    error: str
    sentence: str


def client_of(sent: Sent) -> str | Unanswerable:
    """The id of the asking client."""
    ids = sent.get("client_id", ())
    if len(ids) != 1 or not ids[0]:
        return Unanswerable("The address names no client, or more than one.")
    if sum(len(value) for values in sent.values() for value in values) > MAX_REQUEST_CHARS:
        return Unanswerable("The address is longer than any that a client needs.")
    return ids[0]


def judge_request(
    sent: Sent, client: Client, address: PublicAddress, in_force: InForce
) -> Asked | Refusal | Unanswerable:
    """What the request of `client` comes to."""
    redirects = sent.get("redirect_uri", ())
    if len(redirects) != 1 or not matching_redirect(client, redirects[0]):
        return Unanswerable("The answer would go to an address that this client did not give beforehand.")
    states = sent.get("state", ())
    is_state_good = len(states) <= 1 and all(len(state) <= MAX_STATE_CHARS for state in states)
    back = ReturnTo(redirects[0], states[0] if states and is_state_good else None)
    if not is_state_good:
        return Refusal(back, "invalid_request", f"state is sent once and has at most {MAX_STATE_CHARS} characters.")
    fault = _find_fault(sent, back)
    if fault is not None:
        return fault
    resource = _find_resource(sent, back)
    if isinstance(resource, Refusal):
        return resource
    place = place_of_resource(address, resource, in_force)
    if place is None:
        return Refusal(back, "invalid_target", _FOREIGN_RESOURCE)
    try:
        scopes = parse_scopes(_one(sent, "scope") or "")
    except ScopeUnknown as error:
        return Refusal(back, "invalid_scope", str(error))
    return Asked(client, back.redirect_uri, back.state, _one(sent, "code_challenge") or "", place, scopes)


def _find_fault(sent: Sent, back: ReturnTo) -> Refusal | None:
    """What is wrong with everything but the wiki and the scopes. `prompt` is accepted: a person is always asked."""
    repeated = next((name for name, values in sent.items() if len(values) > 1 and name != "resource"), None)
    if repeated is not None:
        # Names of parameters that nobody knows are not worth repeating to the client.
        return Refusal(back, "invalid_request", "A parameter is sent more than once (RFC 6749, section 3.1).")
    if _one(sent, "response_type") is None:
        return Refusal(back, "invalid_request", "response_type is missing.")
    if _one(sent, "response_type") != "code":
        return Refusal(back, "unsupported_response_type", "response_type can only be code.")
    if _one(sent, "response_mode") not in (None, "query"):
        return Refusal(back, "invalid_request", "response_mode can only be query.")
    if _one(sent, "request") is not None or _one(sent, "request_uri") is not None:
        return Refusal(back, "request_not_supported", "Send plain parameters, no request object.")
    if _one(sent, "code_challenge_method") != "S256":
        return Refusal(back, "invalid_request", "PKCE is required, with code_challenge_method=S256.")
    if not _CHALLENGE.fullmatch(_one(sent, "code_challenge") or ""):
        return Refusal(back, "invalid_request", "code_challenge is missing or is no SHA-256 in base64url.")
    return None


def _find_resource(sent: Sent, back: ReturnTo) -> str | Refusal:
    resources = sent.get("resource", ())
    if not resources or not resources[0]:
        return Refusal(back, "invalid_target", _NO_RESOURCE)
    if len(resources) > 1:
        return Refusal(back, "invalid_target", "A token is for one wiki: send one resource.")
    return resources[0]


def _one(sent: Sent, name: str) -> str | None:
    values = sent.get(name, ())
    return values[0] if values and values[0] else None
