"""Every failure as a status and a JSON body, decided in one place (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from robot.rest.problems import PROBLEMS
from robot.rest.shapes import ErrorAnswer
from robot.search.values import ReindexRunning, SearchError
from wikihost.errors import Conflict, ContentError, EditNotApplicable, QuotaExceeded, RevisionRequired

_HTTP = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("not_found", "The API has nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; the header Allow names those that it takes."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("body_too_large", "The body is too large."),
    416: ("range_not_satisfiable", "The file has no such range."),
}


class Refused(Exception):
    """A request that is refused before any content is touched."""

    def __init__(self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.headers = headers
        self.status = status
        self.code = code


def of_content(error: ContentError) -> tuple[int, ErrorAnswer]:
    """A content error; those about a revision name the current one, so that a script can read and try again."""
    body: ErrorAnswer = {"error": str(error), "code": error.code}
    match error:
        case RevisionRequired():
            body["current_revision"] = error.current_revision
        case Conflict():
            body["current_revision"] = error.current_revision
            if error.current_text is not None:
                body["current_text"] = error.current_text
        case EditNotApplicable(occurrences=0):
            body["error"] = "old_string not found in the page"
            body["occurrences"] = 0
        case EditNotApplicable():
            body["error"] = f"old_string is ambiguous: found {error.occurrences} occurrences"
            body["occurrences"] = error.occurrences
        case QuotaExceeded():
            if error.pages is not None and error.size_bytes is not None:
                body["needed"] = {"pages": error.pages, "bytes": error.size_bytes}
            body["quota"] = {"pages": error.quota_pages, "bytes": error.quota_bytes}
        case _:
            pass
    problem = PROBLEMS.get(error.code, PROBLEMS["internal_error"])
    return problem.status, body


def of_search(error: SearchError) -> tuple[int, ErrorAnswer]:
    if isinstance(error, ReindexRunning):
        return 409, {"error": "Reindex already in progress", "code": "reindex_running"}
    return 503, {"error": str(error), "code": "search_unavailable"}


def of_http(status: int) -> tuple[int, ErrorAnswer]:
    code, sentence = _HTTP.get(status, ("bad_request", "The request was refused."))
    return PROBLEMS[code].status, {"error": sentence, "code": code}
