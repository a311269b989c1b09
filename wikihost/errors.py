"""The closed set of ways in which work on a wiki's content can fail.

Each edge (REST, MCP, CLI, browser) maps these once. Every message is a sentence that a person can act on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class ContentError(Exception):
    """Base of all content errors; `code` is the stable machine-readable name."""

    code: ClassVar[str] = "content_error"


class InvalidPageName(ContentError):
    """The name cannot be a page's name; the message says which rule it breaks."""

    code = "invalid_page_name"


class PageNotFound(ContentError):
    """No page of that name exists at the asked revision."""

    code = "page_not_found"


class OutsideReach(ContentError):
    """The caller's credential reaches only one folder, which what was asked for is not inside."""

    code = "outside_folder"


FROZEN = "This wiki is read-only by the operator of this host: it can be read as ever, but not changed."


class WikiFrozen(ContentError):
    """The operator lets the wiki be read only; nothing was written."""

    code = "frozen"

    def __init__(self) -> None:
        super().__init__(FROZEN)


class PageExists(ContentError):
    """Something stands already where a page is to go."""

    code = "page_exists"


class AttachmentNotFound(ContentError):
    """The page has no attachment of that name."""

    code = "attachment_not_found"


class InvalidAttachment(ContentError):
    """The file cannot be an attachment: its name breaks a rule, or it is too large."""

    code = "invalid_attachment"


class RevisionNotFound(ContentError):
    """The revision is malformed, or names no commit of this wiki."""

    code = "revision_not_found"


class RevisionRequired(ContentError):
    """The page exists, so a write must say which revision it was made from."""

    code = "revision_required"

    def __init__(self, message: str, *, current_revision: str) -> None:
        super().__init__(message)
        self.current_revision = current_revision


class Conflict(ContentError):
    """The page or file moved on since the base revision; nothing was written. A file has no `current_text`."""

    code = "conflict"

    def __init__(self, message: str, *, current_revision: str, current_text: str | None) -> None:
        super().__init__(message)
        self.current_revision = current_revision
        self.current_text = current_text


class EditNotApplicable(ContentError):
    """The text to replace occurs `occurrences` times in the page, where exactly once is needed.

    `lines` are the lines, counted from 1, where the first of several begin.
    """

    code = "edit_not_applicable"

    def __init__(self, message: str, *, occurrences: int, lines: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.occurrences = occurrences
        self.lines = lines


class PageTooLarge(ContentError):
    """The page's text is over the size limit."""

    code = "page_too_large"


class InvalidPageText(ContentError):
    """The text cannot be stored as UTF-8."""

    code = "invalid_page_text"


class QuotaExceeded(ContentError):
    """The change would make the wiki grow beyond its quota; nothing was written.

    `pages` and `size_bytes` are what the wiki would hold with it, None for a caller who may not know.
    """

    code = "quota_exceeded"

    def __init__(
        self, message: str, *, pages: int | None, size_bytes: int | None, quota_pages: int, quota_bytes: int
    ) -> None:
        super().__init__(message)
        self.pages = pages
        self.size_bytes = size_bytes
        self.quota_pages = quota_pages
        self.quota_bytes = quota_bytes

    def without_figures(self) -> QuotaExceeded:
        """The same, for a caller who sees only a part of the wiki."""
        return QuotaExceeded(
            "The wiki as a whole is full, and this would make it grow: remove what nobody needs, or tell its owner.",
            pages=None,
            size_bytes=None,
            quota_pages=self.quota_pages,
            quota_bytes=self.quota_bytes,
        )


class UndoRefused(ContentError):
    """The change cannot be undone; nothing was written. `pages` are those where later changes are in the way."""

    code = "undo_refused"

    def __init__(self, message: str, *, pages: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.pages = tuple(pages)


class StorageFull(ContentError):
    """The disk is full; nothing was written."""

    code = "storage_full"


class StorageFailed(ContentError):
    """The disk or the repository failed; nothing was acknowledged."""

    code = "storage_failed"
