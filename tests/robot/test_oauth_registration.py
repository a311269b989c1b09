"""Clients that register themselves: what they may say, what they are told, how many there can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart import Response

from robot.client_address import ClientNetworks
from robot.clock import Clock
from robot.fetch import Door as FetchDoor
from robot.fetch import Fetched
from robot.limits import RULES, Limited, Limits
from robot.model import Wiki
from robot.oauth.client_metadata import ClientMetadata, MetadataRefused, read_client_metadata
from robot.oauth.clients import AuthMethod, Client, ClientUnknown, matching_redirect
from robot.oauth.documents import ClientDocuments
from robot.oauth.finding import Clients
from robot.oauth.registration_page import registration_page
from robot.oauth.registrations import IDLE_REST_S, MAX_UNUSED, UNUSED_REST_S, Registrations
from robot.secret import hash_secret
from robot.web.limiting import limit_requests
from robot.web.platform import new_app
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost
from tests.robot.test_tokens import stored_bytes

CALLBACK = "https://client.example/cb"
REGISTRATIONS_PER_HOUR = RULES[Limited.REGISTRATION][0].per_hour
SAID: dict[str, Any] = {"client_name": "A client", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}


class Door:
    """The endpoint, asked from any network."""

    def __init__(self, host: SmallHost, clock: Clock, per_hour: int = REGISTRATIONS_PER_HOUR) -> None:
        self.registrations = Registrations(host.db, clock=clock)
        app = new_app("registration", ADDRESS)
        self.limits = Limits({Limited.REGISTRATION: per_hour}, clock=clock)
        limit_requests(app, self.limits, ClientNetworks(), host.sessions)
        app.register_blueprint(registration_page(self.registrations, clock=clock))
        self._client = app.test_client(use_cookies=False)

    async def register(
        self, said: Any = None, *, peer: str = "127.0.0.1", forwarded: str | None = None, body: bytes | None = None
    ) -> Response:
        sent: dict[str, Any] = {"data": body} if body is not None else {"json": SAID if said is None else said}
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        answer: Response = await self._client.post(
            "/oauth/register", headers=headers, scope_base={"client": (peer, 1)}, **sent
        )
        return answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def door(host: SmallHost, clock: FakeClock) -> Door:
    return Door(host, clock)


def count(host: SmallHost) -> int:
    row = host.db.one("SELECT count(*) FROM oauth_clients")
    assert row is not None
    return int(row[0])


async def test_a_public_client_registers(door: Door, clock: FakeClock) -> None:
    answer = await door.register({**SAID, "client_uri": "https://client.example/", "scope": "openid", "jwks": None})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    told = await answer.get_json()
    client_id = told.pop("client_id")
    assert told == {
        "client_id_issued_at": int(clock.now),
        "client_name": "A client",
        "client_uri": "https://client.example/",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "wiki:read wiki:write",
    }
    client = door.registrations.find(client_id)
    assert client is not None
    assert (client.name, client.secret_hash, client.is_document) == ("A client", None, False)
    assert matching_redirect(client, CALLBACK)
    assert not matching_redirect(client, CALLBACK + "/")


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic", None, ""])
async def test_the_secret_of_a_client_is_told_once_and_stored_as_a_digest(
    host: SmallHost, door: Door, method: str | None
) -> None:
    told = await (await door.register({**SAID, "token_endpoint_auth_method": method})).get_json()
    assert told["token_endpoint_auth_method"] == (method or "client_secret_basic")
    assert told["client_secret_expires_at"] == 0
    assert None not in told.values()
    client = door.registrations.find(told["client_id"])
    assert client is not None
    assert client.secret_hash == hash_secret(told["client_secret"])
    assert told["client_secret"].encode() not in stored_bytes(host.data.root)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "invalid_redirect_uri"),
        ([], "invalid_client_metadata"),
        ("x", "invalid_client_metadata"),
        (7, "invalid_client_metadata"),
        ({**SAID, "redirect_uris": []}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": None}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": CALLBACK}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": [CALLBACK, "javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": [CALLBACK, "http://evil"]}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": [CALLBACK, None]}, "invalid_redirect_uri"),
        ({**SAID, "redirect_uris": [f"{CALLBACK}{n}" for n in range(21)]}, "invalid_redirect_uri"),
        ({**SAID, "client_name": "x" * 101}, "invalid_client_metadata"),
        ({**SAID, "client_name": ["x"]}, "invalid_client_metadata"),
        ({**SAID, "client_uri": "https://client.example/" + "x" * 1_000}, "invalid_client_metadata"),
        ({**SAID, "token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({**SAID, "grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({**SAID, "grant_types": ["authorization_code"] * 21}, "invalid_client_metadata"),
        ({**SAID, "response_types": ["token"]}, "invalid_client_metadata"),
    ],
)
async def test_what_a_client_cannot_be(host: SmallHost, door: Door, said: Any, code: str) -> None:
    answer = await door.register(said)
    told = await answer.get_json()
    assert (answer.status_code, told["error"]) == (400, code)
    assert told["error_description"].endswith(".")
    assert count(host) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000, b"redirect_uris=x", b'{"a": NaN'])
async def test_a_body_that_is_no_json_is_refused_in_words(door: Door, body: bytes) -> None:
    answer = await door.register(body=body)
    assert (answer.status_code, (await answer.get_json())["error"]) == (400, "invalid_client_metadata")


async def test_a_large_body_is_refused_as_json(door: Door) -> None:
    answer = await door.register(body=b" " * 70_000)
    assert answer.status_code == 413
    assert (await answer.get_json())["error"] == "invalid_client_metadata"


@pytest.mark.parametrize(
    ("said", "shown"),
    [("  My \n tool ", "My tool"), ("Notes\u202egpj", "Notes gpj"), ("\u200b", "A program without a name")],
)
def test_a_name_is_one_visible_line(said: str, shown: str) -> None:
    assert read_client_metadata({**SAID, "client_name": said}, default_auth=AuthMethod.NONE).name == shown


@pytest.mark.parametrize(
    "uri", ["http://client.example", "javascript:alert(1)", "x", "https://a b", "https://[", 'https://a/"']
)
def test_an_address_that_cannot_be_linked_to_is_left_out(uri: str) -> None:
    assert read_client_metadata({**SAID, "client_uri": uri}, default_auth=AuthMethod.NONE).uri is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["redirect_uris", "client_name", "client_uri", "token_endpoint_auth_method", "grant_types", "response_types"]


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON | st.just([CALLBACK])))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_said_is_taken_in_bounds_or_refused_in_words(said: Mapping[str, Any]) -> None:
    outcome = described(said)
    if isinstance(outcome, MetadataRefused):
        assert outcome.code in ("invalid_redirect_uri", "invalid_client_metadata")
        assert str(outcome).endswith(".")
    else:
        assert 0 < len(outcome.redirect_uris) <= 20
        assert 0 < len(outcome.name) <= 100


async def test_one_network_may_register_so_many_clients_an_hour(door: Door, clock: FakeClock) -> None:
    for _ in range(REGISTRATIONS_PER_HOUR):
        assert (await door.register(peer="192.0.2.1")).status_code == 201
    refused = await door.register(peer="192.0.2.1")
    assert (refused.status_code, (await refused.get_json())["error"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "60"
    assert (await door.register(peer="192.0.2.2")).status_code == 201
    clock.now += 60
    assert (await door.register(peer="192.0.2.1")).status_code == 201
    assert (await door.register(peer="192.0.2.1")).status_code == 429


async def test_only_caddy_is_believed_about_whom_it_speaks_for(host: SmallHost, clock: FakeClock) -> None:
    door = Door(host, clock, per_hour=1)

    async def status(peer: str, forwarded: str | None) -> int:
        return (await door.register(peer=peer, forwarded=forwarded)).status_code

    assert await status("192.0.2.1", "198.51.100.1") == 201
    assert await status("192.0.2.1", "198.51.100.2") == 429, "a stranger names another address each time"
    assert await status("127.0.0.1", "203.0.113.1") == 201
    assert await status("127.0.0.1", "198.51.100.9, 203.0.113.1") == 429, "what the client itself sent comes first"
    assert await status("::1", "203.0.113.2") == 201
    assert await status("127.0.0.1", "2001:db8:1:2::1") == 201
    assert await status("127.0.0.1", "2001:db8:1:2:ffff::9") == 429, "one site has many addresses"
    assert await status("127.0.0.1", "2001:db8:1:ff::1") == 429, "and many networks"
    assert await status("127.0.0.1", "::ffff:203.0.113.1") == 429
    assert await status("127.0.0.1", "nonsense") == 201
    assert await status("127.0.0.1", None) == 429


async def test_ten_thousand_registrations(host: SmallHost, clock: FakeClock) -> None:
    """From as many networks as one likes: most are refused, and the rows are few."""
    door, taken = Door(host, clock, per_hour=5), 100
    networks = [f"10.{n >> 8}.{n & 255}.1" for n in range(10_000)]
    statuses = [(await door.register(forwarded=network)).status_code for network in networks[: taken + 1]]
    assert statuses == [201] * taken + [429]
    waits = [door.limits.take(Limited.REGISTRATION, network) for network in networks[taken + 1 :]]
    assert all(waits), "as the endpoint asks"
    refused = await door.register(forwarded="192.0.2.1")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "36")
    assert count(host) == taken


async def test_rows_of_clients_that_nobody_used_are_bounded(host: SmallHost, door: Door, clock: FakeClock) -> None:
    """However slowly they come; the oldest go first, and never one that somebody consented to."""
    used = await a_client(door)
    await door.registrations.note_use(used)
    clock.now += 1
    oldest = await a_client(door)

    def fill(connection: sqlite3.Connection) -> None:
        row = "INSERT INTO oauth_clients VALUES (?, 'x', NULL, '[]', 'none', NULL, ?, NULL)"
        connection.executemany(row, [(f"client_{n}", int(clock.now) + 1) for n in range(MAX_UNUSED - 1)])

    await host.db.write(fill)
    clock.now += 2
    assert count(host) == MAX_UNUSED + 1
    newest = await a_client(door)
    assert count(host) == MAX_UNUSED + 1
    assert door.registrations.find(oldest.id) is None
    assert door.registrations.find(used.id) == used
    assert door.registrations.find(newest.id) == newest


async def test_unused_clients_are_swept(host: SmallHost, door: Door, clock: FakeClock) -> None:
    wiki = await host.make_wiki("notes")
    unused, used, connected = [await a_client(door) for _ in range(3)]
    for client in (used, connected):
        await door.registrations.note_use(client)
    await connect(host, wiki, connected)
    assert await door.registrations.sweep() == 0
    clock.now += UNUSED_REST_S
    assert await door.registrations.sweep() == 1
    assert door.registrations.find(unused.id) is None
    await door.registrations.note_use(used)
    clock.now += IDLE_REST_S - 1
    assert await door.registrations.sweep() == 0
    clock.now += 1
    assert await door.registrations.sweep() == 1
    assert door.registrations.find(used.id) is None
    assert door.registrations.find(connected.id) == connected, "an agent that is connected is never forgotten"


async def test_sweeping_begins_when_the_host_starts(host: SmallHost, door: Door, clock: FakeClock) -> None:
    swept = trio.Event()

    class Watched(Registrations):
        async def sweep(self) -> int:
            count = await super().sweep()
            swept.set()
            return count

    unused = await a_client(door)
    clock.now += UNUSED_REST_S
    async with trio.open_nursery() as nursery:
        await nursery.start(Watched(host.db, clock=clock).run)
        with trio.fail_after(5):
            await swept.wait()
        nursery.cancel_scope.cancel()
    assert door.registrations.find(unused.id) is None


async def test_clients_are_found_by_id(host: SmallHost, door: Door) -> None:
    clients = Clients(door.registrations, ClientDocuments(NoDoor()))
    client = await a_client(door)
    assert await clients.find_client(client.id) == client
    for unknown in ("", "client_", client.id + "x", "https://", "http://client.example/x", "https://client.example"):
        with pytest.raises(ClientUnknown, match="Register again"):
            await clients.find_client(unknown)


def described(said: Mapping[str, Any]) -> ClientMetadata | MetadataRefused:
    try:
        return read_client_metadata(said, default_auth=AuthMethod.NONE)
    except MetadataRefused as refused:
        return refused


class NoDoor(FetchDoor):
    """Asks nobody."""

    async def get(self, url: str, **_: Any) -> Fetched:
        raise AssertionError(url)


async def a_client(door: Door) -> Client:
    client, _ = await door.registrations.add(read_client_metadata(SAID, default_auth=AuthMethod.NONE))
    return client


async def connect(host: SmallHost, wiki: Wiki, client: Client) -> None:
    def insert(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO connections (id, wiki_id, user_id, client_id, client_name, redirect_uri, scopes, created_at,"
            " expires_at) VALUES ('c1', ?, ?, ?, 'x', ?, 'read', 0, 9)",
            (wiki.id, host.ada.id, client.id, CALLBACK),
        )

    await host.db.write(insert)
