"""The visitor presses the real PDS's pages, for a program that runs on its person's own machine."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.pds.internet import PDS, Internet
from tests.pds.visitor import Visitor

pytestmark = pytest.mark.pds

REDIRECT = "http://127.0.0.1/callback"
CLIENT = "http://localhost?" + urlencode({"redirect_uri": REDIRECT, "scope": "atproto"})
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B


async def authorization_url(internet: Internet, state: str) -> str:
    form = {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "atproto",
        "state": state,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = await internet.door.post(
        f"https://{PDS}/oauth/par",
        body=urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded",
        types=["application/json"],
        max_bytes=65_536,
        deadline_s=10,
        statuses=[201],
    )
    query = {"client_id": CLIENT, "request_uri": json.loads(answer.body)["request_uri"]}
    return f"https://{PDS}/oauth/authorize?{urlencode(query)}"


def asked_of_the_client(url: str) -> dict[str, str]:
    assert url.startswith(f"{REDIRECT}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_consent_gives_a_code(internet: Internet, visitor: Visitor) -> None:
    told = asked_of_the_client(await visitor.approve(await authorization_url(internet, "s1"), internet.alice))
    assert told["iss"] == f"https://{PDS}"
    assert told["state"] == "s1"
    assert told["code"]


async def test_cancel_is_told(internet: Internet, visitor: Visitor) -> None:
    told = asked_of_the_client(await visitor.deny(await authorization_url(internet, "s2")))
    assert told["error"] == "access_denied"
    assert told["state"] == "s2"
