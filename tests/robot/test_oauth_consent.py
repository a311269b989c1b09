"""From a client's request to a person's decision: `/oauth/authorize` and `/oauth/consent`."""

from __future__ import annotations

import html
import json
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from robot.access import grant_role
from robot.model import Role, Scope, Visibility
from robot.oauth.connections import list_connections
from robot.oauth.endpoints import AUTHORIZE, CONSENT
from tests.robot.front_host import front_host
from tests.robot.oauth_client import CALLBACK, PLATFORM, Program, a_program, answer_sent, fields_of
from tests.robot.small_host import Browser, SmallHost, end_for_good, small_host, text_of
from tests.robot.tls_server import reply, tls_server


async def test_a_person_connects_a_program(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    page = await text_of(await program.ask(browser))
    assert "Agent Smith" in page
    assert "nobody has checked it" in page
    assert "<b>agent.example</b>" in page
    assert "Ada Lovelace" in page
    assert list_connections(host.db, wiki) == []
    answer = await answer_sent(await program.decide(browser))
    assert answer.keys() == {"keep", "code", "iss", "state"}
    assert (answer["keep"], answer["iss"], answer["state"]) == ("1", PLATFORM, "st&te=1")
    assert list_connections(host.db, wiki) == []  # not before the client fetches its tokens
    tokens = await (await program.redeem(answer["code"])).get_json()
    assert tokens["scope"] == "wiki:read wiki:write"
    [(connection, person)] = list_connections(host.db, wiki)
    assert (connection.name, person) == ("Agent Smith", host.ada)
    assert connection.scopes == {Scope.READ, Scope.WRITE}


async def test_asking_changes_nothing(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    before = list(host.db._reader.iterdump())
    pages = [await text_of(await program.ask(browser)) for _ in range(3)]
    assert len(set(pages)) == 1
    assert list(host.db._reader.iterdump()) == before


async def test_a_signed_out_person_signs_in_and_comes_back(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), Browser(host)
    to_login = await program.ask(browser)
    assert to_login.status_code == 303
    login, _ = await browser.follow(to_login, PLATFORM)
    page = await text_of(login)
    assert "Agent Smith" in page
    assert "notes.wiki.test" in page
    # A client in a browser waits in the window that opened this one.
    assert login.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert (await Browser(host).get(PLATFORM, "/auth/login")).headers["Cross-Origin-Opener-Policy"] == "same-origin"
    signed_in = await host.signed_in(host.ada)
    back, _ = await signed_in.follow(to_login, PLATFORM)
    assert back.headers["Location"] == program.path()
    assert "Agent Smith" in await text_of((await signed_in.follow(back, PLATFORM))[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": None},
        {"client_id": "client_unknown"},
        {"client_id": "https://127.0.0.1/client.json"},
        {"redirect_uri": None},
        {"redirect_uri": CALLBACK + "x"},
        {"redirect_uri": CALLBACK[:-1]},
        {"redirect_uri": CALLBACK.replace("agent", "Agent")},
        {"redirect_uri": "http://evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": CALLBACK + "#x"},
        {"state": "x" * 5000},
    ],
)
async def test_nobody_is_sent_to_an_unproven_address(host: SmallHost, wrong: dict[str, str | None]) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    answer = await program.ask(browser, **wrong)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    page = await text_of(answer)
    assert "evil" not in page
    assert "alert" not in page


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://notes.evil.test/mcp"}, "invalid_target"),
        ({"resource": "https://notes.wiki.test/"}, "invalid_target"),
        ({"resource": "https://notes.wiki.test/mcp/"}, "invalid_target"),
        ({"resource": "https://wiki.test/mcp"}, "invalid_target"),
        ({"resource": "http://notes.wiki.test/mcp"}, "invalid_target"),
        ({"scope": "wiki:admin"}, "invalid_scope"),
        ({"state": "x" * 1025}, "invalid_request"),
    ],
)
async def test_other_faults_go_back_to_the_client(host: SmallHost, wrong: dict[str, str | None], error: str) -> None:
    await host.make_wiki("notes")
    program = await a_program(host, "notes")
    answer = await program.ask(await host.signed_in(host.ada), **wrong)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    page = await text_of(answer)
    assert "the site <b>agent.example</b>" in page
    [link] = re.findall(r'<a class="button plain" href="(.*?)"', page)
    location = html.unescape(link)
    assert location.startswith(CALLBACK + "&")
    told = fields_of(location)
    assert told["error"] == error
    assert re.fullmatch(r"[ !#-\[\]-~]+\.", told["error_description"])  # RFC 6749, section 4.1.2.1
    assert told["iss"] == PLATFORM
    assert told.get("state") == (None if len(wrong.get("state") or "") > 1024 else "st&te=1")


async def test_a_program_on_this_computer_hears_of_its_fault_at_once(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program = await a_program(host, "notes", redirect_uri="http://127.0.0.1/callback")
    answer = await program.ask(await host.signed_in(host.ada), response_type="token")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("http://127.0.0.1/callback?")
    assert fields_of(answer.headers["Location"])["error"] == "unsupported_response_type"


@pytest.mark.parametrize("redirect_uri", [CALLBACK, "http://127.0.0.1/callback"])
async def test_strangers_are_led_nowhere_but_to_sign_in(host: SmallHost, redirect_uri: str) -> None:
    """Anybody can register a client, so a link to this host must not lead on to wherever its maker likes."""
    await host.make_wiki("notes")
    program = await a_program(host, "notes", redirect_uri=redirect_uri)
    for wrong in ({"response_type": "token"}, {"resource": None}, {"redirect_uri": "https://evil.example/"}):
        answer = await program.ask(Browser(host), **wrong)
        assert answer.headers["Location"].startswith("/auth/login?next=%2Foauth%2Fauthorize")
    sent = urlencode(program.query(response_type="token"))
    answer = await Browser(host).post(PLATFORM, CONSENT, form={"request": sent, "decision": "allow"})
    assert answer.headers["Location"].startswith("/auth/login?next=%2Foauth%2Fauthorize")


async def test_strangers_have_nobody_asked(tmp_path: Path) -> None:
    """Else they could use up how often a host may be asked, and keep everybody from connecting its clients."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        reply(handler, 200, json.dumps(document).encode(), "application/json")

    with tls_server(tmp_path, answer) as site:
        document = {
            "client_id": site.url("/agent.json"),
            "client_name": "Claude",
            "redirect_uris": ["https://client.example/cb"],
            "token_endpoint_auth_method": "none",
        }
        async with small_host(tmp_path, site.door()) as host:
            await host.make_wiki("notes")
            program = Program(host, site.url("/agent.json"), None, "notes", "v" * 43, "https://client.example/cb")
            stranger = Browser(host)
            before, _ = await stranger.follow(await program.ask(stranger), PLATFORM)
            await stranger.post(PLATFORM, CONSENT, form={"request": urlencode(program.query())})
            await stranger.post(PLATFORM, "/auth/login", form={"link": "wrong", "next": program.path()})
            assert asked == []
            assert "A program asks to be let into <b>notes.wiki.test</b>" in await text_of(before)
            assert (await program.ask(await host.signed_in(host.ada))).status_code == 200
            after, _ = await stranger.follow(await program.ask(stranger), PLATFORM)
            assert "asks for “Claude” to be let into" in await text_of(after)
            assert asked == ["/agent.json"]


async def test_a_parameter_that_is_sent_twice_is_refused(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    for name in ("client_id", "redirect_uri"):
        answer = await browser.get(PLATFORM, f"{program.path()}&{urlencode({name: program.query()[name]})}")
        assert answer.status_code == 400, name
    for name in ("state", "scope", "code_challenge", "resource", "unknown"):
        answer = await browser.get(PLATFORM, f"{program.path(unknown='1')}&{urlencode({name: '1'})}")
        assert answer.status_code == 400, name
        assert re.search(r"error=invalid_(request|target)&", await text_of(answer)), name


@pytest.mark.parametrize(
    "more", [{"prompt": "none"}, {"prompt": "login consent"}, {"nonce": "1"}, {"scope": "offline_access wiki:read"}]
)
async def test_what_is_not_understood_does_no_harm(host: SmallHost, more: dict[str, str]) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    assert (await program.ask(browser, **more)).status_code == 200


async def test_a_resource_in_capitals_is_the_same(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    for spelled in ("HTTPS://Notes.Wiki.Test/mcp", "https://notes.wiki.test:443/mcp"):
        assert (await program.ask(browser, resource=spelled)).status_code == 200


async def test_private_and_missing_wikis_look_the_same(host: SmallHost) -> None:
    await host.make_wiki("hers", host.eve)
    await host.make_wiki("open", host.eve, Visibility.PUBLIC)
    browser = await host.signed_in(host.ada)
    program = await a_program(host, "hers")
    shown = set()
    for slug in ("hers", "nowhere", "open"):
        answer = await program.at(slug).ask(browser)
        assert answer.status_code == 404
        shown.add((await text_of(answer)).replace(f"{slug}.wiki.test", "").replace(slug, ""))
    assert len(shown) == 1
    assert "error=access_denied" in shown.pop()


async def test_denying_tells_the_client(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    told = await answer_sent(await program.decide(browser, "deny"))
    assert told["error"] == "access_denied"
    assert told["state"] == "st&te=1"
    assert "code" not in told
    assert list_connections(host.db, wiki) == []


async def test_no_decision_is_no_consent(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    page = await text_of(await program.decide(browser, ""))
    assert "http-equiv" not in page
    assert "Let “Agent Smith” into Notes?" in page
    assert host.db.one("SELECT 1 FROM oauth_codes") is None


async def test_roles_cap_what_is_offered(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", host.eve)
    await grant_role(host.db, host.ada, wiki, Role.VIEWER)
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    page = await text_of(await program.ask(browser))
    assert "your own role in this wiki is to read" in page
    assert 'value="write"' not in page
    # Whoever sends the form without the page gets no more.
    assert (await program.connect(browser, access="write"))["scope"] == "wiki:read"


async def test_a_person_may_give_less_than_asked(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    assert (await program.connect(browser, access="read", folder=" Projects/Garden/ "))["scope"] == "wiki:read"
    [(connection, _)] = list_connections(host.db, wiki)
    assert connection.scopes == {Scope.READ}
    assert connection.prefix == "Projects/Garden/"
    assert 'value="Projects/Garden/"' in await text_of(await program.ask(browser))
    for no_folder in ("../secret", "/"):
        refused = await program.decide(browser, folder=no_folder)
        assert refused.status_code == 400
        assert "folder-problem" in await text_of(refused)


async def test_the_page_says_what_is_new(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    await program.connect(browser, access="read")
    page = await text_of(await program.ask(browser))
    assert "<b>New:</b> it now asks to change pages too" in page
    [(before, _)] = list_connections(host.db, wiki)
    await program.connect(browser)
    [(after, _)] = list_connections(host.db, wiki)
    assert after.id == before.id
    assert after.scopes == {Scope.READ, Scope.WRITE}
    assert "nothing more than it has" in await text_of(await program.ask(browser))


async def test_an_old_consent_lets_nobody_else_in(host: SmallHost) -> None:
    """The confused deputy: a registered client of the same name asks, where the person has consented before."""
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    await (await a_program(host, "notes")).connect(browser)
    evil = await a_program(host, "notes", redirect_uri="https://evil.example/steal")
    answer = await evil.ask(browser)
    assert answer.status_code == 200
    page = await text_of(answer)
    assert "http-equiv" not in page
    assert "<b>evil.example</b>" in page
    assert "You connected this program" not in page


async def test_a_consent_that_moved_is_told(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    await program.connect(browser)
    await host.db.write(
        lambda connection: connection.execute("UPDATE connections SET redirect_uri = 'https://old.example/cb'")
    )
    assert "its answers went to <b>old.example</b>" in await text_of(await program.ask(browser))


@pytest.mark.parametrize(
    ("redirect_uri", "said"),
    [
        ("http://127.0.0.1:3334/callback", "a program on this computer"),
        ("http://localhost/callback", "a program on this computer"),
        ("http://[::1]:1/callback", "a program on this computer"),
        ("cursor://anysphere.cursor-retrieval/oauth/callback", "<b>cursor:</b> links"),
        ("https://claude.ai:8443/api/mcp/auth_callback", "<b>claude.ai:8443</b>"),
    ],
)
async def test_the_page_says_where_access_goes(host: SmallHost, redirect_uri: str, said: str) -> None:
    await host.make_wiki("notes")
    program = await a_program(host, "notes", redirect_uri=redirect_uri)
    browser = await host.signed_in(host.ada)
    assert said in await text_of(await program.ask(browser))
    assert (await answer_sent(await program.decide(browser)))["code"].startswith("robot_code_")


async def test_a_site_vouches_for_its_client_and_for_no_other(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "client_name": "Claude",
        "redirect_uris": ["https://client.example/cb", "http://127.0.0.1/cb"],
        "token_endpoint_auth_method": "none",
    }

    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, json.dumps(document).encode(), "application/json")

    with tls_server(tmp_path, answer) as site:
        document["client_id"] = site.url("/agent.json")
        async with small_host(tmp_path, site.door()) as host:
            await host.make_wiki("notes")
            browser = await host.signed_in(host.ada)
            program = Program(host, document["client_id"], None, "notes", "v" * 43, "https://client.example/cb")
            page = await text_of(await program.ask(browser))
            site_name = document["client_id"].split("/")[2]
            assert f"<h1>Let {site_name} into Notes?</h1>" in page
            assert "nobody has checked" not in page
            assert "any program on your computer" not in page
            assert "any program on your computer" in await text_of(
                await program.ask(browser, redirect_uri="http://127.0.0.1:4321/cb")
            )
            assert (await program.connect(browser))["scope"] == "wiki:read wiki:write"
            site.answer = lambda handler: reply(handler, 500)
            lost = await program.ask(browser, client_id=site.url("/other.json"))
            assert lost.status_code == 400
            assert "cannot be had" in await text_of(lost)


async def test_the_form_is_of_the_person_who_saw_it(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    sent = {"request": urlencode(program.query()), "decision": "allow", "access": "write"}
    for person in (host.eve.id, ""):
        answer = await browser.post(PLATFORM, CONSENT, form=sent | {"person": person})
        assert answer.headers["Location"] == program.path()
    signed_out = await Browser(host).post(PLATFORM, CONSENT, form=sent | {"person": host.ada.id})
    assert signed_out.headers["Location"].startswith("/auth/login?next=%2Foauth%2Fauthorize")
    assert host.db.one("SELECT 1 FROM oauth_codes") is None


async def test_the_form_is_of_the_wiki_that_was_shown(host: SmallHost) -> None:
    """An address can go to another wiki while the page is open, or while the code is on its way."""
    shown = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    code = await program.get_code(browser)
    await end_for_good(host, shown)
    other = await host.make_wiki("notes")
    refused = await program.redeem(code)
    assert (await refused.get_json())["error"] == "invalid_grant"
    sent = {"request": urlencode(program.query()), "person": host.ada.id, "decision": "allow", "access": "write"}
    again = await text_of(await browser.post(PLATFORM, CONSENT, form=sent | {"wiki": shown.id}))
    assert f'name="wiki" value="{other.id}"' in again
    assert host.db.one("SELECT 1 FROM oauth_codes") is None


async def test_the_form_is_judged_anew(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    sent = {"person": host.ada.id, "decision": "allow", "access": "write"}
    tampered = urlencode(program.query(redirect_uri="https://evil.example/"))
    assert (await browser.post(PLATFORM, CONSENT, form=sent | {"request": tampered})).status_code == 400
    assert (await browser.post(PLATFORM, CONSENT, form=sent)).status_code == 400
    no_wiki = urlencode(program.query(resource=None))
    answer = await browser.post(PLATFORM, CONSENT, form=sent | {"request": no_wiki})
    assert answer.status_code == 400
    assert "error=invalid_target&" in await text_of(answer)


async def test_the_pages_cannot_be_framed_or_sent_from_elsewhere(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    for answer in (
        await program.ask(browser),
        await program.decide(browser),
        await program.ask(browser, client_id="x"),
    ):
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"


async def test_no_other_site_presses_the_button(host: SmallHost) -> None:
    """Nor does a page of a wiki, which is the same site to browsers."""
    wiki = await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    shown = {"request": urlencode(program.query()), "person": host.ada.id, "wiki": wiki.id}
    form = shown | {"decision": "allow", "access": "write"}
    cookie = "; ".join(f"{name}={value}" for name, value in browser.jars[PLATFORM].items())
    async with front_host(host) as front, front.client() as client:
        for said in (
            {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "same-site", "Origin": "https://notes.wiki.test"},
            {"Origin": "null"},
            {},
        ):
            refused = await client.post(CONSENT, data=form, headers={"Cookie": cookie, **said})
            assert refused.status_code == 403
            assert host.db.one("SELECT 1 FROM oauth_codes") is None
        own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": PLATFORM}
        assert (await client.post(CONSENT, data=form, headers=own)).status_code == 200
    assert host.db.one("SELECT 1 FROM oauth_codes") is not None


async def test_signing_in_as_somebody_else_comes_back(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    answer = await browser.post(PLATFORM, "/auth/logout", form={"next": program.path()})
    assert answer.headers["Location"] == program.path()
    assert (await program.ask(browser)).headers["Location"].startswith("/auth/login")
    away = await browser.post(PLATFORM, "/auth/logout", form={"next": "//evil.example"})
    assert away.headers["Location"] == "/"


async def test_names_of_clients_are_only_text(host: SmallHost) -> None:
    await host.make_wiki("notes")
    program = await a_program(host, "notes", name="<script>alert(1)</script>")
    for browser in (Browser(host), await host.signed_in(host.ada)):
        answer = await program.ask(browser)
        page = await text_of((await browser.follow(answer, PLATFORM))[0] if answer.status_code == 303 else answer)
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page


async def test_authorize_takes_no_post(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    assert (await browser.post(PLATFORM, AUTHORIZE, form={})).status_code == 405
