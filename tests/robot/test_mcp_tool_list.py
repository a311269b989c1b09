"""What `tools/list` tells: small enough to be put before every conversation, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from robot.mcp.schemas import json_schema
from robot.mcp.tools import TOOLS
from tests.robot.agent_doors import Doors, connected, open_doors, serving

# The budget is 12,000 tokens; in these schemas a token has about four bytes.
MAX_LIST_BYTES = 36_000
MAX_TOOLS = 25

OLD_TOOLS = {
    "read_note": ["path", "revision", "section"],
    "write_note": ["path", "content", "revision", "commit_message"],
    "edit_note": ["path", "revision", "old_string", "new_string", "commit_message"],
    "list_notes": ["prefix", "category", "tag", "updated_since"],
    "search_notes": ["query"],
    "semantic_search": ["query", "n", "max_chunks_per_page"],
    "get_links": ["path"],
    "get_recent_changes": ["limit"],
    "get_history": ["path", "limit"],
    "rename_note": ["path", "new_path", "commit_message"],
    "delete_note": ["path", "commit_message"],
    "find_orphaned_notes": [],
    "list_attachments": ["path"],
    "upload_attachment": ["path", "filename", "content", "commit_message"],
    "download_attachment": ["path", "filename"],
    "delete_attachment": ["path", "filename", "commit_message"],
}
OLD_REQUIRED = {"path", "content", "old_string", "new_string", "query", "new_path", "filename"}
NEW_TOOLS = {
    "search",
    "fetch",
    "read_notes",
    "append_note",
    "edit_section",
    "get_changes",
    "find_broken_links",
    "get_wiki_info",
    "undo_change",
}
# Name: (destructive, idempotent); the others only read.
WRITING = {
    "write_note": (True, True),
    "edit_note": (True, True),
    "edit_section": (True, True),
    "append_note": (False, False),
    "rename_note": (False, True),
    "delete_note": (True, True),
    "undo_change": (False, True),
    "upload_attachment": (True, True),
    "delete_attachment": (True, True),
}
BY_NAME = {tool.name: tool for tool in TOOLS}


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def test_the_list_is_short_and_says_what_each_tool_does(doors: Doors) -> None:
    async with serving(doors) as base, connected(base) as client:
        tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == NEW_TOOLS | set(OLD_TOOLS)
    assert len(tools) == MAX_TOOLS
    told = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
    assert len(told) < MAX_LIST_BYTES
    for tool in tools:
        assert len(tool.name) <= 30
        assert tool.title
        assert 20 < len(tool.description or "") < 250
        hints = tool.annotations
        assert hints is not None
        destructive, idempotent = WRITING.get(tool.name, (False, True))
        assert hints.read_only_hint is (tool.name not in WRITING)
        assert (hints.destructive_hint, hints.idempotent_hint) == (destructive, idempotent)
        assert hints.open_world_hint is False
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"


@pytest.mark.parametrize("name", OLD_TOOLS)
def test_old_arguments_are_still_taken(name: str) -> None:
    schema = json_schema(BY_NAME[name].arguments)
    assert set(OLD_TOOLS[name]) <= set(schema["properties"])
    required = (OLD_REQUIRED | ({"revision"} if name == "edit_note" else set())) & set(OLD_TOOLS[name])
    assert set(schema.get("required", [])) == required


@pytest.mark.parametrize("name", BY_NAME)
def test_schemas_are_schemas(name: str) -> None:
    for model in (BY_NAME[name].arguments, BY_NAME[name].result):
        schema = json_schema(model)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "null" not in json.dumps(schema)


@pytest.mark.parametrize("name", WRITING)
def test_what_writes_can_be_tried_first(name: str) -> None:
    properties: dict[str, Any] = json_schema(BY_NAME[name].arguments)["properties"]
    assert properties["dry_run"]["default"] is False
    assert properties["commit_message"]["default"] == ""
    assert BY_NAME[name].writes
