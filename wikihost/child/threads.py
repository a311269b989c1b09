"""Otter Wiki under threads: what it shares between requests is made safe here.

Stock Otter Wiki is run by one thread per process, or with luck. Its renderer collects the table of contents in
itself, its embeddings remember the page being rendered, and two first views of a page insert the same cache row.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger("robot.worker")


def lock_renderer(renderer: Any) -> None:
    """Let one thread render at a time; the interpreter would not run two at once anyway."""
    lock = threading.RLock()
    markdown = renderer.markdown

    def locked_markdown(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return markdown(*args, **kwargs)

    renderer.markdown = locked_markdown


class PerThread:
    """An attribute (descriptor) with a value of its own in each thread; None before the first assignment."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._values().get(id(instance))

    def __set__(self, instance: object, value: Any) -> None:
        self._values()[id(instance)] = value

    def _values(self) -> dict[int, Any]:
        values: dict[int, Any] | None = getattr(self._of_thread, "values", None)
        if values is None:
            values = self._of_thread.values = {}
        return values


def separate_embeddings(plugins: Any) -> None:
    """Give each thread its own "page being rendered" in every plugin that remembers one."""
    for kind in {type(plugin) for plugin in plugins}:
        if hasattr(kind, "page_render_context"):
            kind.page = PerThread()
            kind.preview = PerThread()


def guard_headings_cache(server: Any, helper: Any, wiki: Any) -> None:
    """Write a page's headings to Otter Wiki's cache by one thread at a time, only when they are new, and never fail.

    Stock writes them at every view: a page could not be read on a full disk, nor twice at once.
    """
    lock = threading.Lock()
    write, table, session = helper.update_ftoc_cache, helper.Cache, server.db.session

    def is_known(filename: str, ftoc: Any, mtime: Any) -> bool:
        key, changed = helper.sha256sum(f"ftoc://{filename}"), mtime or server.storage.mtime(filename)
        row = table.query.filter(table.key == key, table.datetime >= changed).first()
        return row is not None and row.value == json.dumps({"filename": filename, "ftoc": ftoc})

    def update_ftoc_cache(filename: str, ftoc: Any, mtime: Any = None) -> None:
        with lock:
            try:
                if not is_known(filename, ftoc, mtime):
                    write(filename, ftoc, mtime)
            except (SQLAlchemyError, OSError) as error:
                session.rollback()
                logger.warning("the headings of %s are not cached: %s", filename, error)

    helper.update_ftoc_cache = update_ftoc_cache
    wiki.update_ftoc_cache = update_ftoc_cache
