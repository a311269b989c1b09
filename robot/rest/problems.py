"""Every way in which a request can fail: its code, its status, and what the caller can do (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`meaning` ends in what to do about it."""

    status: int
    meaning: str


PROBLEMS: Mapping[str, Problem] = {
    "bad_request": Problem(400, "The address or a header cannot be understood. Look at the sentence."),
    "malformed_json": Problem(400, "The body is not JSON. Mend it."),
    "unauthorized": Problem(401, "A token is needed. Send `Authorization: Bearer robot_…`."),
    "invalid_token": Problem(401, "The token is not one of this wiki, or no longer. Make a new one."),
    "forbidden": Problem(403, "The token may not do this. Use one that may."),
    "frozen": Problem(403, "The operator lets this wiki be read only. Reading goes on; ask the operator."),
    "outside_folder": Problem(403, "The token reaches one folder, which the sentence names. Stay in it."),
    "insufficient_scope": Problem(403, "The connection may only read. Its person may grant it more."),
    "cross_site": Problem(403, "A page of another site sent this with the browser's cookie. Send it from the wiki."),
    "not_found": Problem(404, "The API has nothing at this address. Look it up in this document."),
    "page_not_found": Problem(404, "There is no such page, or not at that revision. Check the name."),
    "attachment_not_found": Problem(404, "The page has no such file. List its attachments."),
    "revision_not_found": Problem(404, "The wiki has no such revision. Give 7 to 40 digits of one that it has."),
    "method_not_allowed": Problem(405, "The address does not take that method. `Allow` names those that it takes."),
    "request_timeout": Problem(408, "The body came too slowly. Send it again."),
    "conflict": Problem(
        409,
        "Somebody changed it after the revision that you gave. Make your change in `current_text`, and send it with"
        " `current_revision`.",
    ),
    "revision_required": Problem(409, "The page exists. Read it, and send the revision that you read."),
    "page_exists": Problem(409, "Something stands where it is to go. Choose another name, or remove that first."),
    "undo_refused": Problem(
        409, "The change cannot be taken back: later ones are in the way, or nothing of it is left. Read the sentence."
    ),
    "idempotency_in_progress": Problem(409, "The first request with this key is at work. Ask again in a moment."),
    "reindex_running": Problem(409, "A re-index is running. Wait for it, or cancel it."),
    "page_too_large": Problem(413, "A page can have at most 1,000,000 characters. Split it."),
    "quota_exceeded": Problem(413, "The wiki is full. Remove pages or files, or ask the operator for a larger quota."),
    "body_too_large": Problem(413, "The body is larger than any of this kind needs to be. Send less."),
    "unsupported_media_type": Problem(415, "The body is not declared as JSON. Send `Content-Type: application/json`."),
    "range_not_satisfiable": Problem(416, "The file has no such range. `Content-Range` tells its size."),
    "missing_parameter": Problem(422, "A parameter that must be there is not. Add it."),
    "invalid_parameter": Problem(422, "A parameter has a value that it cannot have. Look at the sentence."),
    "invalid_cursor": Problem(422, "The cursor is none of this list. Begin without one."),
    "invalid_body": Problem(422, "A member of the body is missing or wrong. Look at the sentence."),
    "invalid_page_name": Problem(422, "No page can have that name. The sentence says which rule it breaks."),
    "invalid_page_text": Problem(422, "The text holds what is no character. Remove it."),
    "invalid_attachment": Problem(422, "The file's name or size is not possible. Look at the sentence."),
    "invalid_base64": Problem(422, "`content` is not strict base64. Encode it without line breaks."),
    "invalid_if_match": Problem(422, "`If-Match` is not the ETag of what you read. Send that one alone."),
    "invalid_idempotency_key": Problem(422, "A key has 1 to 255 printable ASCII characters. Make another."),
    "idempotency_key_reused": Problem(422, "The key came with another request before. Make one for each request."),
    "edit_not_applicable": Problem(
        422, "`old_string` does not occur exactly once. Copy it from the page, with more of what is around it."
    ),
    "too_many_requests": Problem(429, "That was too often. Nothing was done; try again after `retry_after` seconds."),
    "internal_error": Problem(500, "A fault of robot's, which has been recorded. Tell the operator."),
    "storage_failed": Problem(500, "The disk or the repository failed, or others write. Nothing was saved; try again."),
    "search_unavailable": Problem(503, "Search does not work just now. Try again later."),
    "unavailable": Problem(503, "robot is starting or stopping. Try again in some seconds."),
    "storage_full": Problem(507, "The disk is full, and nothing was saved. Tell the operator."),
}

ANY = ("bad_request", "invalid_token", "too_many_requests", "internal_error", "unavailable")
READING = ("unauthorized", "forbidden", "insufficient_scope", "storage_failed", "storage_full")
LISTING = ("invalid_parameter",)
BODY = ("malformed_json", "request_timeout", "body_too_large", "unsupported_media_type", "invalid_body")
CHANGING = (
    "cross_site",
    "frozen",
    "outside_folder",
    "invalid_parameter",
    "invalid_idempotency_key",
    "idempotency_key_reused",
    "idempotency_in_progress",
    "invalid_page_name",
)
GUARDED = ("conflict", "invalid_if_match")
