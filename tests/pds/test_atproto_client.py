"""robot's client at a real PDS, for what a fake one cannot tell: what real ones understand, and insist on."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from joserfc import jwt
from quart import request

from robot.address import PublicAddress
from robot.secret import new_secret
from robot.signin.atproto.callback import read_code
from robot.signin.atproto.client_document import JWKS_PATH, METADATA_PATH, client_metadata
from robot.signin.atproto.client_keys import PUBLISHED_AHEAD_S, ClientKeys
from robot.signin.atproto.conversation import Conversation
from robot.signin.atproto.pending import of_memory
from robot.signin.atproto.provider import AtprotoProvider, atproto_provider
from robot.signin.providers import Departure, Identity, SignInFailed
from robot.web.platform import new_app
from robot.web.signin_documents import signin_documents
from tests.pds.internet import PDS, PLATFORM, Account, Internet
from tests.pds.visitor import Visitor, visiting

pytestmark = pytest.mark.pds

SERVER = f"https://{PDS}"


@dataclass
class Client:
    """One host, at an address of its own: the PDS keeps for ten minutes what it read there."""

    internet: Internet
    visitor: Visitor
    keys: ClientKeys
    keys_folder: Path
    provider: AtprotoProvider
    fetched: list[str]

    async def begin(self, typed: str) -> Departure:
        return await self.provider.begin(typed, state=new_secret())

    async def approve(self, departure: Departure, account: Account) -> dict[str, str]:
        return query_of(await self.visitor.approve(departure.address, account))

    async def sign_in(self, typed: str, account: Account) -> Identity:
        departure = await self.begin(typed)
        return await self.provider.finish(await self.approve(departure, account), departure.memory)


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query, strict_parsing=True))


@asynccontextmanager
async def client_of(internet: Internet, folder: Path, **metadata: Any) -> AsyncIterator[Client]:
    """A client that serves its documents; `metadata` replaces members of the one about itself."""
    address = PublicAddress("https", f"c{secrets.token_hex(6)}.{PLATFORM}", 443)
    keys = ClientKeys(folder / "keys")
    fetched: list[str] = []
    app = new_app("robot.client", address)
    app.register_blueprint(signin_documents(address=address, keys=keys))

    @app.before_request
    async def note() -> None:
        fetched.append(request.path)

    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    changed = {**client_metadata(address), **metadata}
    with patch("robot.web.signin_documents.client_metadata", lambda _: changed):
        async with trio.open_nursery() as nursery, visiting(internet) as visitor:
            bound: list[str] = await nursery.start(partial(serve, app, config))
            with internet.serving(urlsplit(bound[0]).port or 0, address.domain):
                provider = atproto_provider(internet.door, internet.identities, keys, address)
                yield Client(internet, visitor, keys, folder / "keys" / "atproto.json", provider, fetched)
            nursery.cancel_scope.cancel()


async def test_by_handle_by_did_and_by_the_address_of_the_server(internet: Internet, tmp_path: Path) -> None:
    alice = internet.alice
    async with client_of(internet, tmp_path) as client:
        for typed in (alice.handle, alice.did, SERVER):
            found = await client.sign_in(typed, alice)
            assert found == Identity("atproto", alice.did, alice.handle, alice.handle)
        assert sorted(client.fetched) == sorted([METADATA_PATH, JWKS_PATH]), "the PDS keeps both"


async def test_somebody_says_no(internet: Internet, tmp_path: Path) -> None:
    async with client_of(internet, tmp_path) as client:
        departure = await client.begin(internet.alice.handle)
        query = query_of(await client.visitor.deny(departure.address))
        with pytest.raises(SignInFailed) as failed:
            await client.provider.finish(query, departure.memory)
        assert failed.value.code == "denied"


async def test_somebody_else_comes_back(internet: Internet, tmp_path: Path) -> None:
    """The PDS lets another account sign in than it was asked for."""
    async with client_of(internet, tmp_path) as client:
        with pytest.raises(SignInFailed) as failed:
            await client.sign_in(internet.alice.handle, internet.bob)
        assert failed.value.code == "mismatch"


async def test_a_code_works_once(internet: Internet, tmp_path: Path) -> None:
    async with client_of(internet, tmp_path) as client:
        departure = await client.begin(internet.alice.handle)
        query = await client.approve(departure, internet.alice)
        await client.provider.finish(query, departure.memory)
        with pytest.raises(SignInFailed) as failed:
            await client.provider.finish(query, departure.memory)
        assert failed.value.code == "expired"


@pytest.mark.parametrize("grants", [["authorization_code"], ["authorization_code", "refresh_token"]])
async def test_nothing_lives_on(grants: list[str], internet: Internet, tmp_path: Path) -> None:
    """The PDS gives what a client says that it uses; all of it opens nothing any more after the sign-in."""
    async with client_of(internet, tmp_path, grant_types=grants) as client:
        departure = await client.begin(internet.alice.did)
        query = await client.approve(departure, internet.alice)
        pending = of_memory(departure.memory)
        server = await client.provider.discovery.server(pending.issuer)
        async with client.provider.client.redeemed(server, pending, read_code(query, pending.issuer)) as answer:
            assert ("refresh_token" in answer) is ("refresh_token" in grants)
            session = await get_session(client, departure, answer)
            assert (session.status_code, session.json()["did"]) == (200, internet.alice.did)
            assert "email" not in session.json()
        assert (await get_session(client, departure, answer)).status_code == 401
        if "refresh_token" in answer:
            conversation = Conversation(
                client.internet.door, client.provider.client.client_id, client.keys.load().keys[0], SERVER,
                pending.dpop_key,
            )  # fmt: skip
            form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
            with pytest.raises(SignInFailed) as failed:
                await conversation.ask(server.token_endpoint, form)
            assert failed.value.code == "expired"


async def test_an_account_that_its_person_switched_off(internet: Internet, tmp_path: Path) -> None:
    frank = await trio.to_thread.run_sync(internet.create_account, "frank.test")
    async with client_of(internet, tmp_path) as client:
        assert (await client.sign_in(frank.did, frank)).subject == frank.did
        switch_off = partial(
            internet.xrpc, "com.atproto.server.deactivateAccount", frank, deleteAfter="2100-01-01T00:00:00Z"
        )
        await trio.to_thread.run_sync(switch_off)
        for typed in (frank.handle, frank.did):
            with pytest.raises(SignInFailed) as failed:
                await client.sign_in(typed, frank)
            assert failed.value.code in ("not_found", "denied")


async def test_sign_ins_go_on_while_keys_rotate(internet: Internet, tmp_path: Path) -> None:
    """The PDS keeps the keys that it saw first, and wants at the end the key of the beginning."""
    alice = internet.alice
    async with client_of(internet, tmp_path) as client:
        old = client.keys.load().keys[0].id
        new = client.keys.rotate().keys[-1].id
        assert await client.sign_in(alice.handle, alice)
        departure = await client.begin(alice.handle)
        assert departure.memory["client_key"] == old
        let_time_pass(client, PUBLISHED_AHEAD_S)
        assert (await client.begin(alice.handle)).memory["client_key"] == new
        assert await client.sign_in(alice.handle, alice)
        assert await client.provider.finish(await client.approve(departure, alice), departure.memory)
        assert client.fetched.count(JWKS_PATH) == 1, "the PDS knew the new key before it signed"


async def test_a_key_that_was_stolen_opens_nothing_once_the_server_has_asked(
    internet: Internet, tmp_path: Path
) -> None:
    async with client_of(internet, tmp_path) as client:
        client.keys.load()
        await client.begin(internet.alice.handle)
        client.keys.replace()
        with pytest.raises(SignInFailed) as failed:  # it still keeps the old one, for ten minutes
            await client.begin(internet.alice.handle)
        assert failed.value.code == "refused"


def let_time_pass(client: Client, seconds: int) -> None:
    """As if the keys had been made so long ago."""
    said = json.loads(client.keys_folder.read_text())
    for key in said["keys"]:
        key["signs_from"] -= seconds
    client.keys_folder.write_text(json.dumps(said))


async def get_session(client: Client, departure: Departure, answer: Mapping[str, Any]) -> httpx2.Response:
    """Ask the PDS whose session an access token is, as RFC 9449, section 7 says."""
    url = f"{SERVER}/xrpc/com.atproto.server.getSession"
    key, access = of_memory(departure.memory).dpop_key, answer["access_token"]
    nonce: dict[str, str] = {}
    digest = base64.urlsafe_b64encode(hashlib.sha256(access.encode()).digest()).rstrip(b"=").decode()
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    for _ in range(2):
        claims = {"jti": new_secret(), "htm": "GET", "htu": url, "iat": int(time.time()), "ath": digest, **nonce}
        proof = jwt.encode(header, claims, key)
        found = await client.visitor.http.get(url, headers={"Authorization": f"DPoP {access}", "DPoP": proof})
        if "use_dpop_nonce" not in found.headers.get("www-authenticate", ""):
            break
        nonce = {"nonce": found.headers["dpop-nonce"]}
    return found
