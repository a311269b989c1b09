"""Every failure as a status and a JSON body, decided in one place (pure)."""

from __future__ import annotations

from typing import Any

from robot.search.values import ReindexRunning, SearchError
from wikihost.errors import (
    Conflict,
    ContentError,
    EditNotApplicable,
    InvalidPageName,
    InvalidPageText,
    PageNotFound,
    PageTooLarge,
    RevisionNotFound,
    RevisionRequired,
    StorageFailed,
    StorageFull,
)

Json = dict[str, Any]

_STATUS: dict[type[ContentError], int] = {
    InvalidPageName: 422,
    InvalidPageText: 422,
    PageNotFound: 404,
    RevisionNotFound: 404,
    RevisionRequired: 409,
    Conflict: 409,
    EditNotApplicable: 422,
    PageTooLarge: 413,
    StorageFull: 507,
    StorageFailed: 500,
}

_HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
}


class Refused(Exception):
    """A request that is refused before any content is touched."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
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
        case _:
            pass
    return _STATUS.get(type(error), 500), body


def of_search(error: SearchError) -> tuple[int, Json]:
    if isinstance(error, ReindexRunning):
        return 409, {"error": "Reindex already in progress", "code": "reindex_running"}
    return 503, {"error": str(error), "code": "search_unavailable"}


def of_http(status: int, sentence: str) -> tuple[int, Json]:
    return status, {"error": sentence, "code": _HTTP_CODES.get(status, "http_error")}
