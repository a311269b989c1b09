"""An identity provider without a network, for what comes before and after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from quart import Response

from robot.signin.providers import Departure, Identity, SignInFailed
from tests.robot.small_host import ADDRESS, Browser

PLATFORM = ADDRESS.platform_origin
ORIGIN = "https://id.example.net"


async def _nothing() -> None:
    return


@dataclass
class FakeProvider:
    """Believes whatever comes back: `code` names the identity. `seen` is what was typed; nobody has a space."""

    name: str = "atproto"
    label: str = "Bluesky"
    asks: bool = True
    seen: list[str] = field(default_factory=list)
    origin: str = ORIGIN
    before_begin: Callable[[], Awaitable[None]] = _nothing
    before_finish: Callable[[], Awaitable[None]] = _nothing

    async def begin(self, typed: str, *, state: str, return_after: str = "") -> Departure:
        self.seen.append(typed)
        await self.before_begin()
        if self.asks and " " in typed:
            raise SignInFailed("invalid", "A handle has no spaces. Look at it again.")
        return Departure(f"{self.origin}/authorize?request=1&state={state}", {"verifier": "v3rifier"})

    async def finish(self, query: Mapping[str, str], memory: Mapping[str, str]) -> Identity:
        assert memory == {"verifier": "v3rifier"}
        await self.before_finish()
        if "error" in query:
            raise SignInFailed("denied", "You said no there. Begin again if that was not meant.")
        who = query["code"]
        return Identity(self.name, f"did:plc:{who}", f"{who}.example.net", who.title())


async def depart(browser: Browser, typed: str = "bob", path: str = "/auth/begin", **more: str) -> str:
    """Fill the form in, and go as far as the provider; returns the state that it is told."""
    form = {"provider": "atproto", "handle": typed, **more}
    answer = await browser.post(PLATFORM, path, form=form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    page, _ = await browser.follow(answer, PLATFORM)
    html = str(await page.get_data(as_text=True))
    assert page.status_code == 200, html
    address = html.partition("url=")[2].partition('"')[0].replace("&amp;", "&")
    assert address.startswith(ORIGIN)
    return parse_qs(urlsplit(address).query)["state"][0]


async def come_back(browser: Browser, state: str, who: str = "bob", provider: str = "") -> Response:
    return await browser.get(PLATFORM, f"/auth/callback{provider}?state={state}&code={who}&iss={ORIGIN}")
