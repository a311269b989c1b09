"""One naming rule in the browser too.

Otter Wiki takes some characters out of an address before it looks for the file, and takes `Foo/history` for a view of
`Foo` even where it is a page. Here an address is the page's name, as at every other door: `/Why?`, `/v1.2` and an
existing `/Foo/history` are those pages, and `/On_Call` reaches `On Call.md`.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import redirect, request

from wikihost.names import SUFFIX, file_of, page_key, parse_page_name

# The views' names for the argument that holds a page's address.
_PAGE_ARGUMENTS = ("path", "pagepath")
_READING = ("GET", "HEAD")


def page_name(value: Any, *, handle_md: bool = False, **_: Any) -> str:
    """In the place of Otter Wiki's `sanitize_pagename`: the name, letter by letter; the empty one is the wiki's root.

    Otter Wiki says `handle_md` for an address; else the name was typed into a form, and spaces around it mean nothing.
    Raises `InvalidPageName`.
    """
    name = (str(value) if handle_md else str(value).strip()).strip("/")
    return parse_page_name(name) if name else ""


def install(app: Any, storage: Any) -> None:
    """Make every address the name of a page; before the first request."""
    import otterwiki.views  # noqa: PLC0415  (importing it before the server would start a wiki)
    import otterwiki.wiki  # noqa: PLC0415

    for module in (otterwiki.util, otterwiki.views, otterwiki.wiki):
        module.sanitize_pagename = page_name
    view_rule = next(rule for rule in app.url_map.iter_rules("view") if "path" in rule.arguments)

    def prefer_existing_page() -> None:
        """A page is shown at its own address, also where that reads like a view of another page.

        Only for reading: a form that is sent to `Foo/save` is meant for `Foo`, whatever pages there are.
        """
        name = request.path.strip("/")
        is_view_of_a_page = any(argument in (request.view_args or {}) for argument in _PAGE_ARGUMENTS)
        if not is_view_of_a_page or request.endpoint == "view" or request.method not in _READING:
            return
        if storage.exists(file_of(name)):
            request.url_rule, request.view_args = view_rule, {"path": name}

    def use_existing_name() -> Any:
        arguments = request.view_args or {}
        argument = next((name for name in _PAGE_ARGUMENTS if name in arguments), None)
        if argument is None:
            return None
        asked = arguments[argument].strip("/")
        existing = existing_name(Path(storage.path), asked)
        if existing == asked:
            return None
        if request.endpoint == "view" and request.method in _READING:
            query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
            return redirect(f"/{quote(existing)}{query}")
        arguments[argument] = existing
        return None

    app.before_request(prefer_existing_page)
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
