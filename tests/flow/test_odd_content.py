"""Content that nobody meant, pushed with git: every door still reads, lists, searches and edits it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.doors import Doors, open_doors
from tests.harness import Robot
from tests.processes import git

pytestmark = pytest.mark.flow

_LONG_WORDS = b"Some words of a page that is as long as a page can be. " * 10 + b"\n\n"

# Each has the word `mark` and what follows it once.
ODD: dict[str, bytes] = {
    "Odd front": b"---\ncategory: 7\ntitle: 42\ntags: [2026, null, 1.5, [x], {a: b}]\n---\nmarkodd\n",
    "List front": b"---\n- a\n- b\n---\nmarklist\n",
    "Broken front": b"---\ntags: [a\ntitle: 'x\n---\nmarkbroken\n",
    "Open front": b"---\ntitle: never closed\n\nmarkopen\n",
    "Nul": b"# Nul\n\n\0\0 marknul \0\n",
    "Latin": "# Gr\u00fc\u00dfe\n\nmarklatin [[Home]]\n".encode("latin-1"),
    "Byte order": b"\xef\xbb\xbf---\ntitle: With BOM\n---\nmarkorder\n",
    "Carriage": b"# Head\r\n\r\nmarkcarriage\rlone\r\n",
    "Long line": b"marklong " + b"x" * 300_000 + b"\n",
    "Megabyte": b"# Mega\n\nmarkmegabyte\n\n" + _LONG_WORDS * 1_800,
    "Table": b"# Table\n\nmarktable\n\n| a | b | c |\n|---|---|---|\n" + b"| 1 | 2 | [[Home]] |\n" * 5_000,
}


@pytest.fixture(scope="module")
def doors(robot: Robot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(robot) as opened:
        copy = opened.clone(tmp_path_factory.mktemp("odd") / "copy")
        copy.write({f"{name}.md": text for name, text in ODD.items()})
        copy("push", "-q")
        yield opened


def mark_of(name: str) -> str:
    return f"mark{name.split()[-1 if name == 'Byte order' else 0].lower()}"


@pytest.mark.parametrize("name", ODD)
def test_it_is_read_found_and_edited_everywhere(doors: Doors, name: str) -> None:
    mark, page = mark_of(name), doors.page(name)
    assert page["content"] == ODD[name].decode("utf-8", "replace")
    done, said, note = doors.tool("read_note", path=name)
    assert done, said
    found = doors.rest.get("/api/v1/search", params={"q": mark}).json()["results"]
    assert [hit["path"] for hit in found] == [name]
    for view in ("", "/source", "/history", "/blame", "?edit", "/attachments"):
        shown = doors.browser.get(f"/{quote(name)}{view}")
        assert (shown.status_code, mark in shown.text or view in ("/history", "/attachments")) == (200, True), view
    done, said, written = doors.tool(
        "edit_note", path=name, revision=note["revision"], old_string=mark, new_string=f"{mark} edited"
    )
    assert done, said
    assert stored(doors, name) == ODD[name].replace(mark.encode(), f"{mark} edited".encode())
    for address in (
        f"/{quote(name)}/diff/{page['revision']}/{written['revision']}",
        f"/-/commit/{written['revision']}",
    ):
        assert doors.browser.get(address).status_code == 200, address
    assert doors.save(name, f"Saved {mark}.").status_code == 302
    assert stored(doors, name) == f"Saved {mark}.\n".encode()


def stored(doors: Doors, name: str) -> bytes:
    """The bytes of a page in the work tree, which every write brings along."""
    return (doors.home.repo / f"{name}.md").read_bytes()


def test_lists_show_it(doors: Doors) -> None:
    listed = {page["path"] for page in doors.rest.get("/api/v1/pages").json()["pages"]}
    assert listed >= set(ODD)
    for path in ("/", "/-/index", "/-/changelog", "/sitemap.xml", "/-/changelog/feed.rss", "/-/changelog/feed.atom"):
        assert doors.browser.get(path).status_code == 200, path
    for tool in ("list_notes", "get_wiki_info"):
        assert doors.tool(tool)[0]
    for filter_of in ("category=7", "tag=2026"):
        assert doors.rest.get(f"/api/v1/pages?{filter_of}").status_code == 200


def test_a_rename_in_the_browser_leaves_what_is_no_text_alone(doors: Doors) -> None:
    latin = "Gr\u00fc\u00dfe an [[Target]]\n".encode("latin-1")
    copy = doors.clone(Path(doors.home.root) / "unused copy")
    copy.write({"Target.md": "# Target\n", "Latin links.md": latin, "Links.md": "[[Target]]\n"})
    copy("push", "-q")
    form = {"new_pagename": "Goal", "message": "Move", "update_backlinks": "1"}
    renamed = doors.browser.post("/Target/rename", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert renamed.status_code == 302
    assert (stored(doors, "Links"), stored(doors, "Latin links")) == (b"[[Goal]]\n", latin)
    assert doors.page("Goal")["content"] == "# Target\n"


# A revision is 4 to 64 hexadecimal digits, or HEAD where Otter Wiki itself says so. The last one stands for a blob.
NO_REVISION = ["--output=x", "HEAD~999999", "abc", "-x", "main", "HEAD^{tree}", ":/x", "@{1}", "0" * 40, "g" * 40, ""]


@pytest.mark.parametrize("revision", NO_REVISION)
def test_what_is_no_revision_is_none_at_every_route(doors: Doors, revision: str) -> None:
    before = git(doors.home.repo, "rev-parse", "HEAD")
    revision = revision or git(doors.home.repo, "rev-parse", "HEAD:Home.md").strip()
    asked = quote(revision, safe="")
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    for path in (
        f"/Home/view/{asked}",
        f"/Home?revision={asked}",
        f"/Home/source/{asked}",
        f"/Home/blame/{asked}",
        f"/Home/edit/{asked}",
        f"/Home?edit&revision={asked}",
        f"/Home/diff/{asked}/{asked}",
        f"/Home/diff/HEAD/{asked}",
        f"/-/changelog/{asked}",
        f"/-/log/{asked}",
        f"/-/commit/{asked}",
        f"/-/revert/{asked}",
        f"/Home/a/none.png/{asked}",
    ):
        assert doors.browser.get(path).status_code < 500, path
    for path, form in (
        (f"/-/revert/{asked}", {"message": "x"}),
        ("/Home/history", {"rev_a": revision, "rev_b": revision}),
        ("/Home/draft", {"content": "x", "revision": revision}),
    ):
        assert doors.browser.post(path, data=form, headers=same_origin).status_code < 500, path
    for path in ("pages/Home?revision=", "changes?since=", "changelog?cursor=", "pages/Home/history?cursor="):
        answer = doors.rest.get(f"/api/v1/{path}{asked}")
        assert answer.status_code < 500, path
        assert "cursor" in path or answer.status_code in (404, 422), path
    assert doors.put("Home", "x", revision).status_code in (409, 422)
    assert not doors.tool("read_note", path="Home", revision=revision)[0]
    assert not doors.tool("write_note", path="Home", content="x", revision=revision)[0]
    assert git(doors.home.repo, "rev-parse", "HEAD") == before
    assert not list(doors.home.repo.glob("x*"))
