"""Renames, removals and files of pages in the content itself: catalog, history and git agree afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost.content import Content
from wikihost.errors import PageExists, StorageFailed
from wikihost.layout import WikiHome
from wikihost.markdown import retarget_links, split_frontmatter, wikilinks

TABLES = {
    "page": "path, key, title, blob, category, tags, words, frontmatter, revision, updated",
    "page_commit JOIN commits ON commits.id = commit_id": "file, oid, change",
    "link JOIN page ON page.id = page_id": "path, ordinal, target, link.key",
}


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", {"Home": "# Home\n", "A": "[[Home]]", "B": "[[shown|A#x]] [[A]]"})


@pytest.fixture
def content(home: WikiHome) -> Iterator[Content]:
    opened = Content(home)
    yield opened
    opened.close()


def rows(content: Content) -> dict[str, list[str]]:
    content.sync()
    return {table: content.catalog.read(partial(_rows_of, table)) for table in TABLES}


def _rows_of(table: str, connection: Connection) -> list[str]:
    return sorted(map(repr, connection.execute(f"SELECT {TABLES[table]} FROM {table}").fetchall()))


def test_the_catalog_after_moves_is_that_of_a_rebuild(content: Content, home: WikiHome) -> None:
    content.write_attachment("A", "f.bin", b"\0\1", author=ADA)
    content.rename_page("A", "Deep/A", author=ADA)
    content.rename_page("B", "C", redirect=False, author=ADA)
    content.write_attachment("Deep/A", "f.bin", b"\2", author=ADA)
    content.delete_attachment("Deep/A", "f.bin", author=ADA)
    content.delete_page("Home", author=ADA)
    followed = rows(content)
    content.catalog.close()
    home.catalog_db.unlink()
    assert rows(content) == followed
    assert content.read_page("C").text == "[[shown|Deep/A#x]] [[Deep/A]]"
    assert_sound(home)


def test_a_history_follows_two_renames(content: Content) -> None:
    content.rename_page("A", "A2", redirect=False, author=ADA)
    content.rename_page("A2", "A3", author=ADA)
    messages = [commit.message for commit in content.history("A3", 10)]
    assert messages[:2] == ["[api] Rename: A2 -> A3", "[api] Rename: A -> A2"]
    assert len(messages) == 3
    assert len(content.history("A3", 2)) == 2


def test_files_that_git_brought_are_shown_moved_and_removed(content: Content, home: WikiHome) -> None:
    folder = home.repo / "A"
    folder.mkdir()
    (folder / ".hidden").write_bytes(b"x")
    (folder / "sub").mkdir()
    (folder / "sub" / "deep.bin").write_bytes(b"y")
    (folder / "link.png").symlink_to("/etc/passwd")
    Path(str(folder).encode().decode(), "caf\udce9.txt").write_bytes(b"latin-1 name")
    git(home, "add", ".")
    git(home, "commit", "-q", "-m", "push")
    assert [file.filename for file in content.list_attachments("A")] == [".hidden"]
    content.rename_page("A", "Z", redirect=False, author=ADA)
    assert content.read_blob(content.find_attachment("Z", ".hidden").blob) == b"x"
    content.delete_page("Z", author=ADA)
    left = set(git(home, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    assert {name for name in left if not name.endswith(".md")} == {"A/link.png", "A/sub/deep.bin"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", os.urandom(1_000_000), b"\0" * 3_000_000, b"ab" * 262_144],
    ids=["empty", "one", "random", "zeros", "pairs"],
)
def test_a_file_comes_whole_in_pieces(content: Content, home: WikiHome, data: bytes) -> None:
    content.write_attachment("Home", "f.bin", data, author=ADA)
    blob = content.find_attachment("Home", "f.bin").blob
    for _ in range(2):
        pieces: list[bytes] = []
        content.copy_blob(blob, pieces.append)
        assert b"".join(pieces) == data
        git(home, "gc", "--quiet", "--prune=now")  # the second time it is packed


def test_a_damaged_file_is_told_and_not_cut_short(content: Content, home: WikiHome) -> None:
    content.write_attachment("Home", "f.bin", os.urandom(1_000_000), author=ADA)
    blob = content.find_attachment("Home", "f.bin").blob
    loose = home.git_dir / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    os.truncate(loose, 500_000)
    with pytest.raises(StorageFailed):
        content.copy_blob(blob, lambda piece: None)


def test_files_of_another_page_are_not_overwritten_by_a_move(content: Content, home: WikiHome) -> None:
    content.write_attachment("A", "f", b"mine", author=ADA)
    (home.repo / "New").mkdir()
    (home.repo / "New" / "f").write_bytes(b"theirs")
    git(home, "add", ".")
    git(home, "commit", "-q", "-m", "by hand")
    with pytest.raises(PageExists):
        content.rename_page("A", "New", author=ADA)


MARKDOWN = st.text(alphabet=st.sampled_from("[]|#`~ \n\r\tA/.é-\\"), max_size=60) | st.text(max_size=60)


@given(MARKDOWN)
def test_links_are_rewritten_where_they_are_found_and_nowhere_else(text: str) -> None:
    assert retarget_links(text, lambda _: False, "New") == text
    moved = retarget_links(text, lambda target: target == "A", "New")
    found = wikilinks(split_frontmatter(text)[1])
    if "A" not in found:
        assert moved == text
    else:
        expected = dict.fromkeys("New" if name == "A" else name for name in found)
        assert wikilinks(split_frontmatter(moved)[1]) == list(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[A]]", "[[N]]"),
        ("[[A|A]]", "[[A|N]]"),
        ("[[ /A.md#a|b ]]", "[[ /A.md#a|b ]]"),
        ("[[b| /A.md#a ]]", "[[b| /N#a ]]"),
        ("`[[A]]` ``[[A]]`` [[A]]", "`[[A]]` ``[[A]]`` [[N]]"),
        ("~~~\n[[A]]\n~~~\n[[A]]", "~~~\n[[A]]\n~~~\n[[N]]"),
        ("`open\n\n[[A]]`", "`open\n\n[[N]]`"),
        ("---\nx: '[[A]]'\n---\r\n[[A]]\r\n", "---\nx: '[[A]]'\n---\r\n[[N]]\r\n"),
        ("é\u2028[[A]]\x0b[[A]]", "é\u2028[[N]]\x0b[[N]]"),
        ("[[B]]", "[[B]]"),
    ],
)
def test_what_a_rename_writes(text: str, expected: str) -> None:
    assert retarget_links(text, lambda target: target == "A", "N") == expected
