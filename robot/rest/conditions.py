"""Revisions in headers: `ETag`, `If-None-Match` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import re

from quart import Response, request

from robot.rest.refusals import Refused

_ETAG = re.compile(r'"([0-9a-f]{40})"')
_ETAG_OF_OTHER = re.compile(r'"[0-9a-f]{40}/[!#-~]+"')


def etag(revision: str) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}


def not_modified(revision: str) -> Response | None:
    """304 when the client says that it has this revision already."""
    known = request.headers.get("If-None-Match", "")
    if f'"{revision}"' not in known and known.strip() != "*":
        return None
    return Response(b"", 304, {**etag(revision), "Cache-Control": "no-cache"})


def base_revision(said: str | None) -> str | None:
    """The revision that a write builds on: `said` elsewhere, or in `If-Match`, which means the same.

    Raises Refused: 409 when they differ, 422 for what is no ETag of ours, such as `*`: it would overwrite what nobody
    has read.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return said
    if _ETAG_OF_OTHER.fullmatch(header.strip()):
        raise Refused(422, "invalid_if_match", "If-Match is the ETag of a page that an old name led to: write to that.")
    if (match := _ETAG.fullmatch(header.strip())) is None:
        raise Refused(422, "invalid_if_match", "If-Match must be the ETag of what you read.")
    if said and not match[1].startswith(said.lower()):
        raise Refused(409, "conflict", "If-Match and revision name different revisions, so one of them is old.")
    return match[1]
