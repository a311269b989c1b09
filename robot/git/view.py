"""A view of a wiki for git programs (`wikihost.transfer`), which is gone when they are done with it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from wikihost.layout import DataDir, WikiHome
from wikihost.transfer import Transfer, close_transfer, open_transfer

CLOSE_S: Final = 30.0


@asynccontextmanager
async def git_view(data: DataDir, home: WikiHome) -> AsyncIterator[Transfer]:
    """The wiki as it is now. Raises `StorageFull`, `StorageFailed`."""
    root = data.transfers / secrets.token_hex(8)
    try:
        yield await trio.to_thread.run_sync(open_transfer, home, root)
    finally:
        with trio.move_on_after(CLOSE_S, shield=True):
            await trio.to_thread.run_sync(close_transfer, root)
