"""Signing in with Bluesky by the pages of a host: from the form to its server, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey

from robot.signin.admission import Admission
from robot.signin.atproto.client_document import JWKS_PATH, METADATA_PATH
from robot.signin.identities import find_user, link_identity
from robot.signin.providers import Identity
from robot.web.all_pages import PersonSignIn
from tests.robot.atproto_stage import Stage, stage
from tests.robot.fake_atproto import ALICE, HANDLE, SERVER
from tests.robot.small_host import ADDRESS, Browser, SmallHost, small_host, text_of

PLATFORM = ADDRESS.platform_origin


@pytest.fixture
def servers(tmp_path: Path) -> Stage:
    return stage(tmp_path, address=ADDRESS)


@pytest.fixture
async def host(tmp_path: Path, servers: Stage) -> AsyncIterator[SmallHost]:
    people = PersonSignIn((servers.provider,), Admission("open"), servers.keys)
    async with small_host(tmp_path, people=people) as made:
        yield made


async def test_what_servers_read_about_us(host: SmallHost) -> None:
    nobody = Browser(host)
    metadata = await nobody.get(PLATFORM, METADATA_PATH)
    jwks = await nobody.get(PLATFORM, JWKS_PATH)
    for answer in (metadata, jwks):
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert "Set-Cookie" not in answer.headers
    said = json.loads(await text_of(metadata))
    assert said["client_id"] == PLATFORM + METADATA_PATH
    assert said["jwks_uri"] == PLATFORM + JWKS_PATH
    assert said["redirect_uris"] == [f"{PLATFORM}/auth/callback"]
    assert (said["scope"], said["grant_types"]) == ("atproto", ["authorization_code"])
    (key,) = json.loads(await text_of(jwks))["keys"]
    assert not ECKey.import_key(key).is_private


async def test_a_host_without_bluesky_is_no_client(tmp_path: Path) -> None:
    async with small_host(tmp_path) as host:
        for path in (METADATA_PATH, JWKS_PATH):
            assert (await Browser(host).get(PLATFORM, path)).status_code == 404
        assert not (host.data.keys / "atproto.json").exists()


async def depart(browser: Browser, typed: str = HANDLE) -> str:
    """Fill the form in; the address of the server that the page leads to."""
    answer = await browser.post(PLATFORM, "/auth/begin", form={"provider": "atproto", "handle": typed})
    assert answer.status_code == 303, await text_of(answer)
    page, _ = await browser.follow(answer, PLATFORM)
    return (await text_of(page)).partition("url=")[2].partition('"')[0].replace("&amp;", "&")


async def test_from_the_form_to_an_account_and_again(host: SmallHost, servers: Stage) -> None:
    browser = Browser(host)
    query = servers.servers.approve(await depart(browser))
    back = f"/auth/callback?{urlencode(query)}"
    assert (await browser.get(PLATFORM, back)).headers["Location"] == "/auth/sign-up"
    assert (await browser.get(PLATFORM, back)).status_code == 400, "a state works once"
    await link_identity(host.db, host.ada, Identity("atproto", ALICE, HANDLE, ""))
    again = servers.servers.approve(await depart(browser, f"@{HANDLE}"))
    answer = await browser.get(PLATFORM, f"/auth/callback?{urlencode(again)}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/")
    assert find_user(host.db, "atproto", ALICE) == host.ada


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://evil.fake.dev"}, {"iss": ""}, {"state": "x" * 43}, {"code": "wrong"}, {"error": "access_denied"}],
)
async def test_who_comes_back_otherwise_is_not_signed_in(
    change: dict[str, str], host: SmallHost, servers: Stage
) -> None:
    await link_identity(host.db, host.ada, Identity("atproto", ALICE, HANDLE, ""))
    browser = Browser(host)
    query = {**servers.servers.approve(await depart(browser)), **change}
    answer = await browser.get(PLATFORM, f"/auth/callback?{urlencode(query)}")
    assert answer.status_code in (400, 502)
    assert (await browser.get(PLATFORM, "/app/")).status_code == 303


async def test_a_parameter_that_comes_twice_counts_for_nothing(host: SmallHost, servers: Stage) -> None:
    browser = Browser(host)
    query = servers.servers.approve(await depart(browser))
    answer = await browser.get(PLATFORM, f"/auth/callback?{urlencode(query)}&iss={SERVER}")
    assert answer.status_code == 502


async def test_people_who_are_signed_in_stay_so_while_the_directory_is_down(host: SmallHost, servers: Stage) -> None:
    browser = await host.signed_in(host.ada)
    servers.servers.bend.add(f"down:/{ALICE}")
    refused = await Browser(host).post(PLATFORM, "/auth/begin", form={"provider": "atproto", "handle": HANDLE})
    assert refused.status_code == 502
    assert HANDLE in await text_of(refused), "what was typed is still there"
    assert (await browser.get(PLATFORM, "/app/")).status_code == 200


async def test_nothing_that_is_secret_is_logged(
    host: SmallHost, servers: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for fault in ("", "other-sub", "down:/token", "redirect:/token"):
        browser = Browser(host)
        query = servers.servers.approve(await depart(browser))
        servers.servers.bend = {fault}
        await browser.get(PLATFORM, f"/auth/callback?{urlencode(query)}")
        servers.servers.bend.clear()
    assert len(servers.servers.secrets) > 12
    assert not [secret for secret in servers.servers.secrets if secret in caplog.text]
