"""A visitor: sequential requests on a kept-alive connection, to a host name that no resolver has to know."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Self

TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end `seconds` after the request was begun."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


class Visitor:
    """One connection to 127.0.0.1:`port`, made again whenever the server closes it.

    `headers` go with each request. Cookies that the server sets are sent back where `cookies` is given, and nowhere
    else: most visitors here are strangers each time.
    """

    def __init__(
        self, port: int, host: str, headers: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._headers = {"Host": f"{host}:{port}", "Accept": "text/html", **(headers or {})}
        self._cookies = None if cookies is None else dict(cookies)

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request. Raises OSError when there is no answer."""
        sent = {**self._headers, **(headers or {})}
        if self._cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        began = time.perf_counter()
        self._connection.request(method, target, body, sent)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.read(), time.perf_counter() - began, dict(response.headers))
        if self._cookies is not None:
            for line in response.headers.get_all("Set-Cookie", []):
                self._cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        return answer

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET `target`. Raises OSError when there is no answer."""
        return self.ask("GET", target, headers=headers)

    def get_page(self, target: str) -> Answer:
        """GET `target`. Raises WrongAnswer unless the status is 200."""
        answer = self.get(target)
        if answer.status != http.HTTPStatus.OK:
            raise WrongAnswer(f"{target}: {answer.status} {answer.body[:200]!r}")
        return answer

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WrongAnswer(Exception):
    """The server answered something that must not be counted as a page."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_page(port: int, host: str, target: str, *, limit_s: float, pause_s: float = 0.005) -> None:
    """Ask until the answer is 200. Raises TimeoutError after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            with Visitor(port, host) as visitor:
                if visitor.get(target).status == http.HTTPStatus.OK:
                    return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(pause_s)
    raise TimeoutError(f"no page at {host}{target} within {limit_s} s")
