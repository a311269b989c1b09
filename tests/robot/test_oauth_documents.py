"""Clients whose id is the address of a document: the real fetch, against a real https server that misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trio

from robot.fetch import Door, Fetched
from robot.oauth import documents
from robot.oauth.clients import AuthMethod, ClientDocumentFailed, matching_redirect
from robot.oauth.documents import (
    FAILURE_KEPT_S,
    LEAST_KEPT_S,
    LONGEST_KEPT_S,
    USUALLY_KEPT_S,
    ClientDocuments,
    is_document_id,
    kept_for_s,
)
from tests.robot.small_host import FakeClock
from tests.robot.tls_server import HOST, OTHER, Server, reply, tls_server

JSON = "application/json"
PATH = "/oauth/client.json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with tls_server(tmp_path, lambda handler: reply(handler, 404)) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def a_document(server: Server, **changed: Any) -> dict[str, Any]:
    return {
        "client_id": server.url(PATH),
        "client_name": "A client",
        "client_uri": "https://client.example/",
        "redirect_uris": ["https://client.example/cb", "http://127.0.0.1/cb"],
        "token_endpoint_auth_method": "none",
        **changed,
    }


def serve(server: Server, document: Any, content_type: str = JSON, status: int = 200, **headers: str) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    server.answer = lambda handler: reply(handler, status, body, content_type, **headers)


async def refusal(clients: ClientDocuments, client_id: str) -> str:
    with pytest.raises(ClientDocumentFailed) as refused:
        await clients.find(client_id)
    assert str(refused.value).endswith(".")
    return str(refused.value)


async def test_a_client_with_a_document(server: Server) -> None:
    serve(
        server, a_document(server, logo_uri="https://client.example/logo", jwks=None), "application/json; charset=utf-8"
    )
    client = await ClientDocuments(server.door()).find(server.url(PATH))
    assert (client.id, client.name, client.uri) == (server.url(PATH), "A client", "https://client.example/")
    assert (client.auth_method, client.secret_hash, client.is_document) == (AuthMethod.NONE, None, True)
    assert matching_redirect(client, "http://127.0.0.1:51234/cb")
    assert not matching_redirect(client, "https://client.example/other")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"client_id": "https://wiki.example.org/oauth/client.json"}, "not the address"),
        ({"client_id": None}, "not the address"),
        ({"client_id": ["x"]}, "not the address"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "javascript"),
        ({"redirect_uris": ["http://evil"]}, "plain http"),
        ({"client_name": "x" * 101}, "client_name"),
        ({"client_secret": "s"}, "no secret"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "no secret"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_method"),
        ({"grant_types": ["client_credentials"]}, "authorization_code"),
    ],
)
async def test_documents_that_are_not_right(server: Server, changed: dict[str, Any], why: str) -> None:
    serve(server, a_document(server, **changed))
    assert why in await refusal(ClientDocuments(server.door()), server.url(PATH))


@pytest.mark.parametrize("body", [b"", b"<p>hello</p>", b"[]", b"7", b"\xff", b"[" * 60_000, b'"client_id"'])
async def test_what_is_no_json_object(server: Server, body: bytes) -> None:
    serve(server, body)
    assert "is not right" in await refusal(ClientDocuments(server.door()), server.url(PATH))


def redirecting(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 302, Location=PATH + "/elsewhere")


def ten_megabytes(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 200, b" " * 10_000_000, JSON)


def html(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 200, b"{}", "text/html")


def missing(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 404, b"{}", JSON)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (redirecting, "not followed"),
        (ten_megabytes, "more than 65,536 bytes"),
        (html, "another kind of document"),
        (missing, "status 404"),
    ],
)
async def test_servers_that_do_not_give_a_document(
    server: Server, answer: Callable[[BaseHTTPRequestHandler], None], why: str
) -> None:
    server.answer = answer
    assert why in await refusal(ClientDocuments(server.door()), server.url(PATH))
    assert server.seen == [PATH]


async def test_a_document_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DEADLINE_S", 0.5)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", JSON)
        handler.send_header("Content-Length", "60000")
        handler.end_headers()
        while not given_up.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    given_up = threading.Event()
    server.answer = drip
    with trio.fail_after(5):
        assert "within 0.5 seconds" in await refusal(ClientDocuments(server.door()), server.url(PATH))
    given_up.set()


async def test_a_private_address_is_not_asked(server: Server) -> None:
    inside = Door(resolve=server.door().resolve, ca_file=server.ca_file)
    assert "not on the public internet" in await refusal(ClientDocuments(inside), server.url(PATH))
    assert "not on the public internet" in await refusal(ClientDocuments(inside), "https://127.0.0.1/client")
    assert server.seen == []


async def test_a_name_that_changes_its_address_is_asked_where_it_was_judged(server: Server) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]  # nothing listens there

    serve(server, a_document(server))
    door = Door(resolve=rebinding, allows=server.door().allows, ca_file=server.ca_file)
    assert (await ClientDocuments(door).find(server.url(PATH))).is_document
    assert asked == [HOST]


async def test_what_was_found_is_kept_as_long_as_its_server_says(server: Server, clock: FakeClock) -> None:
    clients = ClientDocuments(server.door(), clock=clock)
    serve(server, a_document(server), Cache_Control="max-age=600")
    for _ in range(3):
        await clients.find(server.url(PATH))
    clock.now += 599
    await clients.find(server.url(PATH))
    assert len(server.seen) == 1
    serve(server, a_document(server, client_name="Renamed"))
    clock.now += 1
    assert (await clients.find(server.url(PATH))).name == "Renamed"
    assert len(server.seen) == 2


async def test_what_failed_is_not_asked_again_at_once(server: Server, clock: FakeClock) -> None:
    clients = ClientDocuments(server.door(), clock=clock)
    first = await refusal(clients, server.url(PATH))
    serve(server, a_document(server))
    assert await refusal(clients, server.url(PATH)) == first
    assert len(server.seen) == 1
    clock.now += FAILURE_KEPT_S
    assert (await clients.find(server.url(PATH))).name == "A client"


async def test_a_client_outlives_a_day_without_its_server(server: Server, clock: FakeClock) -> None:
    clients = ClientDocuments(server.door(), clock=clock)
    serve(server, a_document(server))
    client = await clients.find(server.url(PATH))
    server.answer = missing
    clock.now += USUALLY_KEPT_S
    assert await clients.find(server.url(PATH)) == client
    clock.now += LONGEST_KEPT_S
    assert "status 404" in await refusal(clients, server.url(PATH))


async def test_a_document_that_turns_wrong_counts_at_once(server: Server, clock: FakeClock) -> None:
    clients = ClientDocuments(server.door(), clock=clock)
    serve(server, a_document(server))
    await clients.find(server.url(PATH))
    serve(server, a_document(server, redirect_uris=["http://evil"]))
    clock.now += USUALLY_KEPT_S
    assert "is not right" in await refusal(clients, server.url(PATH))


async def test_twenty_who_ask_at_once_cost_one_request(server: Server) -> None:
    clients, found = ClientDocuments(server.door()), []
    serve(server, a_document(server))

    async def find() -> None:
        found.append(await clients.find(server.url(PATH)))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(find)
    assert len(set(found)) == 1
    assert len(found) == 20
    assert len(server.seen) == 1


async def test_a_host_is_not_asked_without_end(
    server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "FETCHES_PER_HOST_AND_HOUR", 3)
    monkeypatch.setattr(documents, "MAX_KEPT", 2)
    clients = ClientDocuments(server.door(), clock=clock)
    for n in range(3):
        assert "status 404" in await refusal(clients, server.url(f"/{n}"))
    assert "too often" in await refusal(clients, server.url("/3"))
    assert "status 404" in await refusal(clients, server.url("/0", OTHER))
    assert len(server.seen) == 4
    assert "too often" in await refusal(clients, server.url("/0")), "what was found first was forgotten first"


async def test_made_up_ids_drive_no_client_out(
    server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever uses up how often a host is asked would keep everybody from its real client."""
    monkeypatch.setattr(documents, "FETCHES_PER_HOST_AND_HOUR", 3)
    monkeypatch.setattr(documents, "MAX_KEPT", 2)
    clients = ClientDocuments(server.door(), clock=clock)
    serve(server, a_document(server))
    client = await clients.find(server.url(PATH))
    for n in range(5):
        await refusal(clients, server.url(f"/{n}"))
    assert await clients.find(server.url(PATH)) == client
    clock.now += USUALLY_KEPT_S / 2
    for n in range(5):
        await refusal(clients, server.url(f"/{n}"))
    clock.now += USUALLY_KEPT_S / 2
    assert await clients.find(server.url(PATH)) == client


@pytest.mark.parametrize(
    ("client_id", "is_one"),
    [
        ("https://client.example/oauth/client.json", True),
        ("https://client.example:8443/c?v=1", True),
        ("https://client.example/c/", True),
        ("https://client.example/", False),
        ("https://client.example", False),
        ("http://client.example/c", False),
        ("HTTPS://client.example/c", False),
        ("https://user@client.example/c", False),
        ("https://client.example/c#x", False),
        ("https://client.example/a/../c", False),
        ("https://client.example/./c", False),
        ("https://client.example/%2E%2e/c", False),
        ("https://client.example/c d", False),
        ("https:///c", False),
        ("https://[/c", False),
        ("https://client.example/" + "c" * 500, False),
        ("client_abcdefgh", False),
        ("", False),
    ],
)
def test_which_ids_are_addresses_of_documents(client_id: str, is_one: bool) -> None:
    assert is_document_id(client_id) is is_one


@pytest.mark.parametrize(
    ("cache_control", "kept_s"),
    [
        ("", USUALLY_KEPT_S),
        ("public, max-age=7200", 7200),
        ("max-age=0", LEAST_KEPT_S),
        ("max-age=-5", LEAST_KEPT_S),
        ("max-age=999999999", LONGEST_KEPT_S),
        ("max-age=x", USUALLY_KEPT_S),
        ("no-store", LEAST_KEPT_S),
        ("no-cache, max-age=7200", LEAST_KEPT_S),
        ("private", USUALLY_KEPT_S),
    ],
)
def test_for_how_long_a_document_is_taken_as_it_is(cache_control: str, kept_s: int) -> None:
    assert kept_for_s(Fetched("", JSON, b"", headers={"cache-control": cache_control})) == kept_s
