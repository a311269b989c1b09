"""The headings of all pages of an index at once.

Otter Wiki has a table for them in `wiki.db`, which it reads and writes page by page, with a transaction and a sync for
each.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from otterwiki.gitstorage import StorageError
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from wikihost.child.rendering import headings_only

# Otter Wiki's own: number, HTML, level, text, anchor.
TableOfContents = Sequence[tuple[int, str, int, str, str]]

# SQLite's oldest bound on the variables of a statement is 999.
_ASKED_AT_ONCE: Final = 500

logger = logging.getLogger("robot.worker")


class TablesOfContents:
    """Those of the pages in `files`, at one branch head; found when the first is asked for."""

    def __init__(self, storage: Any, head: str, files: Sequence[str]) -> None:
        self._storage = storage
        self._head = head
        self._files = files
        self._found: Mapping[str, TableOfContents] | None = None

    def of(self, file: str) -> TableOfContents:
        """Raises OSError when a file is not there, as stock does."""
        if self._found is None:
            self._found = self._find()
        return self._found[file]

    def _find(self) -> dict[str, TableOfContents]:
        blob_of = self._storage.blobs(self._head)
        written = {file: self._written(file, is_regular=blob_of(file) is not None) for file in self._files}
        found = dict(self._known(written))
        fresh = {file: toc for file in self._files if file not in found and (toc := self._read(file)) is not None}
        if fresh:
            _keep({file: (toc, written[file]) for file, toc in fresh.items()})
        nothing: dict[str, TableOfContents] = dict.fromkeys(self._files, ())
        return nothing | found | fresh

    def _known(self, written: Mapping[str, datetime]) -> Iterator[tuple[str, TableOfContents]]:
        """Those that the table has, made since the page's file was written."""
        from otterwiki.models import Cache  # noqa: PLC0415  (importing it before the server would start a wiki)
        from otterwiki.server import db  # noqa: PLC0415

        files = {_key(file): file for file in written}
        for start in range(0, len(files), _ASKED_AT_ONCE):
            some = [*files][start : start + _ASKED_AT_ONCE]
            asked = select(Cache.key, Cache.value, Cache.datetime).where(Cache.key.in_(some))
            for key, value, made in db.session.execute(asked):
                if made >= written[files[key]]:
                    yield files[key], json.loads(value)["ftoc"]

    def _read(self, file: str) -> TableOfContents | None:
        """From the page's text; None where there is none to read."""
        from otterwiki.server import app_renderer  # noqa: PLC0415  (as in `_known`)

        try:
            text = self._storage.load(file)
        except StorageError:
            return None
        with headings_only():
            toc: TableOfContents = app_renderer.markdown(text)[1]
        return toc

    def _written(self, file: str, *, is_regular: bool) -> datetime:
        # A regular file of the head needs no look at where links lead, which costs a call for each folder.
        if is_regular:
            return datetime.fromtimestamp(os.path.getmtime(os.path.join(self._storage.path, file)), UTC)
        return self._storage.mtime(file).astimezone(UTC)  # type: ignore[no-any-return]


def _keep(made: Mapping[str, tuple[TableOfContents, datetime]]) -> None:
    """Write rows of the table in one transaction; a full disk keeps nobody from reading."""
    from otterwiki.models import Cache  # noqa: PLC0415  (as in `_known`)
    from otterwiki.server import db  # noqa: PLC0415

    rows = [
        {"key": _key(file), "value": json.dumps({"filename": file, "ftoc": toc}), "datetime": written}
        for file, (toc, written) in made.items()
    ]
    try:
        db.session.execute(insert(Cache).prefix_with("OR REPLACE"), rows)
        db.session.commit()
    except (SQLAlchemyError, OSError) as error:
        db.session.rollback()
        logger.warning("the headings of %d pages are not cached: %s", len(rows), error)


def _key(file: str) -> str:
    from otterwiki.helper import sha256sum  # noqa: PLC0415  (as in `_known`)

    key: str = sha256sum(f"ftoc://{file}")
    return key
