"""DIDs, where the document about each lies, and what it says of its account, checked (pure).

Sources: the AT Protocol's DID and Identity, did:plc, and W3C's did:web.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robot.signin.atproto.handles import HandlePolicy
from robot.signin.atproto.origins import bare_origin

PLC_DIRECTORY = "https://plc.directory"
PDS_SERVICE = "AtprotoPersonalDataServer"

_PLC = re.compile(r"did:plc:[a-z2-7]{24}")
_WEB = "did:web:"


class DocumentWrong(ValueError):
    """A document does not say what it must; the message is a sentence about it."""


@dataclass(frozen=True, slots=True)
class DidDocument:
    """What matters here. `claimed` is the handle that the account says it has, which proves nothing yet."""

    did: str
    claimed: str | None
    pds: str


def is_did(text: str, policy: HandlePolicy) -> bool:
    """Whether a text is a DID of a kind that accounts have: did:plc, or did:web of a host without a path."""
    return _PLC.fullmatch(text) is not None or (text.startswith(_WEB) and policy.allows(text.removeprefix(_WEB)))


def document_url(did: str, plc_directory: str) -> str:
    """Where the document about a DID (as `is_did` knows them) lies."""
    if did.startswith(_WEB):
        return f"https://{did.removeprefix(_WEB)}/.well-known/did.json"
    return f"{plc_directory}/{did}"


def read_document(did: str, body: bytes, policy: HandlePolicy) -> DidDocument:
    """The document about `did` that was fetched. Raises `DocumentWrong`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise DocumentWrong("It is not JSON.") from None
    if not isinstance(said, dict):
        raise DocumentWrong("It is no JSON object.")
    if said.get("id") != did:
        raise DocumentWrong("It is about another account.")
    return DidDocument(did, _claimed(said, policy), _pds(did, said))


def _claimed(said: Mapping[str, Any], policy: HandlePolicy) -> str | None:
    """The first handle that is one: those that follow are of no account."""
    for name in _listed(said, "alsoKnownAs"):
        if isinstance(name, str) and name.startswith("at://") and policy.allows(name.removeprefix("at://").lower()):
            return name.removeprefix("at://").lower()
    return None


def _pds(did: str, said: Mapping[str, Any]) -> str:
    for service in _listed(said, "service"):
        if isinstance(service, dict) and service.get("id") in ("#atproto_pds", f"{did}#atproto_pds"):
            endpoint = service.get("serviceEndpoint")
            origin = bare_origin(endpoint) if isinstance(endpoint, str) else None
            if service.get("type") != PDS_SERVICE or origin is None:
                raise DocumentWrong("It names a server that is no https address of a host.")
            return origin
    raise DocumentWrong("It names no server that has the account.")


def _listed(said: Mapping[str, Any], name: str) -> list[Any]:
    found = said.get(name)
    return found if isinstance(found, list) else []
