"""The pure parts of MCP: sections, the client's name, the door's refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from robot.challenge import unauthorized
from robot.mcp.call import calling_client
from robot.mcp.endpoint import refuse
from robot.mcp.sections import matching, sections_of
from robot.model import Scope, WikiRequest
from tests.robot.agent_doors import ORIGIN, a_wiki, an_agent

TEXT = """---
k: 1  # a comment
---
before
# A
## Use
one
~~~
# no heading
~~~
## See
# B
## Use
### Deep
two
"""


def test_sections_nest_by_level_and_skip_code_and_frontmatter() -> None:
    lines = TEXT.splitlines()
    found = [(section.name, lines[section.start], section.end) for section in sections_of(TEXT)]
    assert found == [
        ("A", "# A", 11),
        ("A > Use", "## Use", 10),
        ("A > See", "## See", 11),
        ("B", "# B", 15),
        ("B > Use", "## Use", 15),
        ("B > Use > Deep", "### Deep", 15),
    ]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("a", ["A"]),
        ("use", ["A > Use", "B > Use"]),
        ("b>USE", ["B > Use"]),
        ("use > deep", ["B > Use > Deep"]),
        ("no heading", []),
        ("", []),
    ],
)
def test_a_section_is_meant_by_the_end_of_its_path(wanted: str, names: list[str]) -> None:
    assert [section.name for section in matching(sections_of(TEXT), wanted)] == names


def test_a_whole_path_wins_over_the_end_of_a_longer_one() -> None:
    sections = sections_of("# Use\n# A\n## Use\n")
    assert [section.name for section in matching(sections, "use")] == ["Use"]


@pytest.mark.parametrize(
    ("announced", "user_agent", "name"),
    [
        ("Claude Code", "claude-code/2.1", "Claude Code"),
        (None, "claude-code/2.1 (cli)", "claude-code"),
        ("  ", "Cursor", "Cursor"),
        (None, "python-httpx2/2.16", "laptop"),
        (None, "Mozilla/5.0 (X11)", "laptop"),
        (None, "{}", "laptop"),
        (None, None, "laptop"),
    ],
)
def test_the_program_is_called_by_the_best_name_known(announced: str | None, user_agent: str | None, name: str) -> None:
    assert calling_client(an_agent(Scope.READ), announced, user_agent) == name


@pytest.mark.parametrize("token_sent", [True, False])
def test_a_challenge_names_an_error_only_for_a_token_that_was_sent(token_sent: bool) -> None:
    status, headers, body = unauthorized(ORIGIN, token_sent)
    challenge = dict(headers)[b"www-authenticate"].decode()
    assert status == 401
    assert challenge.startswith("Bearer ")
    assert ('error="invalid_token"' in challenge) is token_sent
    assert set(json.loads(body)) == {"error", "code"}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json", None),
        (b"Application/JSON; charset=utf-8", None),
        (b"application/json-patch+json", 415),
        (b"text/plain", 415),
        (None, 415),
    ],
)
def test_only_json_is_taken(content_type: bytes | None, status: int | None) -> None:
    request = WikiRequest(a_wiki(), an_agent(Scope.READ), ORIGIN, "r1")
    headers = [] if content_type is None else [(b"content-type", content_type)]
    scope: dict[str, Any] = {"method": "POST", "headers": headers, "robot.request": request}
    refusal = refuse(scope)
    assert (refusal[0] if refusal else None) == status
