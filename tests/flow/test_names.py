"""One rule for names at every door of a real server: REST, MCP, a browser, and git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.doors import Doors, one_segment, open_doors
from tests.harness import Robot
from tests.names_corpus import LEGAL, REFUSED, SPELLINGS
from tests.processes import git

pytestmark = pytest.mark.flow

NEW = [name for name in LEGAL if name != "Home"]


@pytest.fixture(scope="module")
def doors(robot: Robot) -> Iterator[Doors]:
    with open_doors(robot) as opened:
        yield opened


def test_a_legal_name_goes_from_every_door_to_every_door(doors: Doors, tmp_path: Path) -> None:
    copy = doors.clone(tmp_path / "copy")
    copy.write({f"{name}.md": f"Pushed {number}.\n" for number, name in enumerate(NEW)})
    copy("push", "-q")
    for number, name in enumerate(NEW):
        assert_everywhere(doors, name, f"Pushed {number}.\n")
        assert doors.save(name, f"Saved {number}.").status_code == 302, name
        page = assert_everywhere(doors, name, f"Saved {number}.\n")
        done, said, _ = doors.tool("write_note", path=name, content=f"Told {number}.", revision=page["revision"])
        assert done, said
        assert doors.rest.delete(f"/api/v1/pages/{one_segment(name)}").json()["path"] == name
        assert doors.browser.get(f"/{quote(name)}").status_code == 404
        assert doors.put(name, f"Put {number}.").status_code == 201
    copy("pull", "-q")
    assert {name: (copy.place / f"{name}.md").read_text() for name in NEW} == {
        name: f"Put {number}." for number, name in enumerate(NEW)
    }


def assert_everywhere(doors: Doors, name: str, text: str) -> dict[str, object]:
    """REST, MCP and the browser show this text under this name; the page as REST has it."""
    page = doors.page(name)
    assert (page["path"], page["content"]) == (name, text)
    done, said, note = doors.tool("read_note", path=name)
    assert done, said
    assert (note["path"], note["content"]) == (name, text)
    shown = doors.browser.get(f"/{quote(name)}")
    assert (shown.status_code, text.strip() in shown.text) == (200, True), name
    return page


@pytest.mark.parametrize(("stored", "spelled"), SPELLINGS.items(), ids=ascii)
def test_spellings_are_one_page(doors: Doors, tmp_path: Path, stored: str, spelled: str) -> None:
    stored, spelled = f"Spelt {stored}", f"Spelt {spelled}"
    assert doors.put(stored, "First.").status_code == 201
    assert doors.page(spelled)["path"] == stored
    assert doors.put(spelled, "Unread.").json()["code"] == "revision_required"
    _, _, note = doors.tool("read_note", path=spelled)
    assert note["path"] == stored
    assert doors.save(spelled, "Second.").status_code == 302
    assert doors.page(stored)["content"] == "Second.\n"
    copy = doors.clone(tmp_path / "copy")
    copy.write({f"{spelled}.md": "x"})
    said = copy.fails("push")
    assert "same page" in said or "spelled as usual" in said


def test_a_bad_name_is_refused_at_every_door(doors: Doors) -> None:
    repo = doors.home.repo
    before = git(repo, "rev-parse", "HEAD")
    for name in REFUSED:
        if "\ud800" in name:
            continue  # no address and no JSON in UTF-8 can hold it
        address = one_segment(name) if name.startswith("/") else quote(name).replace(".", "%2E")
        headers = {"Sec-Fetch-Site": "same-origin"}
        saved = doors.browser.post(f"/{address}/save", data={"content": "x"}, headers=headers)
        put = doors.rest.put(f"/api/v1/pages/{one_segment(name)}", json={"content": "x"})
        done, _, _ = doors.tool("write_note", path=name, content="x")
        verdicts = (400 <= saved.status_code < 500, 400 <= put.status_code < 500, not done)
        assert verdicts == (True, True, True), (name, saved.status_code, put.status_code)
        assert git(repo, "rev-parse", "HEAD") == before, name
