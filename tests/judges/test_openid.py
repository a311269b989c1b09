"""Signing in at a real OpenID Connect provider, `oidc-provider`, which the OpenID Foundation has certified."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from robot.accounts import find_user_by_name
from robot.signin.admission import Admission
from robot.signin.identities import find_user
from robot.signin.oidc.client import CALLBACK_PATH, OidcProvider, Registration
from robot.signin.oidc.issuer import Issuer
from robot.web.all_pages import PersonSignIn
from tests.harness import free_port, running_robot
from tests.judges.openid_provider import CLIENT_ID, SECRET, OpenIdProvider, openid_provider
from tests.robot.small_host import ADDRESS, Browser, SmallHost, small_host, text_of

pytestmark = pytest.mark.judge

PLATFORM = ADDRESS.platform_origin
REDIRECT_URI = PLATFORM + CALLBACK_PATH


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    with openid_provider(tmp_path_factory.mktemp("openid"), REDIRECT_URI) as running:
        yield running


def play(walk: Callable[[], Awaitable[None]]) -> None:
    """Run it under Trio in a thread of its own: in this one Playwright's loop may be at home."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(trio.run, walk).result()


@asynccontextmanager
async def host_that_trusts(there: OpenIdProvider, place: Path, secret: str = SECRET) -> AsyncIterator[SmallHost]:
    issuer = Issuer(there.issuer, door=there.door)
    provider = OidcProvider(issuer, Registration(CLIENT_ID, secret, REDIRECT_URI), label="the university")
    async with small_host(place, people=PersonSignIn((provider,), Admission("open"))) as host:
        yield host


async def walk_there(there: OpenIdProvider, browser: Browser, person: str | None) -> str:
    """From the form to the provider and back; the path on the platform that it sends to, not visited yet."""
    answer = await browser.post(PLATFORM, "/auth/begin", form={"provider": "oidc", "next": "/app/create"})
    page = await text_of((await browser.follow(answer, PLATFORM))[0])
    address = page.partition("url=")[2].partition('"')[0].replace("&amp;", "&")
    assert address.startswith(f"{there.issuer}/auth?")
    back = await trio.to_thread.run_sync(there.visit, address, person, REDIRECT_URI)
    return back.removeprefix(PLATFORM)


def test_a_person_signs_up_and_comes_again(there: OpenIdProvider, tmp_path: Path) -> None:
    async def walk() -> None:
        async with host_that_trusts(there, tmp_path) as host:
            browser = Browser(host)
            answer = await browser.get(PLATFORM, await walk_there(there, browser, "gardener"))
            assert answer.headers["Location"] == "/auth/sign-up"
            page = await text_of(await browser.get(PLATFORM, "/auth/sign-up"))
            assert 'name="display_name" value="The gardener"' in page  # which it says only when asked again
            form = {"identity": f"oidc {there.issuer}#gardener", "name": "gardener", "display_name": "The gardener"}
            answer = await browser.post(PLATFORM, "/auth/sign-up", form=form)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/app/create")
            again = Browser(host)
            answer = await again.get(PLATFORM, await walk_there(there, again, "gardener"))
            assert (answer.status_code, answer.headers["Location"]) == (303, "/app/create")
            gardener = find_user_by_name(host.db, "gardener")
            assert gardener is not None
            assert find_user(host.db, "oidc", f"{there.issuer}#gardener") == gardener

    play(walk)


def test_who_says_no_there_is_told_so_here(there: OpenIdProvider, tmp_path: Path) -> None:
    async def walk() -> None:
        async with host_that_trusts(there, tmp_path) as host:
            browser = Browser(host)
            answer = await browser.get(PLATFORM, await walk_there(there, browser, None))
            assert answer.status_code == 400
            assert "said no" in await text_of(answer)

    play(walk)


def test_a_wrong_secret_is_the_operators_business(there: OpenIdProvider, tmp_path: Path) -> None:
    async def walk() -> None:
        async with host_that_trusts(there, tmp_path, "another secret") as host:
            browser = Browser(host)
            answer = await browser.get(PLATFORM, await walk_there(there, browser, "gardener"))
            assert answer.status_code == 502
            page = await text_of(answer)
            assert "not known to the university, or not by its secret" in page
            assert "another secret" not in page

    play(walk)


def test_chromium_goes_there_and_back(chromium: Chromium, tmp_path: Path) -> None:
    """What only a browser shows: that its rules for forms, cookies and redirects let the whole walk through."""
    port = free_port()
    with openid_provider(tmp_path, f"http://robot.localhost:{port}{CALLBACK_PATH}") as there:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        env = {
            "ROBOT_OIDC_ISSUER": there.issuer,
            "ROBOT_OIDC_CLIENT_ID": CLIENT_ID,
            "ROBOT_OIDC_CLIENT_SECRET_FILE": str(secret),
            "ROBOT_OIDC_LABEL": "the university",
            "ROBOT_SIGN_UP": "open",
            "TEST_INTERNET": json.dumps({"ca_file": str(there.ca_file), "front_port": there.port}),
        }
        with running_robot(tmp_path / "data", port=port, env=env, module="tests.pds.robot_of_test") as robot:
            page = chromium.new_context(ignore_https_errors=True).new_page()
            page.goto(f"{robot.platform}/auth/login?next=/app/create")
            page.get_by_role("button", name="Sign in with the university").click()
            page.get_by_placeholder("Enter any login").fill("root")
            page.get_by_placeholder("and password").fill("x")
            page.get_by_role("button", name="Sign-in").click()
            page.get_by_role("button", name="Continue").click()
            name = page.get_by_label("User name")
            expect(name).to_have_value("the-root")
            name.fill("r00t")
            expect(page.locator("#name-live")).to_have_text("The user name r00t looks like one that is reserved.")
            name.fill("gardener")
            expect(page.locator("#name-live")).to_have_text("The user name gardener is free.")
            page.get_by_role("button", name="Make my account").click()
            expect(page.get_by_role("heading", name="Create a wiki")).to_be_visible()
            assert page.url == f"{robot.platform}/app/create"
            page.go_back()
            expect(page.get_by_role("heading", name="My wikis")).to_be_visible()  # and not the form again
