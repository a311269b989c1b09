"""A page that stands for another leads a reader there, in the browser too.

Only its plain view does: its history, its source, an old revision and the editor are its own, and `?redirect=no` shows
the page itself. What a page says is read from its file, so a redirect counts from the moment it is saved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from flask import redirect, request
from otterwiki.auth import has_permission
from otterwiki.gitstorage import StorageError

from wikihost.child.naming import existing_name
from wikihost.errors import InvalidPageName
from wikihost.markdown import MAX_FRONTMATTER_CHARACTERS, split_frontmatter
from wikihost.names import file_of, page_key, parse_page_name
from wikihost.redirects import follow, target_of

_OF_THE_PAGE_ITSELF: Final = ("edit", "revision")
_LONGEST_UTF8: Final = 4


def install(app: Any, storage: Any) -> None:
    """Lead readers on; before the first request, and after `naming`, which finds the page's own name."""

    def look_up(name: str) -> tuple[str, str | None] | None:
        path = existing_name(Path(storage.path), name)
        try:
            return path, _target(storage, file_of(parse_page_name(path)))
        except (StorageError, InvalidPageName):
            return None

    def lead_on() -> Any:
        if request.endpoint != "view" or request.method not in ("GET", "HEAD"):
            return None
        if request.args.get("redirect") == "no" or any(name in request.args for name in _OF_THE_PAGE_ITSELF):
            return None
        name = (request.view_args or {}).get("path", "Home").strip("/")
        if not has_permission("READ"):
            return None
        meant = follow(name, look_up)
        return None if page_key(meant) == page_key(name) else redirect(f"/{quote(meant)}")

    app.before_request(lead_on)


def _target(storage: Any, file: str) -> str | None:
    """The name that a page redirects to. Raises StorageError when there is no such file."""
    if storage.load(file, mode="rb", size=3) != b"---":
        return None
    data = storage.load(file, mode="rb", size=MAX_FRONTMATTER_CHARACTERS * _LONGEST_UTF8)
    if b"redirect" not in data:
        return None
    return target_of(split_frontmatter(data.decode("utf-8", "replace"))[0])
