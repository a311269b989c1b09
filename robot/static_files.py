"""Otter Wiki's own static files, served by core: no worker is woken for a stylesheet."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from proxy.asgi import App, Message, Receive, Scope, Send
from robot.answers import answer_text

# Otter Wiki puts its version behind "?", so that an address with a query never changes its content.
_FOREVER = b"public, max-age=31536000, immutable"
_A_WHILE = b"public, max-age=300"


def otterwiki_static() -> Path:
    """Where the installed Otter Wiki keeps its static files, found without importing it."""
    spec = importlib.util.find_spec("otterwiki")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("otterwiki is not installed; run make setup")
    return Path(spec.submodule_search_locations[0]) / "static"


def create_static_app(directory: Path) -> App:
    """An application for `/static/…`: GET and HEAD, ETag, ranges, and caching by whether the address is versioned."""
    files = StaticFiles(directory=directory)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        cache = _FOREVER if scope["query_string"] else _A_WHILE

        async def send_with_cache_control(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name != b"cache-control"]
                extra = [(b"cache-control", cache), (b"x-content-type-options", b"nosniff")]
                message["headers"] = [*kept, *(extra if message["status"] in (200, 206, 304) else extra[1:])]
            await send(message)

        # StaticFiles joins the path below `root_path` to its directory and refuses whatever leaves it.
        try:
            await files({**scope, "root_path": "/static"}, receive, send_with_cache_control)
        except HTTPException as error:
            await answer_text(send, error.status_code, "There is no such file.")

    return serve
