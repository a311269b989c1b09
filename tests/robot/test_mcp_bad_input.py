"""Bad input at every tool: refused in words that say what to do, and nothing is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.mcp.nearest import nearest
from robot.mcp.tools import TOOLS
from robot.mcp.tools.reading import FetchArguments
from robot.model import Scope
from tests.robot.agent_doors import Doors, an_agent, open_doors
from tests.robot.mcp_client import called, refused
from wikihost.errors import InvalidPageName
from wikihost.names import parse_page_name

REVISION = "0123456789"
# What each tool needs, besides the arguments under test.
NEEDED: dict[str, dict[str, Any]] = {
    "get_wiki_info": {},
    "search": {"query": "x"},
    "fetch": {"id": "Welcome"},
    "search_notes": {"query": "x"},
    "semantic_search": {"query": "x"},
    "list_notes": {},
    "read_note": {"path": "Welcome"},
    "read_notes": {"paths": ["Welcome"]},
    "write_note": {"path": "Welcome", "content": "x"},
    "edit_note": {"path": "Welcome", "revision": REVISION, "old_string": "a", "new_string": "b"},
    "edit_section": {"path": "Welcome", "revision": REVISION, "section": "A", "content": "x"},
    "append_note": {"path": "Welcome", "content": "x"},
    "rename_note": {"path": "Welcome", "new_path": "Other"},
    "delete_note": {"path": "Welcome"},
    "get_links": {"path": "Welcome"},
    "find_orphaned_notes": {},
    "find_broken_links": {},
    "get_recent_changes": {},
    "get_history": {"path": "Welcome"},
    "get_changes": {"since": REVISION},
    "undo_change": {"revision": REVISION},
    "list_attachments": {"path": "Welcome"},
    "download_attachment": {"path": "Welcome", "filename": "a.png"},
    "upload_attachment": {"path": "Welcome", "filename": "a.png", "content": "AAAA"},
    "delete_attachment": {"path": "Welcome", "filename": "a.png"},
}
NAMES = [(tool, name) for tool, needed in NEEDED.items() for name in needed if name in ("path", "new_path", "id")]
PLAIN_NAME = "Use a plain name such as 'Guides/Setup'"

# A name that no page can have, and the next step that the agent is told.
BAD_NAMES = {
    "": "at least 1 character",
    "../../etc/passwd": PLAIN_NAME,
    "a/../b": PLAIN_NAME,
    "/etc/passwd": PLAIN_NAME,
    "nul\0byte": PLAIN_NAME,
    ".git/config": PLAIN_NAME,
    "a//b": PLAIN_NAME,
    "back\\slash": PLAIN_NAME,
    "-x": PLAIN_NAME,
    "line\nbreak": PLAIN_NAME,
    "x" * 1_001: "at most 1000 characters",
    "http://127.0.0.1:1/mcp": "is a URL; give the page name, probably 'mcp'",
    "https://notes.robot.test/Guides/Set%20up?revision=1#top": "give the page name, probably 'Guides/Set up'",
    "wiki://notes/page/On%20Call": "give the page name, probably 'On Call'",
    "file:///": "give the page name, such as 'Guides/Setup'",
    "http://[": "give the page name, such as 'Guides/Setup'",
}


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def state_of(doors: Doors) -> tuple[str, int]:
    stats = await doors.contents.run(doors.wiki, lambda content: content.stats())
    return stats.head, stats.pages


def test_every_tool_is_in_the_table() -> None:
    assert list(NEEDED) == [tool.name for tool in TOOLS]


async def test_unknown_and_missing_arguments(doors: Doors) -> None:
    before = await state_of(doors)
    for tool in TOOLS:
        known = ", ".join(tool.arguments.model_fields)
        takes = f"{tool.name} takes: {known}." if known else f"{tool.name} takes no arguments."
        unknown = await refused(doors, tool.name, **NEEDED[tool.name], verbose=True)
        assert unknown == f"Invalid arguments: verbose is not known. {takes}"
        for name in NEEDED[tool.name]:
            rest = {key: value for key, value in NEEDED[tool.name].items() if key != name}
            misspelt = await refused(doors, tool.name, **rest, **{f"{name}s": "x"})
            assert f"{name} is missing" in misspelt
            assert f"{name}s is not known (did you mean {name}?)" in misspelt
            assert takes in misspelt
            assert f"{name}: input should be" in (await refused(doors, tool.name, **rest, **{name: {"a": 1}})).lower()
    assert await state_of(doors) == before


@pytest.mark.parametrize(("name", "step"), BAD_NAMES.items(), ids=lambda value: repr(value)[:24])
async def test_impossible_names(doors: Doors, name: str, step: str) -> None:
    before = await state_of(doors)
    for tool, argument in NAMES:
        words = await refused(doors, tool, **NEEDED[tool] | {argument: name})
        assert step in words, (tool, words)
        assert "/api/" not in words
    assert await state_of(doors) == before


async def test_impossible_names_among_several(doors: Doors) -> None:
    assert "paths.1 is a URL" in await refused(doors, "read_notes", paths=["Welcome", "http://x/Home"])
    assert "paths: " in await refused(doors, "read_notes", paths=[])
    assert "read them in several calls" in await refused(doors, "read_notes", paths=["x"] * 21)


@pytest.mark.parametrize("filename", ["", "..", "a/b.png", "../a.png", "nul\0.png", "page.md", ".hidden", "x" * 300])
async def test_impossible_file_names(doors: Doors, filename: str) -> None:
    before = await state_of(doors)
    words = await refused(doors, "upload_attachment", path="Welcome", filename=filename, content="AAAA")
    assert "Nothing was written. Take another file" in words or "at least 1 character" in words
    for tool in ("download_attachment", "delete_attachment"):
        words = await refused(doors, tool, path="Welcome", filename=filename)
        assert "The page has no files." in words or "at least 1 character" in words
    assert await state_of(doors) == before


async def test_texts_too_long(doors: Doors) -> None:
    before = await state_of(doors)
    for tool in ("write_note", "append_note", "edit_section"):
        words = await refused(doors, tool, **NEEDED[tool] | {"content": "x" * 1_000_001})
        assert "at most 1000000 characters (split it into several linked pages)" in words
    await doors.seed({"Long": "x" * 999_999})
    revision = await doors.revision("Long")
    words = await refused(doors, "append_note", path="Long", content="12")
    assert "A page can have at most 1,000,000 characters" in words
    assert "Split it into several linked pages." in words
    assert "ask with fewer words" in await refused(doors, "search", query="x" * 1_001)
    assert await doors.revision("Long") == revision
    assert (await state_of(doors))[1] == before[1] + 1


@pytest.mark.parametrize("revision", ["", "xyz", "123456", "0" * 41, "01234567\0"])
async def test_what_is_no_revision(doors: Doors, revision: str) -> None:
    for tool in ("edit_note", "edit_section", "get_changes", "undo_change"):
        name = "since" if tool == "get_changes" else "revision"
        assert f"{name} must be 7 to 40 hex digits" in await refused(doors, tool, **NEEDED[tool] | {name: revision})


async def test_a_revision_that_is_none_of_this_wiki(doors: Doors) -> None:
    for tool, arguments in (
        ("read_note", {"path": "Welcome", "revision": REVISION}),
        ("get_changes", {"since": REVISION}),
    ):
        assert "Take one from read_note, get_history or get_recent_changes." in await refused(doors, tool, **arguments)
    for tool in ("write_note", "edit_note", "edit_section", "delete_note", "rename_note"):
        words = await refused(doors, tool, **NEEDED[tool] | {"revision": REVISION})
        assert "Nothing was written. Read the page again with read_note" in words
        assert await doors.revision("Welcome") in words
    await doors.seed({"Later": "x"})
    first = await doors.contents.run(doors.wiki, lambda content: content.history("Welcome", 1)[0].revision)
    words = await refused(doors, "read_note", path="Later", revision=first)
    assert "The page exists now; get_history lists its revisions." in words


async def test_a_page_that_is_not_there(doors: Doors) -> None:
    await doors.seed({"Guides/Set up": "x", "On Call": "y"})
    pages = [tool for tool, argument in NAMES if argument in ("path", "id") and tool not in ("write_note", "get_links")]
    for tool in pages:
        argument = "id" if tool == "fetch" else "path"
        near = await refused(doors, tool, **NEEDED[tool] | {argument: "guides/set-up"})
        assert near.startswith("Page not found: guides/set-up.\nNearest names")
        assert near.endswith("- Guides/Set up")
        far = await refused(doors, tool, **NEEDED[tool] | {argument: "zzzzzzzz"})
        assert "Look for the name with list_notes or search_notes, or create the page with write_note." in far


async def test_an_offset_past_the_end(doors: Doors) -> None:
    await doors.seed({"Short": "# One\n\ntext\n"})
    assert await refused(doors, "read_note", path="Short", offset=3) == "offset 3 is past the end: there are 3 lines."


async def test_who_may_only_read_is_not_told_to_write(doors: Doors) -> None:
    for tool, path in (("read_note", "zzzzzzzz"), ("read_note", "Welcom"), ("read_notes", "zzzzzzzz")):
        argument = {"paths": [path]} if tool == "read_notes" else {"path": path}
        told = str(await called(doors, tool, an_agent(Scope.READ), **argument))
        assert "Page not found" in told
        assert "write_note" not in told


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("On_Call", ["On Call", "Team/On Call"]),
        ("on-call", ["On Call", "Team/On Call"]),
        ("Call", ["On Call", "Team/On Call"]),
        ("Runbok", ["Runbook"]),
        ("Other/Runbook.md", ["Runbook"]),
        ("zz", []),
        ("x" * 1_000, []),
    ],
)
def test_names_that_are_near(name: str, found: list[str]) -> None:
    assert nearest(name, ["Home", "On Call", "Team/On Call", "Runbook", "W" * 900]) == found


@contextmanager
def fresh_doors() -> Iterator[Doors]:
    with tempfile.TemporaryDirectory() as root:
        doors = open_doors(Path(root))
        try:
            yield doors
        finally:
            doors.contents.close_all()


def test_any_name_is_written_and_read_or_refused_in_words() -> None:
    with fresh_doors() as doors:

        @settings(max_examples=60)
        @given(st.text(alphabet="aB /.\\-_%?#:[]|<>\0\n\u2028é日😀", min_size=1, max_size=12))
        def check(name: str) -> None:
            trio.run(_write_and_read, doors, name)

        check()


async def _write_and_read(doors: Doors, name: str) -> None:
    result = await called(doors, "write_note", path=name, content=f"This is {name!r}.", revision=REVISION)
    try:
        FetchArguments(id=name)
        meant = parse_page_name(name)
    except (InvalidPageName, ValueError):
        assert PLAIN_NAME in result["content"][0]["text"] or "is a URL" in result["content"][0]["text"]
        return
    assert not result["isError"] or "read_note" in result["content"][0]["text"]  # it exists
    read = await called(doors, "read_note", path=name)
    assert read["structuredContent"]["path"].replace("_", " ") == meant.replace("_", " ")
