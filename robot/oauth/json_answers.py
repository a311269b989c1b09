"""What the endpoints for programs answer: JSON that nobody keeps, errors among it (RFC 6749, sections 5.1 and 5.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from quart import Response

RETRY_SOON: Final = {"Retry-After": "2"}

_NOT_KEPT: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def json_answer(status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON object."""
    body = json.dumps(value, ensure_ascii=False)
    return Response(body, status, {**_NOT_KEPT, **(headers or {})}, content_type="application/json")


def error_answer(status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with an error: its code, and a sentence for whoever reads the client's log."""
    return json_answer(status, {"error": code, "error_description": sentence}, headers)
