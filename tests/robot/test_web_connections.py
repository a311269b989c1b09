"""Agents that signed in, as the dashboard lists them and takes them back."""

from __future__ import annotations

import sqlite3
from html import unescape

import pytest
from quart import Response

from robot.access import grant_role
from robot.model import Connection, Role, User, Visibility
from robot.oauth.connections import find_connection, list_connections
from robot.wikis import find_wiki_by_slug
from tests.robot.oauth_client import CALLBACK, a_program
from tests.robot.small_host import ADDRESS, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
AGENTS = "/app/wiki/notes/agents"


async def words_of(answer: Response) -> str:
    return unescape(await text_of(answer))


async def connect(host: SmallHost, user: User, name: str, redirect_uri: str = CALLBACK, **typed: str) -> Connection:
    """Let an agent of that name into the wiki `notes`, with what `user` chose on the page that asks."""
    program = await a_program(host, "notes", name=name, redirect_uri=redirect_uri)
    await program.connect(await host.signed_in(user), **typed)
    wiki = find_wiki_by_slug(host.db, "notes")
    assert wiki is not None
    return next(found for found, _ in list_connections(host.db, wiki, user) if found.name == name)


async def change(host: SmallHost, connection: Connection, column: str, value: int) -> None:
    def update(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE connections SET {column} = ? WHERE id = ?", (value, connection.id))

    await host.db.write(update)


async def test_a_connection_is_listed_and_revoked_once_somebody_confirms(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    page = await words_of(await ada.get(PLATFORM, AGENTS))
    assert "No agent has signed in yet" in page
    made = await connect(host, host.ada, "<Claude>", access="read", folder="Städte/Zürich")
    page = await words_of(await ada.get(PLATFORM, AGENTS))
    for shown in ("<Claude>", "agent.example", "<code>Städte/Zürich/</code>", "just now", ">never<", ">working<"):
        assert shown in page, shown
    assert '<td data-label="May">read</td>' in page

    address = f"/app/wiki/notes/connections/{made.id}/revoke"
    assert address in page
    assert "Revoke “<Claude>”?" in await words_of(await ada.get(PLATFORM, address))
    assert find_connection(host.db, wiki, made.id) is not None
    done, _ = await ada.follow(await ada.post(PLATFORM, address), PLATFORM)
    assert "The connection is revoked" in await words_of(done)
    assert list_connections(host.db, wiki) == []
    for again in (await ada.get(PLATFORM, address), await ada.post(PLATFORM, address)):
        assert again.status_code == 404
        assert "There is no such connection" in await words_of(again)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (None, "working"),
        ("expires_at", "expired"),
        ("refused_at", "its last renewal was refused"),
        ("ended_at", "may mean that it was stolen"),
    ],
)
async def test_its_health_is_told_in_words(host: SmallHost, column: str | None, words: str) -> None:
    await host.make_wiki("notes")
    made = await connect(host, host.ada, "Cursor")
    if column is not None:
        await change(host, made, column, 1)
    page = await words_of(await (await host.signed_in(host.ada)).get(PLATFORM, AGENTS))
    assert words in page
    assert ('class="bad"' in page) is (column is not None)


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
    await host.make_wiki("notes")
    await connect(host, host.ada, "Claude", redirect)
    assert host_shown in await words_of(await (await host.signed_in(host.ada)).get(PLATFORM, AGENTS))


async def test_an_owner_sees_all_connections_and_others_their_own(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    adas, eves = [(await connect(host, user, f"of {user.name}")).id for user in (host.ada, host.eve)]
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    page = await words_of(await ada.get(PLATFORM, AGENTS))
    assert adas in page
    assert eves in page
    assert "of Eve" in page
    assert "2 signed in, 0 with a token" in await words_of(await ada.get(PLATFORM, "/app/wiki/notes"))
    page = await words_of(await eve.get(PLATFORM, AGENTS))
    assert eves in page
    assert adas not in page
    assert (await eve.post(PLATFORM, f"/app/wiki/notes/connections/{adas}/revoke")).status_code == 404
    assert (await ada.post(PLATFORM, f"/app/wiki/notes/connections/{eves}/revoke")).status_code == 303
    assert [found.id for found, _ in list_connections(host.db, wiki)] == [adas]


async def test_connections_of_another_wiki_are_not_there(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await host.make_wiki("other", owner=host.eve)
    made = await connect(host, host.ada, "Claude")
    eve = await host.signed_in(host.eve)
    for slug in ("notes", "other"):
        for method in ("GET", "POST"):
            answer = await eve.visit(method, PLATFORM, f"/app/wiki/{slug}/connections/{made.id}/revoke")
            assert answer.status_code == 404
    assert [found.id for found, _ in list_connections(host.db, wiki)] == [made.id]
