"""Names that people and programs choose are text on every page of the platform, whatever they hold."""

from __future__ import annotations

import sqlite3

import bs4  # type: ignore[import-untyped]

from robot.accounts import create_user
from robot.hosting import create_hosted_wiki
from robot.model import Scope, Visibility
from robot.tokens import create_token
from robot.web.errors import render_error, render_kept_save, render_notice, render_waking
from tests.robot.small_host import ADDRESS, Browser, SmallHost
from wikihost.quota import Quota

HOSTILE = "\"'></title></textarea><script>h()</script><img src=x onerror=h()>{{7*7}}"
ADDRESSES = ("href", "src", "action", "formaction")
OWN_SCRIPT = "/static/robot.js?v="
MARK = "{{7*7}}"
SHOW_NAMES = {"/", "/auth/logout", "/app/", "/app/create", "/app/search"}
SHOW_NAMES |= {f"/app/wiki/notes{tab}" for tab in ("", "/agents", "/activity", "/import", "/export", "/settings")}


def assert_harmless(page: str, where: str) -> None:
    """No element, attribute or address of the page was made by a name, and no template read it."""
    read = bs4.BeautifulSoup(page, "html.parser")
    for element in read.find_all():
        assert not [name for name in element.attrs if name.startswith("on")], (where, element)
        assert element.get("src") != "x", (where, element)
        if element.name == "script":
            assert element.get("src", "").startswith(OWN_SCRIPT), (where, element)
            assert not element.string, (where, element)
        for name in ADDRESSES:
            assert not str(element.get(name, "")).lower().lstrip().startswith(("javascript:", "data:")), (
                where,
                element,
            )


async def test_on_every_page_that_shows_them(host: SmallHost) -> None:
    mallory = await create_user(host.db, "mallory", "Mallory")
    wiki = await create_hosted_wiki(
        host.db,
        host.data,
        mallory,
        slug="notes",
        name=HOSTILE,
        description=HOSTILE,
        visibility=Visibility.PUBLIC,
        domain=ADDRESS.domain,
        quota=Quota(),
    )
    await create_token(host.db, mallory, wiki, HOSTILE[-60:], [Scope.READ, Scope.WRITE])
    await host.db.write(lambda connection: _name(connection, wiki.id, mallory.id))
    inside, outside = await host.signed_in(mallory), Browser(host)
    shown_at = set()
    for rule in host.platform.url_map.iter_rules():
        path = rule.rule.replace("<slug>", "notes")
        if "GET" not in (rule.methods or ()) or "<" in path:
            continue
        for browser in (inside, outside):
            answer = await browser.get(ADDRESS.platform_origin, path)
            if "html" not in (answer.content_type or ""):
                continue
            page = await answer.get_data(as_text=True)
            assert_harmless(page, path)
            shown_at |= {path} if MARK in page else set()
    # Where a name is known to stand, so that none of this is about pages that show none.
    assert shown_at >= {
        "/",
        "/app/",
        "/app/create",
        "/app/wiki/notes",
        "/app/wiki/notes/agents",
        "/app/wiki/notes/settings",
    }


def _name(connection: sqlite3.Connection, wiki_id: str, user_id: str) -> None:
    """What the doors would not let in, and what a program says of itself."""
    connection.execute("UPDATE users SET display_name = ? WHERE id = ?", (HOSTILE, user_id))
    connection.execute(
        "INSERT INTO connections (id, wiki_id, user_id, client_id, client_name, redirect_uri, scopes, created_at,"
        " expires_at) VALUES ('c_1', ?, ?, 'client', ?, 'http://127.0.0.1:1/', 'read', 1, 1099511627776)",
        (wiki_id, user_id, HOSTILE),
    )


def test_on_pages_that_need_no_framework() -> None:
    for page in (
        render_error(404, HOSTILE, HOSTILE, HOSTILE),
        render_waking(HOSTILE, 1),
        render_notice(HOSTILE, HOSTILE, [(HOSTILE, "/")]),
        render_kept_save("/Home/save", {"content": HOSTILE, "commit": HOSTILE}),
    ):
        assert MARK.encode() in page
        assert_harmless(page.decode(), "a page of its own")
