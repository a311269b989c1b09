"""What to do in each agent so that it reaches a wiki. Pure.

Signing in (OAuth) is the normal way: the agent gets the address and nothing else. A token is for what has no browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PLACEHOLDER = "YOUR_TOKEN"

# Browsers, curl and git know that every name under `.localhost` is this machine (RFC 6761, section 6.3).
LOCAL_NOTE = (
    "This wiki's name ends in .localhost, which browsers, curl and git find by themselves and other programs often do"
    " not. So what follows spells the address by number and takes a token. Signing in, with the address above alone,"
    " works once this machine finds such names for every program (on Debian: apt install libnss-myhostname)."
)
_OUT_OF_REACH = (
    "{agent} connects from its maker's servers, which cannot reach this machine. On a public host it signs in."
)


@dataclass(frozen=True, slots=True)
class Link:
    """An address that a program on the reader's machine opens, with the set-up filled in."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way to connect: what to do, the text to paste, and perhaps a link that does the same."""

    how: str
    text: str
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """One agent's set-up: by signing in and with a token, each when the agent and the host allow it; else a note."""

    agent: str
    sign_in: Way | None = None
    token: Way | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Wiki:
    """A wiki as an agent reaches it: at `address` to sign in, at `url` with `headers` when it has the token."""

    slug: str
    origin: str
    secret: str
    url: str
    headers: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"{self.origin}/mcp"


def agent_setups(slug: str, origin: str, secret: str = PLACEHOLDER) -> list[Setup]:
    """All set-ups for the wiki at `slug`, whose origin is `origin`, with the token in them."""
    url, headers = mcp_endpoint(origin, secret)
    wiki = _Wiki(slug, origin, secret, url, headers)
    return [
        _claude_code(wiki),
        _online(wiki, "Claude.ai", "Under Settings, Connectors, choose “Add custom connector” and enter this address."),
        _online(
            wiki,
            "ChatGPT",
            "Under Settings, Connectors, Advanced switch developer mode on. Then choose Create under Connectors, enter"
            " this address, and OAuth as the authentication.",
        ),
        _cursor(wiki),
        _vs_code(wiki),
        _codex(wiki),
        _gemini(wiki),
        _bridge(wiki),
        Setup(
            "curl and scripts",
            token=Way(
                "The REST API answers JSON; its pages are at /api/v1/pages.",
                f'curl -H "Authorization: Bearer {secret}" {origin}/api/v1/pages',
            ),
        ),
    ]


def claude_code_line(slug: str, origin: str, secret: str | None) -> str:
    """The command that connects Claude Code: with a token, or without one to sign in."""
    url, headers = (f"{origin}/mcp", {}) if secret is None else mcp_endpoint(origin, secret)
    return " ".join([f"claude mcp add --transport http {slug} {url}", *_options(headers)])


def is_local(origin: str) -> bool:
    """Whether only programs that know of `.localhost` find this host."""
    return (urlsplit(origin).hostname or "").endswith(".localhost")


def mcp_endpoint(origin: str, secret: str) -> tuple[str, dict[str, str]]:
    """URL and headers with which an agent that has a token reaches a wiki.

    The resolvers that agents use often do not know `.localhost`: there the number goes into the URL and the name into
    `Host`.
    """
    headers = {"Authorization": f"Bearer {secret}"}
    if not is_local(origin):
        return f"{origin}/mcp", headers
    parts = urlsplit(origin)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://127.0.0.1{port}/mcp", {"Host": parts.netloc, **headers}


def _setup(wiki: _Wiki, agent: str, sign_in: Way, token: Way) -> Setup:
    """Both ways; an agent that must be given a number cannot follow the names that signing in leads it to."""
    return Setup(agent, None if is_local(wiki.origin) else sign_in, token)


def _claude_code(wiki: _Wiki) -> Setup:
    return _setup(
        wiki,
        "Claude Code",
        Way(
            "Run this in the directory of your project. Then start claude and enter /mcp to sign in.",
            claude_code_line(wiki.slug, wiki.origin, None),
        ),
        Way(
            "Run this in the directory of your project, then ask Claude to read the wiki.",
            claude_code_line(wiki.slug, wiki.origin, wiki.secret),
        ),
    )


def _online(wiki: _Wiki, agent: str, how: str) -> Setup:
    if is_local(wiki.origin):
        return Setup(agent, note=_OUT_OF_REACH.format(agent=agent))
    return Setup(agent, sign_in=Way(how, wiki.address))


def _cursor(wiki: _Wiki) -> Setup:
    config = base64.b64encode(json.dumps({"url": wiki.address}).encode()).decode()
    query = urlencode({"name": wiki.slug, "config": config})
    return _setup(
        wiki,
        "Cursor",
        Way(
            "Put this into .cursor/mcp.json of your project. Cursor then asks you to sign in.",
            _servers("mcpServers", wiki, {"url": wiki.address}),
            Link("Add to Cursor", f"cursor://anysphere.cursor-deeplink/mcp/install?{query}"),
        ),
        Way(
            "Put this into .cursor/mcp.json of your project.",
            _servers("mcpServers", wiki, {"url": wiki.url, "headers": dict(wiki.headers)}),
        ),
    )


def _vs_code(wiki: _Wiki) -> Setup:
    server = {"type": "http", "url": wiki.address}
    return _setup(
        wiki,
        "VS Code",
        Way(
            "Put this into .vscode/mcp.json of your project. VS Code then asks you to sign in.",
            _servers("servers", wiki, server),
            Link("Add to VS Code", f"vscode:mcp/install?{quote(json.dumps({'name': wiki.slug, **server}), safe='')}"),
        ),
        Way(
            "Put this into .vscode/mcp.json of your project.",
            _servers("servers", wiki, {**server, "url": wiki.url, "headers": dict(wiki.headers)}),
        ),
    )


def _codex(wiki: _Wiki) -> Setup:
    headers = ", ".join(f'"{name}" = "{value}"' for name, value in wiki.headers.items())
    return _setup(
        wiki,
        "Codex CLI",
        Way(
            f"Run this; your browser opens to sign in. Later, codex mcp login {wiki.slug} does so again.",
            f"codex mcp add {wiki.slug} --url {wiki.address}",
        ),
        Way(
            "Put this into ~/.codex/config.toml.",
            f'[mcp_servers.{wiki.slug}]\nurl = "{wiki.url}"\nhttp_headers = {{ {headers} }}',
        ),
    )


def _gemini(wiki: _Wiki) -> Setup:
    command = f"gemini mcp add --transport http {wiki.slug}"
    return _setup(
        wiki,
        "Gemini CLI",
        Way(
            f"Run this. Then start gemini and enter /mcp auth {wiki.slug} to sign in.",
            f"{command} {wiki.address}",
        ),
        Way(
            "Run this, then ask Gemini to read the wiki.",
            " ".join([command, wiki.url, *_options(wiki.headers)]),
        ),
    )


def _bridge(wiki: _Wiki) -> Setup:
    """For programs that start their MCP servers themselves (stdio). A space after the colon of a header, as an
    argument, is lost in some of them, so the value comes from the environment."""
    arguments = ["-y", "mcp-remote"]
    plain = [f"{name}:{value}" for name, value in wiki.headers.items() if name != "Authorization"]
    headers = [each for header in (*plain, "Authorization:${WIKI_AUTH}") for each in ("--header", header)]
    with_token = {
        "command": "npx",
        "args": [*arguments, wiki.url, *headers],
        "env": {"WIKI_AUTH": wiki.headers["Authorization"]},
    }
    return _setup(
        wiki,
        "Programs without HTTP",
        Way(
            "Some programs only start MCP servers of their own (stdio). Put this into their settings; it needs Node."
            " Your browser opens to sign in.",
            _servers("mcpServers", wiki, {"command": "npx", "args": [*arguments, wiki.address]}),
        ),
        Way(
            "Some programs only start MCP servers of their own (stdio). Put this into their settings; it needs Node.",
            _servers("mcpServers", wiki, with_token),
        ),
    )


def _options(headers: Mapping[str, str]) -> list[str]:
    return [f'--header "{name}: {value}"' for name, value in headers.items()]


def _servers(key: str, wiki: _Wiki, server: Mapping[str, Any]) -> str:
    return json.dumps({key: {wiki.slug: server}}, indent=2, ensure_ascii=False)
