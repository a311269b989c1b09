"""What to paste into each agent so that it reaches a wiki. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

PLACEHOLDER = "YOUR_TOKEN"

_ONLINE = (
    "{agent} connects from its maker's servers and signs in with OAuth instead of a token, which this host does not"
    " offer yet. When it does, this is the address to enter under {where}:"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """One agent's set-up: what to do, and the text to paste."""

    agent: str
    how: str
    text: str


def claude_code(slug: str, origin: str, secret: str = PLACEHOLDER) -> Setup:
    """The command for Claude Code; `origin` is the wiki's."""
    url, headers = mcp_endpoint(origin, secret)
    options = " ".join(f'--header "{name}: {value}"' for name, value in headers.items())
    return Setup(
        "Claude Code",
        "Run this in the directory of your project, then ask Claude to read the wiki.",
        f"claude mcp add --transport http {slug} {url} {options}",
    )


def mcp_endpoint(origin: str, secret: str) -> tuple[str, dict[str, str]]:
    """URL and headers with which an agent reaches a wiki.

    Browsers and curl know that every name under `.localhost` is this machine (RFC 6761, section 6.3); the resolvers
    that agents use often do not. There the number goes into the URL and the name into `Host`.
    """
    headers = {"Authorization": f"Bearer {secret}"}
    parts = urlsplit(origin)
    if not (parts.hostname or "").endswith(".localhost"):
        return f"{origin}/mcp", headers
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://127.0.0.1{port}/mcp", {"Host": parts.netloc, **headers}


def agent_setups(slug: str, origin: str, secret: str = PLACEHOLDER) -> list[Setup]:
    """All set-ups for the wiki at `slug`, with the token in them."""
    url, headers = mcp_endpoint(origin, secret)
    cursor = {"mcpServers": {slug: {"url": url, "headers": headers}}}
    return [
        claude_code(slug, origin, secret),
        Setup("Cursor", "Put this into .cursor/mcp.json of your project.", json.dumps(cursor, indent=2)),
        Setup(
            "curl and scripts",
            "The REST API answers JSON; its pages are at /api/v1/pages.",
            f'curl -H "Authorization: Bearer {secret}" {origin}/api/v1/pages',
        ),
        Setup("Claude.ai", _ONLINE.format(agent="Claude.ai", where="Settings, Connectors"), f"{origin}/mcp"),
        Setup("ChatGPT", _ONLINE.format(agent="ChatGPT", where="Settings, Connectors"), f"{origin}/mcp"),
    ]
