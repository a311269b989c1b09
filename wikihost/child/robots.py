"""What `/robots.txt` tells crawlers of a public wiki (RFC 9309): its pages are theirs, its past is not.

Each page has an address for each of its versions, and each of those costs more than the page: a crawler that follows
them all never ends. Whether any may come at all is the owner's preference in Otter Wiki.
"""

from __future__ import annotations

from typing import Any, Final

from flask import url_for

ENDPOINT: Final = "robotstxt"

_NOT_PAGES: Final = ("/-/", "/api/", "/auth/", "/mcp")
_NOT_AS_IT_IS: Final = ("blame", "delete", "diff", "edit", "history", "rename", "source", "view")
_SECONDS_BETWEEN: Final = 1


def install(app: Any) -> None:
    """Tell more where crawlers are allowed; what is said where they are not stays Otter Wiki's."""
    shut = app.view_functions[ENDPOINT]

    def robots() -> Any:
        if app.config["ROBOTS_TXT"] != "allow":
            return shut()
        return rules(url_for("sitemap", _external=True)), {"Content-Type": "text/plain; charset=utf-8"}

    app.view_functions[ENDPOINT] = robots


def rules(sitemap: str) -> str:
    """For a wiki that lets crawlers in; `sitemap` is an address (pure)."""
    closed = [*_NOT_PAGES, *(f"/*/{view}" for view in _NOT_AS_IT_IS), "/*?revision="]
    lines = ["User-agent: *", "Allow: /", *(f"Disallow: {path}" for path in closed)]
    return "\n".join([*lines, f"Crawl-delay: {_SECONDS_BETWEEN}", "", f"Sitemap: {sitemap}", ""])
