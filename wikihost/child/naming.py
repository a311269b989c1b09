"""One naming rule in the browser too: `/On_Call` reaches `On Call.md`.

Otter Wiki takes a page's address for its file name. When there is no such file, but one with the same page key, that
one is meant.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import redirect, request

from wikihost.names import SUFFIX, page_key

# The views' names for the argument that holds a page's address.
_PAGE_ARGUMENTS = ("path", "pagepath")


def install(app: Any, storage: Any) -> None:
    """Put the existing page's name in the place of another spelling; before the first request."""

    def use_existing_name() -> Any:
        arguments = request.view_args or {}
        argument = next((name for name in _PAGE_ARGUMENTS if name in arguments), None)
        if argument is None:
            return None
        asked = arguments[argument].strip("/")
        existing = existing_name(Path(storage.path), asked)
        if existing == asked:
            return None
        if request.endpoint == "view" and request.method in ("GET", "HEAD"):
            query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
            return redirect(f"/{quote(existing)}{query}")
        arguments[argument] = existing
        return None

    app.before_request(use_existing_name)


def existing_name(repo: Path, asked: str) -> str:
    """The name of the page or folder that `asked` spells, as far as it exists; the rest as it is."""
    folder, found = repo, []
    parts = asked.split("/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        name = _existing_part(folder, part, last=last)
        found.append(part if name is None else name)
        if name is None:
            found += parts[index + 1 :]
            break
        folder /= name
    return "/".join(found)


def _existing_part(folder: Path, part: str, *, last: bool) -> str | None:
    """The spelling of one part that exists in the folder: as asked where it does, else the first in order."""
    if part in ("", ".", "..") or part.startswith(".git"):
        return None
    wanted = [part + SUFFIX, part] if last else [part]
    if any(os.path.lexists(folder / name) for name in wanted):
        return part
    key = page_key(unicodedata.normalize("NFC", part))
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    pages = [name.removesuffix(SUFFIX) for name in names if last and name.endswith(SUFFIX)]
    folders = [name for name in names if not name.endswith(SUFFIX)]
    return next((name for name in [*pages, *folders] if page_key(name) == key), None)
