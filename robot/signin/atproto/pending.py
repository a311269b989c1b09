"""What must be known again when the browser comes back: one sign-in at one authorization server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from joserfc.jwk import ECKey


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that has begun. `did` is who must come back; None if only a server was named.

    `client_key` is the id of the key that this host signed with: the server demands the same one at the end.
    """

    issuer: str
    did: str | None
    client_key: str
    verifier: str = field(repr=False)
    dpop_key: ECKey = field(repr=False)
    nonce: str | None = field(repr=False)


def to_memory(pending: Pending) -> Mapping[str, str]:
    """As it is stored."""
    told = {"did": pending.did, "nonce": pending.nonce}
    return {
        "issuer": pending.issuer,
        "client_key": pending.client_key,
        "verifier": pending.verifier,
        "dpop_key": json.dumps(pending.dpop_key.as_dict(private=True)),
        **{name: value for name, value in told.items() if value is not None},
    }


def of_memory(memory: Mapping[str, str]) -> Pending:
    """What `to_memory` stored."""
    return Pending(
        issuer=memory["issuer"],
        did=memory.get("did"),
        client_key=memory["client_key"],
        verifier=memory["verifier"],
        dpop_key=ECKey.import_key(json.loads(memory["dpop_key"])),
        nonce=memory.get("nonce"),
    )
