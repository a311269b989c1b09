"""What a rename in the browser does to redirects, by the rules of the other doors (`wikihost.moving`).

Otter Wiki moves a page together with all that is in the folder of its name, so there may be many pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wikihost.child.naming import page_name
from wikihost.moving import leads_to, redirect_left, redirects_left_for
from wikihost.names import file_of, name_of_file, page_key
from wikihost.plans import Snapshot
from wikihost.redirects import redirect_text

Changes = Mapping[str, bytes | None]


def install(storage: Any) -> None:
    """Let a page be renamed to where only a redirect to it is; before the first request."""
    import otterwiki.wiki  # noqa: PLC0415  (importing it before the server would start a wiki)
    from otterwiki.auth import has_permission  # noqa: PLC0415

    handle_rename = otterwiki.wiki.Page.handle_rename

    def handle(page: Any, new_pagename: str | None, *args: Any, **kwargs: Any) -> Any:
        new = page_name(new_pagename or "")
        if new and has_permission("WRITE") and page_key(new) != page_key(page.pagepath):
            storage.make_way(page.filename, file_of(new))
        return handle_rename(page, new_pagename, *args, **kwargs)

    otterwiki.wiki.Page.handle_rename = handle


def gives_way(snapshot: Snapshot, new: str, old: str) -> bool:
    """Whether there is a page in the file `new` that only stands for the page in the file `old`."""
    new_name, old_name = name_of_file(new), name_of_file(old)
    there = None if new_name is None or old_name is None else snapshot.find_page(new_name)
    return there is not None and old_name is not None and there.file == new and leads_to(there, old_name)


def with_redirects(snapshot: Snapshot, moved: Mapping[str, str], changes: Changes) -> dict[str, bytes | None]:
    """The changes of a rename with what it does to redirects; `moved` are new files by old ones."""
    arrived: Collection[str] = set(moved.values())
    complete = dict(changes)
    for old_file, new_file in moved.items():
        old, new = name_of_file(old_file), name_of_file(new_file)
        if old is None or new is None:
            continue
        left = redirect_left(old, new)
        if left is not None and complete.get(old_file) is None:
            complete[old_file] = left
        for row in redirects_left_for(snapshot, old):
            file = moved.get(row.file, row.file)
            if row.file in moved or file not in arrived:
                complete[file] = redirect_text(new).encode()
    return complete
