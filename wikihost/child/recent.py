"""The list of recently seen pages, kept by core instead of in Otter Wiki's session.

Stock writes it to the session cookie at each view, so that no view would be like another. Here an answer says which
page it shows, and the forms that offer the list get it with the request.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from flask import g, request

from wikihost.worker_protocol import PAGE_HEADER, RECENT_HEADER

_PAGECRUMBS = "pagecrumbs"


class _Recent:
    """What `otterwiki.helper` takes for its session: nothing but the list that came with the request."""

    def __contains__(self, key: str) -> bool:
        return key == _PAGECRUMBS

    def __getitem__(self, key: str) -> list[str]:
        if key != _PAGECRUMBS:
            raise KeyError(key)
        return [unquote(name) for name in request.headers.get(RECENT_HEADER, "").split()]


def install(app: Any) -> None:
    """Take the list out of the session; before the first request."""
    import otterwiki.helper  # noqa: PLC0415  (importing it before the server would start a wiki)
    import otterwiki.pageindex  # noqa: PLC0415
    import otterwiki.wiki  # noqa: PLC0415

    otterwiki.helper.session = _Recent()
    otterwiki.wiki.upsert_pagecrumbs = _note_page
    otterwiki.pageindex.upsert_pagecrumbs = _note_page
    app.after_request(_say_page)


def _note_page(name: str | None) -> None:
    """In the place of Otter Wiki's `upsert_pagecrumbs`, with its rule for the root."""
    if name and name != "/":
        g.robot_page = name


def _say_page(response: Any) -> Any:
    if "robot_page" in g:
        response.headers[PAGE_HEADER] = quote(g.robot_page, safe="/")
    return response
