"""robot on a machine that reaches one document of the internet, and nothing else: the one that says who Claude Code is.

Claude Code has no registration: its client id is the address of that document, which robot fetches. Run as robot is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from unittest.mock import patch

import trio

from robot import cli
from robot.fetch import Door, Fetched, FetchRefused

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"
DOCUMENTS = {
    CLAUDE_CODE: {
        "client_id": CLAUDE_CODE,
        "client_name": "Claude Code",
        "client_uri": "https://claude.ai",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
}


class KnownDoor(Door):
    """Finds the documents above; how a fetch goes wrong is for other tests."""

    async def get(
        self,
        url: str,
        *,
        types: Iterable[str],
        max_bytes: int,
        deadline_s: float,
        max_redirects: int = 0,
        headers: Mapping[str, str] | None = None,
        statuses: Collection[int] = (),
    ) -> Fetched:
        await trio.lowlevel.checkpoint()
        if url not in DOCUMENTS:
            raise FetchRefused(f"{url} is not known here.")
        return Fetched(url, "application/json", json.dumps(DOCUMENTS[url]).encode())


if __name__ == "__main__":
    with patch("robot.doors.Door", KnownDoor):
        cli.main()
