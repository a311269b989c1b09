"""Keyword search and redirects as scripts and agents meet them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.robot.agent_doors import Doors, connected, open_doors, serving
from tests.robot.mcp_client import fail, succeed
from tests.robot.test_rest import script
from wikihost.redirects import redirect_text


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


PAGES = {f"Log/{number}": f"# Log\n\n## Day {number}\nThe pilot & <b>crew</b> 🙂 sailed.\n" for number in range(5)}


async def test_a_script_reads_hits_in_parts(doors: Doors) -> None:
    await doors.seed(PAGES)
    async with script(doors) as http:
        first = (await http.get("search", params={"q": "pilot sailed path:log", "limit": 3})).json()
        rest = (await http.get("search", params={"q": "pilot sailed path:log", "cursor": first["cursor"]})).json()
        assert (first["total"], rest["total"], len(first["results"]), "cursor" in rest) == (5, 5, 3, False)
        hits = first["results"] + rest["results"]
        assert sorted(hit["path"] for hit in hits) == sorted(PAGES)
        (hit,) = (hit for hit in hits if hit["path"] == "Log/3")
        assert (hit["name"], hit["score"], hit["section"], hit["anchor"]) == ("3", 1.0, "Day 3", "day-3")
        assert hit["snippet"] == "# Log ## Day 3 The pilot & <b>crew</b> 🙂 sailed."
        assert [hit["snippet"][begin:end] for begin, end in hit["highlights"]] == ["pilot", "sailed"]
        for cursor in ("5", "999999999999", "-1", "x"):
            beyond = (await http.get("search", params={"q": "pilot", "cursor": cursor})).json()
            assert beyond["total"] == 5
        assert (await http.get("search", params={"q": "-pilot path:log"})).json()["total"] == 0


async def test_an_agent_searches_and_goes_on(doors: Doors) -> None:
    await doors.seed(PAGES)
    async with serving(doors) as base, connected(base) as client:
        text, found = await succeed(client, "search_notes", query='"pilot" -path:*/4', limit=3)
        assert text.startswith('4 results for ""pilot" -path:*/4":\n(3 of them here; go on with cursor=\'3\'.)\n')
        assert "   Section: Day" in text
        text, found = await succeed(client, "search_notes", query='"pilot" -path:*/4', cursor=found["cursor"])
        assert (len(found["results"]), found.get("cursor")) == (1, None)
        await fail(client, "search_notes", query="x", cursor="-1")
        text, _ = await succeed(client, "search_notes", query="helmsman")
        assert text == (
            '0 results for "helmsman":\n(Try other words, fewer conditions, or `search`, which also goes by meaning.)'
        )


async def test_a_script_follows_redirects(doors: Doors) -> None:
    await doors.seed({"Old Name": "# Text\n", "Other": "[[Old Name]]\n"})
    async with script(doors) as http:
        direct = (await http.get("pages/Old Name")).headers["etag"]
        moved = (await http.post("pages/Old Name/rename", json={"new_path": "New ✓"})).json()
        got = await http.get("pages/Old_Name")
        page = got.json()
        assert (page["path"], page["content"], page["redirected_from"]) == ("New ✓", "# Text\n", "Old Name")
        assert (page["revision"], page["linked_from"]) == (moved["revision"], ["Other"])
        tag = got.headers["etag"]
        assert tag not in (direct, (await http.get("pages/New ✓")).headers["etag"])
        known = await http.get("pages/Old Name", headers={"If-None-Match": tag})
        assert (known.status_code, known.headers["etag"]) == (304, tag)
        stub = await http.get("pages/Old Name", params={"redirect": "0"}, headers={"If-None-Match": tag})
        assert stub.json()["frontmatter"] == {"redirect": "New ✓"}
        assert "redirected_from" not in stub.json()
        assert "redirected_from" not in (await http.get("pages/New ✓")).json()
        history = (await http.get("pages/Old Name/history")).json()["history"]
        assert history[0]["revision"] == moved["revision"]


async def test_another_target_has_another_tag_even_of_the_same_commit(doors: Doors) -> None:
    async with script(doors) as http:
        await doors.seed({"A": "a\n", "B": "b\n", "Way": "---\nredirect: A\n---\n"})
        before = (await http.get("pages/Way")).headers["etag"]
        stub = (await http.get("pages/Way?redirect=0")).json()
        await http.put("pages/Way", json={"content": "---\nredirect: B\n---\n", "revision": stub["revision"]})
        after = await http.get("pages/Way", headers={"If-None-Match": before})
        assert (after.status_code, after.json()["content"]) == (200, "b\n")


async def test_what_was_read_at_an_old_name_is_not_written_there(doors: Doors) -> None:
    async with script(doors) as http:
        await doors.seed({"Old": "# Text\n"})
        await http.post("pages/Old/rename", json={"new_path": "New"})
        read = await http.get("pages/Old")
        body = {"content": "# Text, and more\n", "revision": read.json()["revision"]}
        refused = await http.put("pages/Old", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert "redirect to New" in refused.json()["error"]
        by_tag = await http.put("pages/Old", json={"content": "x"}, headers={"If-Match": read.headers["etag"]})
        assert by_tag.status_code == 422
        assert await doors.text("New") == "# Text\n"
        meant = await http.put("pages/Old?redirect=0", json=body)
        assert meant.status_code == 200
        assert (await http.get("pages/Old")).json()["content"] == "# Text, and more\n"


async def test_an_agent_is_told_of_a_redirect(doors: Doors) -> None:
    await doors.seed({"New": "# Text\n\n## Part\nHere.\n", "Old": redirect_text("New")})
    async with serving(doors) as base, connected(base) as client:
        text, note = await succeed(client, "read_note", path="Old")
        lines = text.splitlines()
        assert lines[:2] == ["# New", "Path: New"]
        assert lines[3] == "Redirected from: Old (write to New)"
        assert (note["path"], note["redirected_from"]) == ("New", "Old")
        text, _ = await succeed(client, "read_note", path="Old", section="Part")
        assert "Redirected from: Old" in text
        said = await fail(client, "write_note", path="Old", content="# Lost?", revision=note["revision"])
        assert "redirect to New" in said
        text, note = await succeed(client, "read_note", path="New")
        assert "Redirected" not in text
        assert "redirected_from" not in note
