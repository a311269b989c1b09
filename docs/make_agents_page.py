"""Writes `docs/agents.md` from the code: `python docs/make_agents_page.py`, or `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from proxy.hosts import PlatformHost
from robot.address import PublicAddress
from robot.mcp.endpoint import MAX_BODY_BYTES
from robot.mcp.failures import NEXT_STEPS
from robot.mcp.prompts import PROMPTS
from robot.mcp.render import BYTES_PER_TOKEN, MAX_RESULT_BYTES
from robot.mcp.resources import MAX_RESOURCE_BYTES, PAGE_SIZE, templates
from robot.mcp.schemas import json_schema
from robot.mcp.server import listed
from robot.mcp.tool import Tool
from robot.mcp.tools import TOOLS
from robot.oauth.metadata import document_at, resource_metadata_address
from robot.settings import Settings
from robot.web.setups import Setup, agent_setups
from robot.wikis import MAX_GUIDANCE_CHARS
from wikihost.texts import MAX_PAGE_CHARACTERS

PAGE = Path(__file__).with_name("agents.md")

ADDRESS = PublicAddress("https", "example.org", 443)
SLUG = "notes"
ORIGIN = ADDRESS.wiki_origin(SLUG)

_START = """\
# Agents

<!-- Made by `make docs` from the tables in `robot/mcp/`, `robot/oauth/` and `robot/web/setups.py`; do not edit. -->

Each wiki is an MCP server at `/mcp` of its own address, such as `{origin}/mcp` in the examples here. It speaks
Streamable HTTP, protocol 2026-07-28 and the handshakes from 2024-11-05 to 2025-11-25, keeps no session, and runs no
agent itself. An agent acts for one person, in one wiki, with what that person allowed.

| | |
|---|---|
| [Connect](#connect) | what to do in each client |
| [Signing in](#signing-in) | OAuth: endpoints, scopes, lives |
| [Tokens](#tokens) | for what has no browser |
| [Tools](#tools) | {tools} tools, {size} |
| [Resources](#resources) | pages and files by address |
| [Prompts](#prompts) | tasks to start by name |
| [Limits](#limits) | how much, how often |
| [Errors](#errors) | what they mean, what to do |
| [Who did it](#who-did-it) | authors of commits, undo |
"""

_SIGNING_IN = """\
## Signing in

An agent that is given nothing but the address asks without a token and is told where to go: 401, with
`resource_metadata` and `scope` in `WWW-Authenticate`. It finds the authorization server, registers or shows its
metadata document, opens the person's browser, and comes back with a code. There is one issuer for all wikis of a host,
the platform; every token is bound to one wiki (`resource`, RFC 8707) and unknown at all others.

{endpoints}

{facts}

A client is known by a metadata document at an `https` address that is its `client_id`, or by registering (RFC 7591).
Only `https` addresses, loopback addresses with any port, and the schemes of known editors or of an application's own
domain may receive answers. The page that asks for consent shows the client, where the answer goes, the wiki and the
person, who may grant reading only, or one folder. Who loses the role in the wiki takes their agents along, at the next
request. The dashboard lists connections with their state, and revokes them.
"""

_TOKENS = """\
## Tokens

`Authorization: Bearer robot_…`, made under **Agents** on the dashboard or with `robot token create`. A token opens one
wiki, for MCP, REST and git (there as the password), never allows more than its person's role, may be read-only, and may
expire. It is never looked for in an address.

A token, and a connection too, may be confined to a **folder**: the agent then sees and changes the pages below it and
the page of the folder's own name, and everything else is to it as if it did not exist. git is closed to it.

Without any credential, whoever may read a page in a browser gets its Markdown at `{origin}/{{page}}.md`, and a public
wiki lists its pages at `/llms.txt`.
"""

_ERRORS = """\
## Errors

A tool that fails answers with `isError` and a sentence that ends in what to do next. An argument that a tool does not
know is refused, never ignored. Over HTTP:

| status | means | do |
|---|---|---|
| 401 | no token, or one that is expired, revoked, or of another wiki or a removed person | sign in, or make a token |
| 403 `insufficient_scope` | the agent may only read, and its person may write | ask the person for `wiki:write` |
| 403 | this person may not do that | tell the person |
| 404 | the address is not exactly `/mcp` | correct it |
| 405, 415 | not `POST`, or not `application/json` | there is no stream to `GET`, no session to `DELETE` |
| 413 | the message is too long | send less |
| 429 | too many registrations | wait for `Retry-After` seconds |
| 503 | the host is stopping or starting | try again |

A write that meets another's is refused with the revision as it is now: the agent reads again and changes what the page
says by then. Text to replace that is not there, or is there twice, is refused with the places where it is. Apart from
these:

{failures}
"""

_WHO = """\
## Who did it

Every write is a git commit. Its author is the person, with the client's name behind it (`Ada Lovelace (Claude Code)`),
and its trailers `Robot-Agent:` and `Robot-Via: mcp` say the same to programs. `commit_message` is used as it is given.
A write to a page that exists carries the revision that was read; if the page moved on, nothing is written and the
answer says so. `dry_run` shows the difference and commits nothing. `undo_change` takes back what one commit did, as a
new commit; the dashboard's activity page does so for everything of one agent. Nothing is ever removed from history.

A wiki's owner tells agents what to keep to under **Settings**, as guidance of up to {guidance:,} characters: it stands
in the `instructions` of each connection, in `get_wiki_info` and in the prompt `agent_guide`. Pages are data and never
instructions.
"""

Node = Mapping[str, Any]


def render() -> str:
    """The page as Markdown."""
    size = len(json.dumps([listed(tool) for tool in TOOLS], ensure_ascii=False, separators=(",", ":")).encode())
    parts = [
        _START.format(origin=ORIGIN, tools=len(TOOLS), size=f"about {size // BYTES_PER_TOKEN:,} tokens to list"),
        _connect(agent_setups(SLUG, ORIGIN, "robot_…")),
        _SIGNING_IN.format(endpoints=_endpoints(), facts=_facts()),
        _TOKENS.format(origin=ORIGIN),
        _tools(TOOLS),
        _resources(),
        _prompts(),
        _bounds_of_all(),
        _ERRORS.format(failures=_failures()),
        _WHO.format(guidance=MAX_GUIDANCE_CHARS),
    ]
    return "\n".join(parts)


def _connect(setups: Sequence[Setup]) -> str:
    blocks = ["## Connect"]
    for setup in setups:
        blocks.append(f"### {setup.agent}")
        if setup.sign_in:
            blocks.append(f"{setup.sign_in.how}\n\n```\n{setup.sign_in.text}\n```")
        if setup.token:
            instead = "With a token instead: " if setup.sign_in else ""
            how = setup.token.how
            blocks.append(f"{instead}{how[0].lower() + how[1:] if instead else how}\n\n```\n{setup.token.text}\n```")
    blocks.append(
        "A name under `.localhost`, as in the demo, is found by browsers, curl and git, but not by every agent; there"
        " the dashboard's set-ups spell the address by number, with the name in `Host`, and take a token."
    )
    return "\n\n".join(blocks) + "\n"


def _endpoints() -> str:
    server = document_at("/.well-known/oauth-authorization-server", ADDRESS, PlatformHost()) or {}
    rows = [(name.replace("_", " "), value) for name, value in server.items() if name.endswith("_endpoint")]
    places = [
        ("resource metadata (RFC 9728)", resource_metadata_address(ORIGIN)),
        ("server metadata (RFC 8414)", f"{server['issuer']}/.well-known/oauth-authorization-server"),
        ("issuer", server["issuer"]),
        *rows,
    ]
    return _table(("what", "where"), [(what, f"`{where}`") for what, where in places])


def _facts() -> str:
    server = document_at("/.well-known/oauth-authorization-server", ADDRESS, PlatformHost()) or {}
    lives = [
        (_cell(str(field.description)), f"`{name}`: {_duration(field.default)}")
        for name, field in Settings.model_fields.items()
        if name in ("access_token_life", "refresh_token_life")
    ]
    rows = [
        ("scopes", ", ".join(f"`{scope}`" for scope in server["scopes_supported"]) + "; write includes read"),
        ("grants", ", ".join(f"`{grant}`" for grant in server["grant_types_supported"])),
        ("client authentication", ", ".join(f"`{way}`" for way in server["token_endpoint_auth_methods_supported"])),
        ("PKCE", ", ".join(server["code_challenge_methods_supported"]) + " only"),
        *lives,
    ]
    return _table(("", ""), rows)


def _tools(tools: Sequence[Tool]) -> str:
    rows = [(f"[`{tool.name}`](#{tool.name})", tool.title, "write" if tool.writes else "read") for tool in tools]
    start = (
        "“Note” and “page” mean the same. An agent that may only read is shown only the tools that read. Answers come"
        " as short text and as `structuredContent` of the members named here; what people or agents wrote in the wiki"
        " is marked as data, which gives no orders."
    )
    return "\n\n".join(["## Tools", start, _table(("tool", "", "needs"), rows), *map(_tool, tools)]) + "\n"


def _tool(tool: Tool) -> str:
    arguments, result = json_schema(tool.arguments), json_schema(tool.result)
    # What looks like a link in a description is an example of one.
    description = tool.description.replace("](", "]\\(")
    blocks = [f"### {tool.name}", f"**{tool.title}.** {description}"]
    needed = arguments.get("required", ())
    rows = [
        (f"`{name}`", _kind(member), _cell(member.get("description", "")), _bounds(member, name in needed))
        for name, member in arguments.get("properties", {}).items()
    ]
    blocks.append(_table(("argument", "", "", ""), rows) if rows else "It takes no arguments.")
    blocks.append(f"Answers with {_members(result)}.")
    hints = [hint.removesuffix("Hint") for hint, is_so in tool.hints.items() if is_so]
    if hints:
        blocks.append(f"Hints: {', '.join(hints)}.")
    return "\n\n".join(blocks)


def _members(schema: Node) -> str:
    return ", ".join(f"`{name}`" for name in schema.get("properties", ()))


def _kind(member: Node) -> str:
    if "enum" in member:
        return " or ".join(f"`{value}`" for value in member["enum"])
    kind = str(member.get("type", "any"))
    return f"list of {_kind(member['items'])}s" if kind == "array" else kind


def _bounds(member: Node, is_needed: bool) -> str:
    """What a value may be, and what it is when it is not given."""
    return ", ".join([*_limits(member), "needed" if is_needed else _default(member)])


def _limits(member: Node) -> Iterator[str]:
    match member:
        case {"minimum": low, "maximum": high}:
            yield f"{low:,} to {high:,}"
        case {"minimum": low}:
            yield f"from {low:,}"
        case {"maximum": high}:
            yield f"to {high:,}"
        case {"maxItems": most}:
            yield f"to {most:,} of them"
    if "maxLength" in member:
        yield f"to {member['maxLength']:,} characters"


def _default(member: Node) -> str:
    default = member.get("default")
    return "optional" if default in (None, "", [], False) else f"`{json.dumps(default)}` if not given"


def _resources() -> str:
    rows = [(f"`{each['uriTemplate']}`", each["title"], _cell(each["description"])) for each in templates(SLUG)]
    text = (
        "`resources/list` names the wiki's pages, `resources/read` gives one as `text/markdown` or a file as it is."
        " `completion/complete` knows the names of pages. With `subscriptions/listen` (2026-07-28) a client hears of"
        " changes to pages and to the list, whatever door they came through."
    )
    return "\n\n".join(["## Resources", _table(("template", "", ""), rows), text]) + "\n"


def _prompts() -> str:
    rows = [
        (f"`{name}`", prompt.title, _cell(prompt.description), ", ".join(f"`{each}`" for each in prompt.arguments))
        for name, prompt in PROMPTS.items()
    ]
    return "\n\n".join(["## Prompts", _table(("prompt", "", "", "takes"), rows)]) + "\n"


def _bounds_of_all() -> str:
    rows = [
        ("a message to the server", f"{_mebibytes(MAX_BODY_BYTES)} MiB"),
        ("text of a page", f"{MAX_PAGE_CHARACTERS:,} characters"),
        ("an answer", f"about {MAX_RESULT_BYTES // BYTES_PER_TOKEN:,} tokens; it says how to go on"),
        ("one part of `resources/list`", f"{PAGE_SIZE} pages"),
        ("a file read as a resource", f"{_mebibytes(MAX_RESOURCE_BYTES)} MiB; larger ones over REST"),
        ("a wiki", "its quota of pages and bytes, which `get_wiki_info` tells"),
    ]
    return f"## Limits\n\n{_table(('what', 'at most'), rows)}\n"


def _failures() -> str:
    rows = [(_words(kind.__name__), _cell(step)) for kind, step in NEXT_STEPS.items()]
    return _table(("what", "next step"), rows)


def _words(name: str) -> str:
    return " ".join(word.lower() for word in re.findall("[A-Z][a-z]*", name))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _duration(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:g} hours" if hours < 48 else f"{hours / 24:g} days"


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:g}"


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
