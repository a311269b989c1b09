"""The real OpenID Connect provider of `openid_provider.mjs`, and a person who presses its pages."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import trustme

from robot.fetch import Door
from tests.judges.toolchain import node
from tests.pds.internet import mapped

# Chromium finds it without being told.
HOST = "id.localhost"
CLIENT_ID = "robot"
SECRET = "a secret, with/odd+characters 100%"
_MAX_PAGES = 12


@dataclass(frozen=True)
class OpenIdProvider:
    """A running one."""

    port: int
    ca_file: Path

    @property
    def issuer(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def door(self) -> Door:
        async def to_loopback(host: str, port: int) -> Sequence[str]:
            assert host == HOST
            return ["127.0.0.1"]

        return Door(resolve=to_loopback, allows=lambda address: address.is_loopback, ca_file=self.ca_file)

    def visit(self, address: str, person: str | None, leads_to: str) -> str:
        """Sign in there as `person` and agree, or press Cancel (None); the address that the browser is sent to."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        with httpx2.Client(verify=trust, transport=_ToLoopback(self.port, trust)) as browser:
            answer = browser.get(address)
            for _ in range(_MAX_PAGES):
                if answer.is_redirect:
                    there = urljoin(str(answer.url), answer.headers["location"])
                    if there.startswith(leads_to):
                        return there
                    answer = browser.get(there)
                elif person is None:
                    answer = browser.get(urljoin(str(answer.url), _found(r'href="([^"]*/abort)"', answer.text)))
                else:
                    form = {"prompt": _found(r'name="prompt" value="(\w+)"', answer.text), "login": person}
                    action = _found(r'action="([^"]*)"', answer.text)
                    answer = browser.post(urljoin(str(answer.url), action), data={**form, "password": "x"})
        raise AssertionError(f"the provider does not let go: {answer.text}")


class _ToLoopback(httpx2.HTTPTransport):
    """Sends what is for the provider to where it listens, under the name that it was addressed to."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(mapped(request, self._port))


def _found(pattern: str, page: str) -> str:
    found = re.search(pattern, page)
    assert found, page
    return found[1]


@contextlib.contextmanager
def openid_provider(place: Path, redirect_uri: str) -> Iterator[OpenIdProvider]:
    authority = trustme.CA()
    ca_file = place / "authority.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    leaf = authority.issue_cert(HOST)
    told = {
        "host": HOST,
        "cert": b"".join(blob.bytes() for blob in leaf.cert_chain_pems).decode(),
        "key": leaf.private_key_pem.bytes().decode(),
        "client": {
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "redirect_uris": [redirect_uri],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
        },
    }
    command = node(Path(__file__).with_suffix(".mjs"))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        print(json.dumps(told), file=process.stdin, flush=True)
        try:
            yield OpenIdProvider(int(process.stdout.readline()), ca_file)
        finally:
            process.stdin.close()
            process.wait(10)
