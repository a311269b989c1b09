"""A save from the editor knows what it was made from, and never replaces unseen what others saved meanwhile.

The editor's form carries the commit that the wiki was at when it was opened. A page that moved on since then is merged;
where that is not possible, a page with both texts asks what is to be saved. A form without that commit (a tab from
before, a script) is saved as Otter Wiki does it.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final
from urllib.parse import quote

import pygit2
from flask import g, request
from git import GitError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError

from wikihost.child.conflict_page import (
    BASE_FIELD,
    MARKS_FIELD,
    Again,
    Question,
    conflict_page,
    marks_page,
    quota_page,
    sign_in_page,
)
from wikihost.child.failing import show_failure
from wikihost.child.meanwhile import Meanwhile, find_page
from wikihost.child.plain import SAVING, SIGN_IN, plain_page
from wikihost.errors import QuotaExceeded, StorageFailed
from wikihost.merge import Clash, has_marks, merge
from wikihost.names import SUFFIX
from wikihost.repo import Repository, unified_diff
from wikihost.writer import Moved

NO_PAGE: Final = "none"  # the base of a page that did not exist
UNKNOWN: Final = "unknown"  # a base that is not in the repository any more

# A plain `git` may move the branch while the lock is held; each time it is decided anew.
_ATTEMPTS: Final = 5
_REVISION: Final = re.compile(r"[0-9a-f]{6,40}")
_OVERWRITES: Final = "Saving the draft overwrites these changes"
_MERGES: Final = "Saving the draft merges it with these changes"

logger = logging.getLogger("robot.worker")


def install(app: Any, storage: Any) -> None:
    """Make the editor send its base, and saves heed it; before the first request."""
    import otterwiki.wiki  # noqa: PLC0415  (importing it before the server would start a wiki)

    saver = _Saver(storage, app.view_functions[SAVING])
    show_editor = otterwiki.wiki.Page.editor

    def editor(page: Any, author: Any, handle_draft: str | None = None) -> Any:
        g.robot_base = saver.base_of(page, author, handle_draft)
        shown = show_editor(page, author, handle_draft)
        return shown.replace(_OVERWRITES, _MERGES) if isinstance(shown, str) else shown

    def note_head() -> None:
        # Before the page is read: a base older than the shown text asks once too often, a newer one would hide changes.
        if request.endpoint == "edit" or (request.endpoint == "view" and "edit" in request.values):
            g.robot_head = saver.head()

    app.before_request(note_head)
    otterwiki.wiki.Page.editor = editor
    app.view_functions[SAVING] = saver.save
    app.register_error_handler(InternalServerError, _unexpected)


def base_field() -> str:
    """The hidden field of the editor that is being shown, or nothing."""
    base = g.get("robot_base")
    return f'<input type="hidden" form="saveform" name="{BASE_FIELD}" value="{base}">' if base else ""


class _Saver:
    """Otter Wiki's `save` over a storage, with a base."""

    def __init__(self, storage: Any, stock_save: Any) -> None:
        self._storage = storage
        self._stock_save = stock_save

    def head(self) -> str | None:
        try:
            with self._storage.reading() as repository:
                return str(repository.head())
        except StorageFailed:
            return None

    def base_of(self, page: Any, author: Any, handle_draft: str | None) -> str:
        """What the text that the editor shows was made from: a draft has its own base."""
        draft = page.load_draft(author=author) if handle_draft == "edit" else None
        if draft is None:
            return g.get("robot_head") or UNKNOWN
        if not draft.revision:
            return NO_PAGE
        with self._storage.reading() as repository:
            return _commit_of(repository, draft.revision) or UNKNOWN

    def save(self, path: str) -> Any:
        """The view in the place of Otter Wiki's."""
        try:
            if BASE_FIELD not in request.form:
                return self._stock_save(path)
            return self._save_onto(path, _sent())
        except HTTPException as refusal:
            return plain_page(refusal.code or 500, f"Not saved: {refusal.name}", refusal.description or "")

    def _save_onto(self, path: str, sent: Again) -> Any:
        from otterwiki.auth import get_author, has_permission  # noqa: PLC0415  (as in `install`)
        from otterwiki.wiki import Page  # noqa: PLC0415

        if not has_permission("WRITE"):
            return sign_in_page(sent, request.path, SIGN_IN + "%2F")
        if sent.mark_length and has_marks(sent.draft, sent.mark_length):
            return marks_page(sent, request.path)
        author = get_author()
        page = Page(path)
        try:
            return self._save_page(page, author, sent)
        except QuotaExceeded as error:
            self._keep_draft(page, author, sent)
            return quota_page(sent, request.path, str(error))

    def _save_page(self, page: Any, author: Any, sent: Again) -> Any:
        from otterwiki.helper import toast  # noqa: PLC0415  (as in `install`)

        for _ in range(_ATTEMPTS):
            with self._storage.turn() as head, self._storage.reading() as repository:
                found = self._compare(repository, head, page.filename, sent)
                if isinstance(found, Question):
                    break
                text, note = found
                message = f"{sent.message or f'Changed {page.filename}'}\n\n{note}" if note else sent.message
                try:
                    answer = page.save(content=text, commit=message, author=author)
                except Moved:
                    continue
            if note:
                toast(note)
            return answer
        else:
            return plain_page(409, "Others keep changing this wiki", "Nothing was saved. Try again in a moment.")
        self._keep_draft(page, author, sent)
        return conflict_page(found, sent.message, _address_to_save(found.now.path))

    def _compare(self, repository: Repository, head: str, filename: str, sent: Again) -> Question | tuple[str, str]:
        """What to save at `head`, and a note of whose changes are merged with it; or what to ask."""
        path, typed = self._storage.canonical_filename(filename), sent.draft
        since = _commit_of(repository, sent.base)
        old = None if since is None else repository.blob_of(since, path)
        blob = repository.blob_of(head, path)
        is_known = since is not None or sent.base == NO_PAGE
        if (is_known and blob == old) or (blob is None and old is None):
            return typed, ""
        now = find_page(repository, head, path, since=since)
        return _decide(typed, path, head, _text_of(repository, old), _text_of(repository, now.blob), now)

    def _keep_draft(self, page: Any, author: Any, sent: Again) -> None:
        """Keep the text on the server too, for whoever closes the tab; best effort."""
        try:
            with self._storage.reading() as repository:
                since = _commit_of(repository, sent.base)
            path = self._storage.canonical_filename(page.filename)
            last = "" if since is None else self._storage.repo.git.log("-1", "--format=%H", since, "--", path)
            page.save_draft(author=author, content=sent.draft, revision=last[:6])
        except (SQLAlchemyError, GitError, OSError) as error:
            logger.warning("the text of a conflict is not kept as a draft: %s", error)


def _decide(
    typed: str, path: str, head: str, before: str | None, current: str | None, now: Meanwhile
) -> Question | tuple[str, str]:
    """Merge, or ask: what `typed` was made from is `before`, and the page is `current` (None: it does not exist)."""
    diff = unified_diff(path, (before or "").encode(), (current or "").encode())
    draft, mark_length = typed, 0
    if current is not None:
        merged = merge(before or "", typed, current)
        if isinstance(merged, Clash):
            draft, mark_length = merged.draft, merged.mark_length
        elif now.path == path:
            is_both = merged.text not in (typed, current)
            return merged.text, f"Merged with what {now.by or 'others'} saved meanwhile." if is_both else ""
        else:
            draft = merged.text
    return Question(path, now, typed, current, draft, mark_length, head, diff)


def _commit_of(repository: Repository, base: str) -> str | None:
    """The commit that a base names, of at least six digits as in Otter Wiki's drafts; None if there is none."""
    if _REVISION.fullmatch(base) is None:
        return None
    try:
        found = repository.git[base]
    except (KeyError, ValueError):
        return None
    return str(found.id) if isinstance(found, pygit2.Commit) else None


def _text_of(repository: Repository, blob: str | None) -> str | None:
    return None if blob is None else _as_saved(repository.read_blob(blob).decode("utf-8", "replace"))


def _as_saved(text: str) -> str:
    """A text as Otter Wiki saves what the editor sends."""
    return text.replace("\r\n", "\n").strip() + "\n"


def _sent() -> Again:
    """What the editor, or one of our pages, sent."""
    form = request.form
    return Again(
        draft=_as_saved(form.get("content", "")),
        message=form.get("commit", "").strip(),
        base=form[BASE_FIELD],
        mark_length=form.get(MARKS_FIELD, 0, int),
    )


def _address_to_save(path: str) -> str:
    return f"/{quote(path.removesuffix(SUFFIX))}/save"


def _unexpected(error: InternalServerError) -> Any:
    """Flask has logged it; what was typed is shown to whoever typed it."""
    if request.endpoint != SAVING:
        return show_failure(error)
    return plain_page(500, "Not saved", "The wiki made a mistake, which is in its log. Try again.")
