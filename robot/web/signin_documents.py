"""What servers that sign people in read about this host, before they do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from quart import Blueprint, Response

from robot.address import PublicAddress
from robot.clock import Clock, wall_clock
from robot.signin.atproto.client_document import JWKS_PATH, METADATA_PATH, client_jwks, client_metadata
from robot.signin.atproto.client_keys import ClientKeys


def signin_documents(*, address: PublicAddress, keys: ClientKeys, clock: Clock = wall_clock) -> Blueprint:
    """`/oauth-client-metadata.json`, `/oauth/jwks.json`"""
    pages = Blueprint("signin_documents", __name__)

    @pages.get(METADATA_PATH)
    async def metadata() -> Response:
        return _document(client_metadata(address))

    @pages.get(JWKS_PATH)
    async def jwks() -> Response:
        return _document(client_jwks(await keys.ring(), clock()))

    return pages


def _document(said: Mapping[str, Any]) -> Response:
    answer = Response(json.dumps(said), content_type="application/json")
    # Less than a new key is published ahead of its first use (`client_keys`).
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
