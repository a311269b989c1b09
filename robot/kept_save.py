"""A save from the editor by somebody who is signed out, or too quick: the text comes back in a form to be sent again.

Anybody may send such a form, so its size and how many are held at once are bounded; beyond, it is refused as any other.
"""

from __future__ import annotations

from urllib.parse import parse_qs

import trio

from proxy.asgi import Receive, Scope, values_of
from robot.web.errors import render_kept_save

MAX_BYTES = 4 * 1024 * 1024
MAX_AT_ONCE = 4
_FIELDS = ("robot_base", "robot_marks", "commit", "content")
_MAX_FIELDS = 20

_at_once = trio.CapacityLimiter(MAX_AT_ONCE)


def is_save(scope: Scope) -> bool:
    """Whether the editor's form was sent."""
    kinds = values_of(scope["headers"], b"content-type")
    return (
        scope["method"] == "POST"
        and scope["path"].endswith("/save")
        and [kind.partition(b";")[0].strip() for kind in kinds] == [b"application/x-www-form-urlencoded"]
    )


async def kept_save_page(scope: Scope, receive: Receive, too_often: str | None = None) -> bytes | None:
    """The page with the form again; None when it is too large, or too many are held. Raises `BodyRefused`.

    It says that its sender is signed out, or, where they came too often, the sentence about that.
    """
    try:
        _at_once.acquire_nowait()
    except trio.WouldBlock:
        return None
    try:
        body = await _read(receive)
        if body is None:
            return None
        return await trio.to_thread.run_sync(_page, scope["raw_path"].decode("ascii"), body, too_often)
    finally:
        _at_once.release()


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None  # the client has gone
        body += message.get("body", b"")
        if len(body) > MAX_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _page(action: str, body: bytes, too_often: str | None) -> bytes | None:
    try:
        form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return None
    fields = {name: form[name][0] for name in _FIELDS if name in form}
    return render_kept_save(action, fields, too_often) if "content" in fields else None
