"""The running host, on the port where it listens: called over REST as a wiki's owner, or asked for its figures."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import IO, Any

import click
import trio

from robot.access import first_owner
from robot.audit import OPERATOR
from robot.commands.opened import Opened
from robot.model import Scope, Token, Wiki
from robot.tokens import create_token, revoke_token

# A large wiki is indexed in minutes, a large host in hours. The token goes when the verb ends.
TOKEN_LIFETIME = timedelta(hours=12)
ANSWER_S = 30.0


class Refused(click.ClickException):
    """The host does not do it: `code` is the REST API's word for why, empty if it gave none."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class HostDoor:
    """The REST API of one wiki, on the port where the host listens."""

    port: int
    host: str
    secret: str

    def call(self, method: str, path: str) -> dict[str, Any]:
        """The answer to a request without a body. Raises `Refused`, and `click.ClickException` where nobody answers."""
        headers = {"Host": self.host, "Authorization": f"Bearer {self.secret}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310  (our own port)
                return self._read(answer)
        except urllib.error.HTTPError as error:
            body = self._read(error)
            raise Refused(str(body.get("error", error.reason)), str(body.get("code", ""))) from error
        except OSError as error:
            raise click.ClickException(
                f"No robot answers on port {self.port} ({error}); start it, then try again."
            ) from error

    def _read(self, answer: IO[bytes]) -> dict[str, Any]:
        try:
            found = json.load(answer)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise click.ClickException(f"What answers on port {self.port} is not robot; check `port` in the settings.")
        return found


def read_figures(port: int) -> str | None:
    """The text of `/metrics`; None where nobody listens. Raises `click.ClickException` where it is not given."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ANSWER_S) as answer:
            text: str = answer.read().decode("utf-8", "replace")
            return text
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise click.ClickException(
                f"What answers on port {port} gives its figures to others only; add 127.0.0.0/8 to `metrics_from`."
            ) from error
        raise click.ClickException(f"The host is starting or stopping ({error.code}); try again.") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            return None
        raise click.ClickException(f"The host on port {port} does not answer: {reason}.") from error


@contextmanager
def owners_door(opened: Opened, wiki: Wiki, verb: str) -> Iterator[HostDoor]:
    """The wiki's API with a token of its owner that goes when this is left."""
    secret, token = trio.run(_make_token, opened, wiki, f"robot {verb}")
    try:
        yield HostDoor(opened.settings.port, f"{wiki.slug}.{opened.settings.domain}", secret)
    finally:
        trio.run(partial(revoke_token, opened.db, wiki, token.id, by=OPERATOR))


async def _make_token(opened: Opened, wiki: Wiki, name: str) -> tuple[str, Token]:
    owner = first_owner(opened.db, wiki)
    expires = datetime.now(UTC) + TOKEN_LIFETIME
    scopes = {Scope.READ, Scope.WRITE}
    return await create_token(opened.db, owner, wiki, name, scopes, expires=expires, by=OPERATOR)
