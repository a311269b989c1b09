"""A page whose frontmatter says `redirect: Other page` stands for that page: a rename leaves one at the old name.

A redirect is followed to a page that exists, over a few others at most. One that leads nowhere, round in a circle, or
too far is a page like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from wikihost.errors import InvalidPageName
from wikihost.names import page_key, parse_page_name

MAX_HOPS = 8
NO_LINK_HOLDS = frozenset("|#[]")  # in a name, they would be read as syntax


def target_of(frontmatter: Mapping[str, Any] | None) -> str | None:
    """The page name that a frontmatter redirects to; None when it says nothing, or what no page can be called."""
    told = (frontmatter or {}).get("redirect")
    if not isinstance(told, str):
        return None
    try:
        return parse_page_name(told.strip().lstrip("/"))
    except InvalidPageName:
        return None


def redirect_text(target: str) -> str:
    """The page that stays at an old name: plain Markdown for readers, frontmatter for programs."""
    link = f"[[{target}]]" if NO_LINK_HOLDS.isdisjoint(target) else f"`{target}`"
    return f"---\nredirect: {json.dumps(target, ensure_ascii=False)}\n---\n\nThis page is now {link}.\n"


def follow(name: str, look_up: Callable[[str], tuple[str, str | None] | None]) -> str:
    """The name of the page that the page `name` stands for, which may be itself.

    `look_up` gives a page's own name and the name that it redirects to, or None where there is no such page.
    """
    found, page, seen = look_up(name), name, set[str]()
    while found is not None:
        page, target = found
        if page_key(page) in seen or len(seen) > MAX_HOPS:
            return name
        seen.add(page_key(page))
        found = None if target is None else look_up(target)
    return page
