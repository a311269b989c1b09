"""Otter Wiki under threads: what it shares between requests is made safe here.

Stock Otter Wiki is run by one thread per process, or with luck. Its renderer collects the table of contents in
itself, and its embeddings remember the page being rendered.
"""

from __future__ import annotations

import threading
from typing import Any


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
