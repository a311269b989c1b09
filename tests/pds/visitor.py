"""A browser without a screen: keeps cookies by host, says where it navigates from, and presses the PDS's pages.

Those pages are a program that speaks JSON to `~api`, which is no public interface: what it wants is as locked here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.pds.internet import Account, Internet

NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
_API = "/@atproto/oauth-provider/~api/"
_MAX_HOPS = 5


@dataclass
class Visitor:
    """One person's browser. `cookies` are by host and name, for tests to look at and to change."""

    http: httpx2.AsyncClient
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    async def get(self, url: str, *, site: str = "none") -> httpx2.Response:
        """Navigate to an address; no redirect is followed. `site` is the Sec-Fetch-Site that a browser would send."""
        return await self._send("GET", url, {**NAVIGATES, "Sec-Fetch-Site": site, "Sec-Fetch-User": "?1"})

    async def post(self, url: str, form: Mapping[str, str]) -> httpx2.Response:
        """Send a form of a page of the same origin; no redirect is followed."""
        headers = {**NAVIGATES, "Sec-Fetch-Site": "same-origin", "Origin": _origin(url), "Sec-Fetch-User": "?1"}
        return await self._send("POST", url, headers, data=dict(form))

    async def approve(self, authorization_url: str, account: Account) -> str:
        """Sign in at the PDS and allow what is asked; the address of the client that it then sends to, not visited."""
        headers = await self._open(authorization_url)
        credentials = {"locale": "en", "username": account.handle, "password": account.password, "remember": False}
        signed_in = await self._api("sign-in", credentials, headers)
        bearer = signed_in.get("ephemeralToken")
        proof = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        agreed = await self._api("consent", {"did": account.did, "scope": "atproto"}, {**headers, **proof})
        return await self._leave(agreed["url"], authorization_url)

    async def deny(self, authorization_url: str) -> str:
        """Press Cancel at the PDS; the address of the client that it then sends to, not visited."""
        refused = await self._api("reject", {}, await self._open(authorization_url))
        return await self._leave(refused["url"], authorization_url)

    async def _open(self, authorization_url: str) -> dict[str, str]:
        """Look at the sign-in page; the headers with which its program asks."""
        page = await self.get(authorization_url, site="cross-site")
        assert page.status_code == 200, page.text
        origin = _origin(authorization_url)
        return {
            "Origin": origin,
            "Referer": authorization_url,
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "same-origin",
            "Sec-Fetch-Dest": "empty",
            "X-CSRF-Token": self.cookies[urlsplit(origin).netloc]["csrf-token"],
        }

    async def _api(self, name: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        answer = await self._send("POST", headers["Origin"] + _API + name, headers, json=dict(body))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def _leave(self, url: str, authorization_url: str) -> str:
        """Follow the PDS's own redirects until one leads away from it."""
        here = _origin(authorization_url)
        for _ in range(_MAX_HOPS):
            headers = {**NAVIGATES, "Sec-Fetch-Site": "same-origin", "Referer": authorization_url}
            answer = await self._send("GET", url, headers)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["location"])
            if _origin(url) != here:
                return url
        raise AssertionError(f"the PDS does not let go: {url}")

    async def _send(self, method: str, url: str, headers: Mapping[str, str], **body: Any) -> httpx2.Response:
        jar = self.cookies.setdefault(urlsplit(url).netloc, {})
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        request = httpx2.Request(method, url, headers={**headers, **kept}, **body)
        answer = await self.http.send(request, follow_redirects=False)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                jar.pop(name, None)
            else:
                jar[name] = value
        return answer


@asynccontextmanager
async def visiting(internet: Internet) -> AsyncIterator[Visitor]:
    """A browser that nobody knows yet, closed with the block."""
    async with httpx2.AsyncClient(transport=internet.transport, timeout=30) as http:
        yield Visitor(http)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
