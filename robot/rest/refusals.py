"""Every failure as a status and a JSON body, decided in one place (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot.search.values import ReindexRunning, SearchError
from wikihost.errors import (
    AttachmentNotFound,
    Conflict,
    ContentError,
    EditNotApplicable,
    InvalidAttachment,
    InvalidPageName,
    InvalidPageText,
    PageExists,
    PageNotFound,
    PageTooLarge,
    QuotaExceeded,
    RevisionNotFound,
    RevisionRequired,
    StorageFailed,
    StorageFull,
)

Json = dict[str, Any]

_STATUS: dict[type[ContentError], int] = {
    InvalidPageName: 422,
    InvalidPageText: 422,
    InvalidAttachment: 422,
    PageNotFound: 404,
    AttachmentNotFound: 404,
    PageExists: 409,
    RevisionNotFound: 404,
    RevisionRequired: 409,
    Conflict: 409,
    EditNotApplicable: 422,
    PageTooLarge: 413,
    QuotaExceeded: 413,
    StorageFull: 507,
    StorageFailed: 500,
}

_HTTP = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("not_found", "The API has nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; the header Allow names those that it takes."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("body_too_large", "The body is too large."),
}


class Refused(Exception):
    """A request that is refused before any content is touched."""

    def __init__(self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.headers = headers
        self.status = status
        self.code = code


def of_content(error: ContentError) -> tuple[int, Json]:
    """A content error; those about a revision name the current one, so that a script can read and try again."""
    body: Json = {"error": str(error), "code": error.code}
    match error:
        case RevisionRequired() | Conflict():
            body["current_revision"] = error.current_revision
        case EditNotApplicable(occurrences=0):
            body |= {"error": "old_string not found in the page", "occurrences": 0}
        case EditNotApplicable():
            body |= {
                "error": f"old_string is ambiguous: found {error.occurrences} occurrences",
                "occurrences": error.occurrences,
            }
        case QuotaExceeded():
            body["needed"] = {"pages": error.pages, "bytes": error.size_bytes}
            body["quota"] = {"pages": error.quota_pages, "bytes": error.quota_bytes}
        case _:
            pass
    return _STATUS.get(type(error), 500), body


def of_search(error: SearchError) -> tuple[int, Json]:
    if isinstance(error, ReindexRunning):
        return 409, {"error": "Reindex already in progress", "code": "reindex_running"}
    return 503, {"error": str(error), "code": "search_unavailable"}


def of_http(status: int) -> tuple[int, Json]:
    code, sentence = _HTTP.get(status, ("http_error", "The request was refused."))
    return status, {"error": sentence, "code": code}
