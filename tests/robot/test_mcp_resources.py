"""Resources and completion as clients see them, in both protocol eras."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import BlobResourceContents, PromptReference, ResourceTemplateReference, TextResourceContents

from robot.mcp import completion, resources, uris
from robot.mcp.completion import matching_names
from robot.mcp.paging import cursor_of, name_in
from robot.model import Visibility
from tests.robot.agent_doors import AUTHOR, Doors, connected, open_doors, serving

ERAS = ["legacy", "auto"]
ODD_NAMES = ["What now?", "C# and F#", "100% sure", "a%2Fb", "naïve/日本 語", "Tom & Jerry+=;,", "x[1]!*'()", "a:b@c$d"]


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def text_at(client: Client, uri: str) -> str:
    (contents,) = (await client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    assert (contents.uri, contents.mime_type) == (uri, "text/markdown")
    return contents.text


@pytest.mark.parametrize("era", ERAS)
async def test_pages_are_listed_in_parts_and_read_by_their_address(
    doors: Doors, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "PAGE_SIZE", 10)
    await doors.seed({f"Page {number:03}": f"Text {number}." for number in range(15)})
    await doors.seed({name: f"Here is {name}" for name in ODD_NAMES})
    async with serving(doors) as base, connected(base, "reader", era=era) as client:
        first = await client.list_resources()
        assert len(first.resources) == 10
        second = await client.list_resources(cursor=first.next_cursor)
        rest = await client.list_resources(cursor=second.next_cursor)
        assert rest.next_cursor is None
        parts = (first, second, rest)
        listed = {resource.name: resource for part in parts for resource in part.resources}
        assert list(listed) == sorted(listed)
        assert len(listed) == 15 + len(ODD_NAMES) + 1
        for name in ODD_NAMES:
            assert await text_at(client, listed[name].uri) == f"Here is {name}"
        about = listed["Page 007"]
        assert (about.title, about.mime_type, about.description) == ("Page 007", "text/markdown", "2 words")
        assert about.size == len("Text 7.")
        assert about.annotations is not None
        assert about.annotations.last_modified is not None
        with pytest.raises(MCPError, match="Unknown cursor") as refused:
            await client.list_resources(cursor="x")
        assert refused.value.code == -32602


async def test_a_name_is_read_however_the_client_fills_the_template(doors: Doors) -> None:
    names = [name for name in ODD_NAMES if name != "a%2Fb"]  # an escape to a client that fills in {+path}
    await doors.seed({name: f"Here is {name}" for name in names})
    async with serving(doors) as base, connected(base) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [
            "wiki://notes/page/{+path}",
            "wiki://notes/attachment/{+path}",
        ]
        for name in names:
            uri = UriTemplate.parse(templates[0].uri_template).expand({"path": name})
            assert await text_at(client, uri) == f"Here is {name}"
        assert await text_at(client, "WIKI://Notes/page/What now?") == "Here is What now?"


NOT_THERE = {
    "wiki://notes/page/Nowhere": "Page not found: Nowhere. Look for the name with list_notes",
    "wiki://notes/page/../../etc/passwd": "cannot contain '.' or '..'",
    "wiki://notes/page/%00": "control characters",
    "wiki://notes/page/%ff": "no such resource",
    "wiki://notes/page/": "no such resource",
    "wiki://other/page/Welcome": "is like wiki://notes/page/Home",
    "file:///etc/passwd": "no such resource",
    f"wiki://notes/page/{'x' * uris.MAX_URI_CHARS}": "no such resource",
    "wiki://notes/attachment/Welcome/none.png": "Attachment not found",
    "wiki://notes/attachment/none.png": "no such resource",
}


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_not_there_is_refused_in_words(doors: Doors, era: str) -> None:
    async with serving(doors) as base, connected(base, era=era) as client:
        for uri, sentence in NOT_THERE.items():
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert refused.value.code == {"legacy": -32002, "auto": -32602}[era]
            assert sentence in refused.value.message
            assert refused.value.data == {"uri": uri[: uris.MAX_URI_CHARS]}


async def test_a_long_page_says_that_it_is_not_whole(doors: Doors) -> None:
    await doors.seed({"Long": "".join(f"line {number}\n" for number in range(20_000)), "Wide": "x" * 200_000})
    async with serving(doors) as base, connected(base) as client:
        text = await text_at(client, "wiki://notes/page/Long")
        assert len(text) < 80_000
        notice, _, lines = text.partition("\n\n")
        assert f"offset {len(lines.splitlines())}." in notice
        assert lines.startswith("line 0\nline 1\n")
        assert lines.endswith("\n")
        assert "very long" in await text_at(client, "wiki://notes/page/Wide")


async def test_attachments_are_read_as_text_or_bytes(doors: Doors) -> None:
    files = {
        "a b.png": b"\x89PNG\0",
        "notes.txt": "Grüße".encode(),
        "latin.txt": b"Gr\xfc\xdfe",
        "big.bin": bytes(2**20 + 1),
    }
    for name, data in files.items():
        await doors.contents.change(
            doors.wiki,
            lambda content: content.write_attachment("Welcome", name, data, author=AUTHOR),  # noqa: B023
        )
    async with serving(doors) as base, connected(base) as client:
        (image,) = (await client.read_resource(uris.attachment_uri("notes", "Welcome", "a b.png"))).contents
        assert isinstance(image, BlobResourceContents)
        assert (image.mime_type, image.blob) == ("image/png", "iVBORwA=")
        (text,) = (await client.read_resource("wiki://notes/attachment/Welcome/notes.txt")).contents
        assert isinstance(text, TextResourceContents)
        assert (text.mime_type, text.text) == ("text/plain", "Grüße")
        (odd,) = (await client.read_resource("wiki://notes/attachment/Welcome/latin.txt")).contents
        assert isinstance(odd, BlobResourceContents)
        with pytest.raises(MCPError, match="1048577 bytes"):
            await client.read_resource("wiki://notes/attachment/Welcome/big.bin")


@pytest.mark.parametrize("visibility", Visibility)
async def test_only_what_everybody_may_read_may_be_shared_by_a_cache(tmp_path: Path, visibility: Visibility) -> None:
    doors = open_doors(tmp_path, visibility)
    scope = "public" if visibility is Visibility.PUBLIC else "private"
    async with serving(doors) as base, connected(base) as client:
        for result in (
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.read_resource("wiki://notes/page/Welcome"),
            await client.list_prompts(),
        ):
            assert result.cache_scope == scope
        assert (await client.list_tools()).cache_scope == "private"
        assert (await client.list_tools()).ttl_ms == 60_000
        assert (await client.list_resources()).ttl_ms == 5_000
        assert (await client.read_resource("wiki://notes/page/Welcome")).ttl_ms == 0


async def test_lists_that_come_whole_take_no_cursor(doors: Doors) -> None:
    async with serving(doors) as base, connected(base) as client:
        for listing in (client.list_tools, client.list_prompts, client.list_resource_templates):
            with pytest.raises(MCPError, match="Unknown cursor"):
                await listing(cursor="MTpIb21l")


@pytest.mark.parametrize("era", ERAS)
async def test_names_are_completed_from_the_catalog(doors: Doors, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completion.MAX_VALUES == 100
    monkeypatch.setattr(completion, "MAX_VALUES", 10)
    await doors.seed({f"Notes/Day {number}": "x" for number in range(12)} | {"Holiday": "x", "day-book": "x"})
    template = ResourceTemplateReference(uri="wiki://notes/page/{+path}")
    async with serving(doors) as base, connected(base, "reader", era=era) as client:
        typed = (await client.complete(template, {"name": "path", "value": "DAY"})).completion
        assert typed.values[:3] == ["day-book", "Notes/Day 0", "Notes/Day 1"]
        assert (len(typed.values), typed.total, typed.has_more) == (10, 14, True)
        prompt = PromptReference(name="summarise_page")
        few = (await client.complete(prompt, {"name": "path", "value": "holi"})).completion
        assert (few.values, few.total, few.has_more) == (["Holiday"], 1, False)
        attachment = ResourceTemplateReference(uri="wiki://notes/attachment/{+path}")
        assert (await client.complete(attachment, {"name": "path", "value": "H"})).completion.values == []
        for ref, argument in (
            (ResourceTemplateReference(uri="wiki://other/page/{+path}"), "path"),
            (template, "name"),
            (PromptReference(name="agent_guide"), "path"),
            (PromptReference(name="none"), "path"),
        ):
            with pytest.raises(MCPError, match="There is no"):
                await client.complete(ref, {"name": argument, "value": "H"})


def test_the_best_names_come_first() -> None:
    names = ["Today", "Archive/Day", "My Day", "Daybreak", "Night"]
    assert matching_names(names, "day") == ["Daybreak", "Archive/Day", "My Day", "Today"]
    assert matching_names(["On_Call"], "on call") == ["On_Call"]
    assert matching_names(names, "") == sorted(names)


def is_text(text: str) -> bool:
    """Whether it has no half characters, which no name can have."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


@given(st.text(min_size=1, max_size=60).filter(is_text))
@example("a/b?c#d%20e")
def test_an_address_names_the_same_page_again(name: str) -> None:
    uri = uris.page_uri("notes", name)
    assert uris.parse_uri("notes", uri) == uris.PageAddress(name)
    assert uri.isascii()
    assert not set(uri.removeprefix("wiki://notes/page/")) & set("?# ")


@given(st.text().filter(is_text))
def test_a_cursor_is_opaque_and_names_where_to_go_on(name: str) -> None:
    cursor = cursor_of(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert name_in(cursor) == name


@pytest.mark.parametrize("cursor", ["", "x", "é", "Mjpw", "MTr_", "=" * 10, "a" * 100_000])
def test_no_other_cursor_is_taken(cursor: str) -> None:
    with pytest.raises(MCPError, match="Unknown cursor"):
        name_in(cursor)
