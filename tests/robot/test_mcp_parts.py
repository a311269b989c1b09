"""The pure parts of MCP: sections, the client's name, the door's refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from robot.mcp.call import calling_client
from robot.mcp.challenge import unauthorized
from robot.mcp.endpoint import refuse
from robot.mcp.failures import ToolFailed
from robot.mcp.render import cut
from robot.mcp.sections import matching, sections_of, with_appended, with_section
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


_LINES = st.sampled_from(
    ["# A\n", "## B\n", "### C\n", "text\n", "\n", "more\r\n", "Under\n", "===\n", "```\n", "    # code\n"]
)
_TEXTS = st.lists(_LINES, max_size=14).map("".join)


@given(_TEXTS, st.sampled_from(["", "new\n", "one\ntwo", "\n\n"]), st.data())
def test_a_section_changes_and_nothing_else(text: str, new: str, data: st.DataObject) -> None:
    sections = sections_of(text)
    assume(sections)
    place = data.draw(st.integers(0, len(sections) - 1))
    assume(len(matching(sections, sections[place].name)) == 1)
    lines = text.splitlines(keepends=True)
    changed = with_section(text, sections[place].name, new)
    before, after = "".join(lines[: sections[place].start]), "".join(lines[sections[place].end :])
    assert changed.startswith(before)
    assert changed.endswith(after)
    middle = changed[len(before) : len(changed) - len(after)]
    assert middle.replace("\r\n", "\n").startswith(lines[sections[place].start].replace("\r\n", "\n"))
    assert new.replace("\r\n", "\n").rstrip("\n") in middle.replace("\r\n", "\n")


@given(_TEXTS, st.sampled_from(["new\n", "one\ntwo", "\npara"]), st.data())
def test_adding_takes_nothing_away(text: str, added: str, data: st.DataObject) -> None:
    names = [section.name for section in sections_of(text)]
    wanted = data.draw(st.sampled_from(["", *names]))
    assume(not wanted or len(matching(sections_of(text), wanted)) == 1)
    changed = with_appended(text, added, wanted).replace("\r\n", "\n")
    put = added.rstrip("\n") + "\n"
    before, _, after = changed.rpartition(put)
    assert put in changed
    assert (before + after).replace("\n", "") == text.replace("\r\n", "\n").replace("\n", "")
    assert not before or before.endswith("\n")


@pytest.mark.parametrize(
    ("text", "wanted", "new", "changed"),
    [
        ("# A\nold\n\n# B\n", "A", "new", "# A\nnew\n\n# B\n"),
        ("# A\nold\n", "A", "# Z\nnew", "# Z\nnew\n"),
        ("Title\n=====\nold\n", "Title", "new", "Title\n=====\nnew\n"),
        ("# A\r\nold\r\n", "A", "one\ntwo", "# A\r\none\r\ntwo\r\n"),
        ("# A", "A", "new", "# A\nnew\n"),
        ("# A\nold\n## Sub\nx\n", "A", "", "# A\n"),
        ("---\nk: v\n---\n# A\nold\n", "A", "new", "---\nk: v\n---\n# A\nnew\n"),
    ],
)
def test_a_section_gets_its_new_text(text: str, wanted: str, new: str, changed: str) -> None:
    assert with_section(text, wanted, new) == changed


def test_two_sections_of_one_path_cannot_be_told_apart() -> None:
    with pytest.raises(ToolFailed, match="2 sections have the path 'A'; use read_note and edit_note"):
        with_section("# A\n# A\n", "A", "x")
    with pytest.raises(ToolFailed, match="has no sections; leave section out"):
        with_appended("plain", "x", "A")


@pytest.mark.parametrize(
    ("text", "most", "kept"), [("abc", 3, "abc"), ("abcd", 3, "abc"), ("éé", 3, "é"), ("日本", 5, "日")]
)
def test_a_text_is_cut_between_characters(text: str, most: int, kept: str) -> None:
    assert cut(text, most) == kept
