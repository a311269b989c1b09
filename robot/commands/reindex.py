"""`robot reindex`"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import trio

from robot.access import first_owner
from robot.commands.opened import Opened, open_platform, wiki_at
from robot.model import Scope, Token, Wiki
from robot.tokens import create_token, revoke_token

TOKEN_LIFETIME = timedelta(hours=1)
POLL_EVERY_S = 0.5
ANSWER_S = 30.0

Call = Callable[[str, str], dict[str, Any]]


@click.command("reindex")
@click.argument("slug")
@click.option("--no-wait", is_flag=True, help="Start it and return.")
@click.pass_obj
def command(config: Path | None, slug: str, no_wait: bool) -> None:
    """Have the running host build the search index of the wiki at SLUG anew, and show how far it is."""
    with open_platform(config) as opened:
        wiki = wiki_at(opened.db, slug)
        secret, token = trio.run(_make_token, opened, wiki)
        try:
            call = _caller(opened, slug, secret)
            call("POST", "/api/v1/reindex")
            if not no_wait:
                _follow(call)
        finally:
            trio.run(revoke_token, opened.db, wiki, token.id)


async def _make_token(opened: Opened, wiki: Wiki) -> tuple[str, Token]:
    owner = first_owner(opened.db, wiki)
    expires = datetime.now(UTC) + TOKEN_LIFETIME
    return await create_token(opened.db, owner, wiki, "robot reindex", {Scope.READ, Scope.WRITE}, expires=expires)


def _caller(opened: Opened, slug: str, secret: str) -> Call:
    """Calls the wiki's REST door on the port where the host listens."""
    base = f"http://127.0.0.1:{opened.settings.port}"
    headers = {"Host": f"{slug}.{opened.settings.domain}", "Authorization": f"Bearer {secret}"}

    def call(method: str, path: str) -> dict[str, Any]:
        request = urllib.request.Request(base + path, method=method, headers=headers)  # noqa: S310  (our own port)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise click.ClickException(json.load(error)["error"]) from error
        except OSError as error:
            raise click.ClickException(
                f"No robot answers on port {opened.settings.port} ({error}); start it, then try again."
            ) from error

    return call


def _follow(call: Call) -> None:
    with click.progressbar(length=1, label="Indexing") as bar:
        while True:
            status = call("GET", "/api/v1/reindex/status")
            bar.length = max(status["pages_total"], 1)
            bar.update(status["pages_indexed"] - bar.pos)
            if status["status"] != "in_progress":
                break
            time.sleep(POLL_EVERY_S)
    if status["status"] == "error":
        raise click.ClickException(f"Indexing failed: {status['error_message']}")
    click.echo(f"{status['pages_indexed']} pages, {status['chunks_indexed']} passages.")
