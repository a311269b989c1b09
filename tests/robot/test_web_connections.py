"""Agents that signed in, as the dashboard lists them and takes them back."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from quart import Response

from robot.access import grant_role
from robot.model import Role, User, Visibility, Wiki
from robot.oauth.connections import find_connection, list_connections
from tests.robot.small_host import ADDRESS, SmallHost

PLATFORM = ADDRESS.platform_origin
AGENTS = "/app/wiki/notes/agents"
NOW = datetime.now(UTC)


async def text_of(answer: Response) -> str:
    return unescape(str(await answer.get_data(as_text=True)))


async def connect(host: SmallHost, wiki: Wiki, user: User, name: str, **columns: object) -> str:
    """A connection as consent leaves it, with these columns set otherwise; returns its id."""
    values: dict[str, object] = {
        "id": f"c_{name.replace(' ', '')}",
        "wiki_id": wiki.id,
        "user_id": user.id,
        "client_id": f"client-{name}",
        "client_name": name,
        "redirect_uri": "https://claude.ai/api/mcp/auth_callback",
        "scopes": "read write",
        "created_at": int(NOW.timestamp()) - 7200,
        "expires_at": int((NOW + timedelta(days=30)).timestamp()),
        **columns,
    }

    def insert(connection: sqlite3.Connection) -> None:
        names = ", ".join(values)
        marks = ", ".join(f":{column}" for column in values)
        connection.execute(f"INSERT INTO connections ({names}) VALUES ({marks})", values)

    await host.db.write(insert)
    return str(values["id"])


async def test_a_connection_is_listed_and_revoked_once_somebody_confirms(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    page = await text_of(await ada.get(PLATFORM, AGENTS))
    assert "No agent has signed in yet" in page
    made = await connect(host, wiki, host.ada, "<Claude>", scopes="read", prefix="Städte/Zürich/")
    page = await text_of(await ada.get(PLATFORM, AGENTS))
    for shown in ("<Claude>", "claude.ai", "<code>Städte/Zürich/</code>", "2 hours ago", ">never<", ">working<"):
        assert shown in page, shown
    assert '<td data-label="May">read</td>' in page

    address = f"/app/wiki/notes/connections/{made}/revoke"
    assert address in page
    assert "Revoke “<Claude>”?" in await text_of(await ada.get(PLATFORM, address))
    assert find_connection(host.db, wiki, made) is not None
    done, _ = await ada.follow(await ada.post(PLATFORM, address), PLATFORM)
    assert "The connection is revoked" in await text_of(done)
    assert list_connections(host.db, wiki) == []
    for again in (await ada.get(PLATFORM, address), await ada.post(PLATFORM, address)):
        assert again.status_code == 404
        assert "There is no such connection" in await text_of(again)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "working"),
        ({"expires_at": 1}, "expired"),
        ({"refused_at": 1}, "its last renewal was refused"),
        ({"ended_at": 1, "ended_why": "refresh"}, "may mean that it was stolen"),
    ],
)
async def test_its_health_is_told_in_words(host: SmallHost, columns: dict[str, object], words: str) -> None:
    wiki = await host.make_wiki("notes")
    await connect(host, wiki, host.ada, "Cursor", **columns)
    page = await text_of(await (await host.signed_in(host.ada)).get(PLATFORM, AGENTS))
    assert words in page
    assert ('class="bad"' in page) is bool(columns)


@pytest.mark.parametrize(
    ("redirect", "host_shown"),
    [
        ("http://127.0.0.1:41234/callback", "a program on the person's computer"),
        ("http://[::1]/callback", "a program on the person's computer"),
        ("https://evil.test/@claude.ai", '<span class="below">evil.test</span>'),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "an app that opens cursor: links"),
    ],
)
async def test_where_consent_went_is_shown_whatever_it_calls_itself(
    host: SmallHost, redirect: str, host_shown: str
) -> None:
    wiki = await host.make_wiki("notes")
    await connect(host, wiki, host.ada, "Claude", redirect_uri=redirect)
    assert host_shown in await text_of(await (await host.signed_in(host.ada)).get(PLATFORM, AGENTS))


async def test_an_owner_sees_all_connections_and_others_their_own(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    adas, eves = [await connect(host, wiki, user, f"of {user.name}") for user in (host.ada, host.eve)]
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    page = await text_of(await ada.get(PLATFORM, AGENTS))
    assert adas in page
    assert eves in page
    assert "of Eve" in page
    assert "2 signed in, 0 with a token" in await text_of(await ada.get(PLATFORM, "/app/wiki/notes"))
    page = await text_of(await eve.get(PLATFORM, AGENTS))
    assert eves in page
    assert adas not in page
    assert (await eve.post(PLATFORM, f"/app/wiki/notes/connections/{adas}/revoke")).status_code == 404
    assert (await ada.post(PLATFORM, f"/app/wiki/notes/connections/{eves}/revoke")).status_code == 303
    assert [found.id for found, _ in list_connections(host.db, wiki)] == [adas]


async def test_connections_of_another_wiki_are_not_there(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await host.make_wiki("other", owner=host.eve)
    made = await connect(host, wiki, host.ada, "Claude")
    eve = await host.signed_in(host.eve)
    for slug in ("notes", "other"):
        for method in ("GET", "POST"):
            answer = await eve.visit(method, PLATFORM, f"/app/wiki/{slug}/connections/{made}/revoke")
            assert answer.status_code == 404
    assert [found.id for found, _ in list_connections(host.db, wiki)] == [made]
