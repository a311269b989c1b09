"""A client of the authorization server, as programs are: registers, sends a person to be asked, renews its tokens."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from quart import Response

from robot.oauth.client_metadata import ClientMetadata
from robot.oauth.clients import AuthMethod
from robot.oauth.endpoints import AUTHORIZE, CONSENT, REVOKE, TOKEN
from robot.oauth.pairs import challenge_of
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
CALLBACK = "https://agent.example/callback?keep=1"


@dataclass(frozen=True)
class Program:
    """A registered client that wants into the wiki at `slug`."""

    host: SmallHost
    client_id: str
    secret: str | None
    slug: str
    verifier: str
    redirect_uri: str = CALLBACK

    def query(self, **changes: str | None) -> dict[str, str]:
        """A good authorization request, but for `changes`; None leaves a parameter out."""
        good: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "resource": ADDRESS.wiki_origin(self.slug) + "/mcp",
            "scope": "wiki:read wiki:write",
            "state": "st&te=1",
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def path(self, **changes: str | None) -> str:
        return f"{AUTHORIZE}?{urlencode(self.query(**changes))}"

    async def ask(self, browser: Browser, **changes: str | None) -> Response:
        return await browser.get(PLATFORM, self.path(**changes))

    async def decide(self, browser: Browser, decision: str = "allow", **typed: str) -> Response:
        """Fill in the page that the person sees."""
        asked = {name: typed.pop(name) for name in ("scope", "resource") if name in typed}
        page = await text_of(await self.ask(browser, **asked))
        form = dict(re.findall(r'<input type="hidden" name="(request|person|wiki)" value="(.*?)">', page))
        assert form.keys() == {"request", "person", "wiki"}, page
        sent = {name: html.unescape(value) for name, value in form.items()}
        return await browser.post(PLATFORM, CONSENT, form=sent | {"access": "write", "decision": decision} | typed)

    async def get_code(self, browser: Browser, **typed: str) -> str:
        return (await answer_sent(await self.decide(browser, **typed)))["code"]

    async def token(self, form: Mapping[str, str | None], **more: Any) -> Response:
        return await self._post(TOKEN, form, **more)

    async def redeem(self, code: str, /, **changes: str | None) -> Response:
        good: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "resource": ADDRESS.wiki_origin(self.slug) + "/mcp",
        }
        return await self.token(good | changes)

    async def refresh(self, refresh_token: str, /, **changes: str | None) -> Response:
        return await self.token({"grant_type": "refresh_token", "refresh_token": refresh_token} | changes)

    async def revoke(self, token: str) -> Response:
        return await self._post(REVOKE, {"token": token})

    async def connect(self, browser: Browser, **typed: str) -> dict[str, Any]:
        """Everything at once: the tokens as the client gets them."""
        answer = await self.redeem(await self.get_code(browser, **typed))
        assert answer.status_code == 200, await text_of(answer)
        tokens: dict[str, Any] = await answer.get_json()
        return tokens

    async def _post(self, path: str, form: Mapping[str, str | None], **more: Any) -> Response:
        """Post with the client's id, and secret if it has one; None leaves a field out."""
        proof = {"client_id": self.client_id, "client_secret": self.secret}
        fields = {name: value for name, value in {**proof, **form}.items() if value is not None}
        return await Browser(self.host).post(PLATFORM, path, form=fields, **more)

    def at(self, slug: str) -> Program:
        return replace(self, slug=slug)


async def a_program(
    host: SmallHost,
    slug: str,
    *,
    name: str = "Agent Smith",
    redirect_uri: str = CALLBACK,
    auth: AuthMethod = AuthMethod.NONE,
) -> Program:
    """Register a client."""
    client, secret = await host.registrations.add(ClientMetadata(name, None, (redirect_uri,), auth))
    return Program(host, client.id, secret, slug, secrets.token_urlsafe(40), redirect_uri)


async def answer_sent(page: Response) -> dict[str, str]:
    """What the page that leads back to the client tells it."""
    text = await text_of(page)
    found = re.search(r'http-equiv="refresh" content="0; url=(.*?)"', text)
    assert found, text
    return fields_of(html.unescape(found[1]))


def fields_of(location: str) -> dict[str, str]:
    """The fields of a redirect's query, each once."""
    query = urlsplit(location).query
    assert all(len(values) == 1 for values in parse_qs(query).values())
    return dict(parse_qsl(query))
