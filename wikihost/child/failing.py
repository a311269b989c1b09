"""What a wiki answers when it cannot do what was asked: pages of one kind, each with a way on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request
from flask_login import current_user
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import Forbidden, HTTPException

from wikihost.child.plain import plain_page, sign_in_url
from wikihost.errors import (
    ContentError,
    InvalidAttachment,
    InvalidPageName,
    QuotaExceeded,
    StorageFailed,
    StorageFull,
    WikiFrozen,
)
from wikihost.worker_protocol import FROZEN_HEADER
from wikihost.writer import DISK_FULL, Moved

_SAID: Final[Mapping[int, tuple[str, str]]] = {
    400: ("This request cannot be read", "The browser sent something that this page does not understand."),
    403: ("You may not do this", "Your role in this wiki does not reach so far. Ask its owner for another."),
    404: (
        "There is nothing here",
        "This wiki has nothing at this address. Check it, or search for a word.",
    ),
    405: ("Not like this", "This address does not take that kind of request. Follow a link or a button of a page."),
    413: ("This is too large", "It is larger than this wiki takes at once, and nothing was changed. Send less."),
    500: ("Something went wrong", "The wiki made a mistake. What was saved before is safe; try again."),
}
_OTHERWISE: Final = ("This cannot be done", "Go back and try again.")
_FIRST_ERROR: Final = 400


def install(app: Any) -> None:
    """Answer for Otter Wiki's own errors and for ours; before the first request."""
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(HTTPException, show_failure)
    app.register_error_handler(ContentError, show_refusal)
    app.register_error_handler(OSError, _disk_failed)
    app.register_error_handler(OperationalError, _database_failed)


def _forbidden(error: Forbidden) -> Any:
    return show_refusal(WikiFrozen()) if is_frozen() else show_failure(error)


def show_failure(error: HTTPException) -> Any:
    """The page for an error of HTTP; what is none, such as a redirect, stays what it is."""
    status = error.code or 500
    if status < _FIRST_ERROR or error.response is not None:
        return error
    links = []
    if status == Forbidden.code and not current_user.is_authenticated:
        links.append(("Sign in", sign_in_url()))
    return plain_page(status, *_SAID.get(status, _OTHERWISE), *links)


def is_frozen() -> bool:
    """Whether the operator lets the wiki be read only."""
    return FROZEN_HEADER in request.headers


def show_refusal(error: ContentError) -> Response:
    """The page for a change that was refused."""
    match error:
        case StorageFull():
            return plain_page(507, "The disk is full", "Nothing was saved. Keep your text and try again later.")
        case StorageFailed():
            return plain_page(503, "The wiki could not be written", f"{error} Keep your text and try again.")
        case QuotaExceeded():
            return plain_page(413, "The wiki is full", f"{error} Nothing was changed.")
        case WikiFrozen():
            return plain_page(403, "This wiki is read-only", f"{error} Nothing was saved.")
        case InvalidPageName() if request.method in ("GET", "HEAD"):
            return plain_page(404, "No such page", str(error))
        case InvalidPageName():
            return plain_page(400, "This cannot be a page's name", str(error))
        case InvalidAttachment():
            return plain_page(400, "This file cannot be attached", str(error))
        case Moved():
            return plain_page(409, "Someone else was faster", str(error))
        case _:
            return plain_page(400, "This cannot be done", str(error))


def _disk_failed(error: OSError) -> Any:
    if error.errno in DISK_FULL:
        return show_refusal(StorageFull())
    raise error


def _database_failed(error: OperationalError) -> Any:
    if "full" in str(error.orig) or "disk I/O" in str(error.orig):
        return plain_page(507, "The disk is full", "Your preferences or draft were not saved. Try again later.")
    if "readonly" in str(error.orig) or "unable to open" in str(error.orig):
        return plain_page(503, "The wiki could not be written", "Your preferences or draft were not saved.")
    raise error
