"""What is refused because it comes too often: at each door in the words of its clients, and no typed text is lost."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from robot import limits
from robot.limits import RULES, Limited, Limits, Rate
from robot.model import Scope, Visibility, Wiki
from robot.signin.links import create_link
from robot.tokens import create_token
from robot.web.ask import ASK_PATH
from tests.mcp_message import tool_call
from tests.robot.front_host import FrontHost, front_host
from tests.robot.small_host import ADDRESS, Browser, FakeClock, SmallHost, small_host

PLATFORM = ADDRESS.platform_origin
ORIGIN = "https://notes.wiki.test"
BURST = {
    Limited.WRITE: 3,
    Limited.SEARCH: 2,
    Limited.MEANING: 2,
    Limited.GIT: 2,
    Limited.VIEW: 4,
    Limited.BAD_CREDENTIAL: 3,
    Limited.REFUSED_GRANT: 3,
    Limited.SIGN_IN: 3,
    Limited.LINK: 3,
    Limited.FORM: 3,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000.0)


@pytest.fixture
async def host(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallHost]:
    small = {kind: (Rate("actor", 60, burst), *RULES[kind][1:]) for kind, burst in BURST.items()}
    monkeypatch.setattr(limits, "RULES", {**RULES, **small})
    async with small_host(tmp_path, limits=Limits(clock=clock)) as made:
        yield made


@pytest.fixture
async def wiki(host: SmallHost) -> Wiki:
    return await host.make_wiki("notes", visibility=Visibility.PUBLIC)


@pytest.fixture
async def token(host: SmallHost, wiki: Wiki) -> str:
    secret, _ = await create_token(host.db, host.ada, wiki, "laptop", [Scope.WRITE])
    return secret


async def test_rest(host: SmallHost, token: str, clock: FakeClock) -> None:
    async with front_host(host) as front, front.client(ORIGIN, token) as script:
        for number in range(BURST[Limited.WRITE]):
            made = await script.put(f"/api/v1/pages/P{number}", json={"content": "x"})
            assert made.status_code in (200, 201)
        refused = await script.put("/api/v1/pages/More", json={"content": "x"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        said = refused.json()
        assert (said["code"], said["retry_after"]) == ("too_many_requests", 60)
        assert "nothing was done" in said["error"]
        assert (await script.get("/api/v1/pages/More")).status_code == 404
        assert (await script.get("/api/v1/pages/P1")).status_code == 200, "reading goes on"
        clock.now += 60
        assert (await script.put("/api/v1/pages/More", json={"content": "x"})).status_code in (200, 201)
        for path, kind in (("search", Limited.SEARCH), ("find", Limited.MEANING)):
            statuses = [(await script.get(f"/api/v1/{path}?q=x")).status_code for _ in range(BURST[kind] + 1)]
            assert (statuses[:-1].count(429), statuses[-1]) == (0, 429)


async def test_an_agent_is_told_in_words_by_its_tool(host: SmallHost, token: str, clock: FakeClock) -> None:
    async with front_host(host) as front, front.client(ORIGIN, token) as http:

        async def call(tool: str, **arguments: Any) -> tuple[bool, str]:
            answer = await http.post(**tool_call(tool, **arguments))
            assert answer.status_code == 200
            result = answer.json()["result"]
            return result["isError"], result["content"][0]["text"]

        for number in range(BURST[Limited.WRITE]):
            assert not (await call("write_note", path=f"P{number}", content="x"))[0]
        is_error, said = await call("write_note", path="More", content="x")
        assert is_error
        assert "Try again in 60 seconds" in said
        assert "nothing was done" in said
        assert not (await call("read_note", path="P1"))[0]
        clock.now += 60
        assert not (await call("write_note", path="More", content="x"))[0]
        for tool, kind in (("search_notes", Limited.SEARCH), ("semantic_search", Limited.MEANING)):
            told = [(await call(tool, query="x"))[1] for _ in range(BURST[kind] + 1)]
            assert ["Try again in" in words for words in told] == [False] * BURST[kind] + [True]


async def test_git_says_a_sentence(host: SmallHost, token: str) -> None:
    async with front_host(host) as front, front.client(ORIGIN, token) as git:
        answers = [await git.get("/.git/info/refs?service=git-upload-pack") for _ in range(BURST[Limited.GIT] + 1)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Content-Type"].startswith("text/plain")
    assert "Try again in 60 seconds" in answers[-1].text


async def test_a_save_that_comes_too_often_gives_its_text_back(host: SmallHost, wiki: Wiki, clock: FakeClock) -> None:
    browser = await host.signed_in(host.ada)
    await finish_hand_off(host, browser)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.jars[ORIGIN].items())
    headers = {"Cookie": cookie, "Origin": ORIGIN, "Accept": "text/html"}
    form = {"content": "# Typed\n\nfor <b>hours</b>", "commit": "long work", "robot_base": "0" * 40}
    async with front_host(host) as front, front.client(ORIGIN) as http:
        for _ in range(BURST[Limited.WRITE]):
            assert (await http.post("/Plan/save", data=form, headers=headers)).status_code == 200
        assert (await http.post("/Plan/preview", data=form, headers=headers)).status_code == 200, "this is no write"
        refused = await http.post("/Plan/save", data=form, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert "for &lt;b&gt;hours&lt;/b&gt;</textarea>" in refused.text
        assert 'action="/Plan/save"' in refused.text
        assert "Nothing is lost" in refused.text
        clock.now += 60
        assert (await http.post("/Plan/save", data=form, headers=headers)).status_code == 200


async def finish_hand_off(host: SmallHost, browser: Any) -> None:
    answer, origin = await browser.get(ORIGIN, "/auth/start"), ORIGIN
    while answer.status_code == 303 and answer.headers["Location"] != "/":
        answer, origin = await browser.follow(answer, origin)


async def test_a_form_of_the_platform_comes_back_with_what_was_typed(host: SmallHost, wiki: Wiki) -> None:
    browser = await host.signed_in(host.ada)
    form = {"name": "Notes", "description": 'What "we" know', "guidance": "", "visibility": "public", "git": "on"}
    for _ in range(BURST[Limited.FORM]):
        assert (await browser.post(PLATFORM, "/app/wiki/notes/settings", form=form)).status_code == 303
    refused = await browser.post(PLATFORM, "/app/wiki/notes/settings", form=form)
    page = await refused.get_data(as_text=True)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert 'name="description" value="What &#34;we&#34; know"' in page
    assert 'action="/app/wiki/notes/settings"' in page
    assert (await browser.get(PLATFORM, "/app/wiki/notes/settings")).status_code == 200, "reading goes on"
    eve = await host.signed_in(host.eve)
    assert (await eve.post(PLATFORM, "/app/create", form={})).status_code == 400, "others have shares of their own"


async def ask(front: FrontHost, path: str, network: str, **more: Any) -> httpx2.Response:
    """From a network, as Caddy says it."""
    async with front.client(more.pop("origin", ORIGIN)) as http:
        return await http.request(more.pop("method", "GET"), path, headers={"X-Forwarded-For": network}, **more)


async def test_networks_without_a_credential(host: SmallHost, wiki: Wiki) -> None:
    async with front_host(host) as front:
        for _ in range(BURST[Limited.VIEW]):
            assert (await ask(front, "/Home", "192.0.2.1")).status_code == 200
        assert (await ask(front, "/static/x.css", "192.0.2.1")).status_code == 200, "what pages are made with"
        refused = await ask(front, "/Home", "192.0.2.1")
        assert refused.status_code == 429
        assert (await ask(front, "/api/v1/pages", "192.0.2.1")).json()["code"] == "too_many_requests"
        assert (await ask(front, "/Home", "192.0.2.2")).status_code == 200
        assert (await ask(front, "/Home", "192.0.2.1, 192.0.2.3")).status_code == 200, "the last one counts"


async def test_credentials_that_open_nothing(host: SmallHost, token: str, clock: FakeClock) -> None:
    async with front_host(host) as front, front.client(ORIGIN, "robot_nonsense") as guesser:
        for path in ("/api/v1/pages", "/mcp", "/.git/info/refs?service=git-upload-pack"):
            assert (await guesser.get(path)).status_code == 401
        refused = await guesser.get("/api/v1/pages")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        async with front.client(ORIGIN, token) as neighbour:
            assert (await neighbour.get("/api/v1/pages")).status_code == 200
        clock.now += 60
        assert (await guesser.get("/api/v1/pages")).status_code == 401


async def test_codes_and_tokens_that_are_refused(host: SmallHost) -> None:
    wrong = {"grant_type": "refresh_token", "refresh_token": "made-up", "client_id": "c"}
    async with front_host(host) as front:

        async def guess(network: str) -> httpx2.Response:
            return await ask(front, "/oauth/token", network, method="POST", data=wrong, origin=PLATFORM)

        for _ in range(BURST[Limited.REFUSED_GRANT]):
            assert (await guess("192.0.2.1")).status_code in (400, 401)
        refused = await guess("192.0.2.1")
        assert (refused.status_code, refused.json()["error"]) == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "60"
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert (await guess("192.0.2.2")).status_code in (400, 401)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/auth/begin", {"provider": "nobody"}),
        ("/auth/login", {"link": "made-up"}),
        ("/auth/link", {"token": "made-up"}),
    ],
)
async def test_signing_in(host: SmallHost, path: str, form: dict[str, str]) -> None:
    async with front_host(host) as front:

        async def attempt(network: str) -> int:
            return (await ask(front, path, network, method="POST", data=form, origin=PLATFORM)).status_code

        assert [await attempt("2001:db8::1") for _ in range(3)] == [400] * 3
        assert await attempt("2001:db8:0:ff::2") == 429, "one site has many networks"
        assert await attempt("2001:db8:0:100::1") == 400


async def test_refusals_are_logged_once_a_minute_without_secrets(
    host: SmallHost, wiki: Wiki, token: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    mark = "MARKED-SECRET"
    with caplog.at_level(logging.INFO):
        async with front_host(host) as front, front.client(ORIGIN, f"robot_{mark}") as guesser:
            for _ in range(20):
                await guesser.get(f"/api/v1/pages?access_token={mark}", headers={"Cookie": f"a={mark}"})
            for _ in range(20):
                sent = {"provider": mark, "handle": mark}
                await ask(front, f"/auth/begin?next={mark}", "192.0.2.1", method="POST", data=sent, origin=PLATFORM)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("robot.")]
    assert 3 <= len(lines) <= 6, lines
    assert any("credentials that open nothing" in line for line in lines)
    assert any("sign-ins begun" in line and "192.0.2.1" in line for line in lines)
    assert not any(mark in line for line in lines)


async def test_a_link_that_works_is_not_in_the_way_of_others(host: SmallHost) -> None:
    """Whoever opens links for others, as a class does, is not taken for somebody who guesses."""
    async with front_host(host) as front:
        links = [await create_link(host.db, host.ada) for _ in range(BURST[Limited.LINK])]
        for link in links:
            path = f"/auth/link?{urlencode({'token': link})}"
            assert (await ask(front, path, "192.0.2.1", origin=PLATFORM)).status_code == 303


async def test_nobody_keeps_caddy_from_asking_about_names_that_are_here(host: SmallHost, wiki: Wiki) -> None:
    browser, most = Browser(host), RULES[Limited.CERTIFICATE][0].burst

    async def ask_about(name: str, headers: dict[str, str] | None = None) -> int:
        return (await browser.get(PLATFORM, f"{ASK_PATH}?domain={name}", headers=headers)).status_code

    for _ in range(most - 1):
        host.limits.note(Limited.CERTIFICATE)
    for _ in range(3):
        assert await ask_about("wiki.test", {"X-Forwarded-For": "192.0.2.1"}) == 404, "a stranger, by way of Caddy"
    assert [await ask_about("made-up.wiki.test") for _ in range(3)] == [404, 429, 429]
    assert await ask_about("notes.wiki.test") == 200
