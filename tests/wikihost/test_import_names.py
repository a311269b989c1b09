"""Which paths of a source are taken, and which names they get: the rule of `wikihost.names` holds for all of them."""

from __future__ import annotations

import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wikihost.attachments import parse_attachment_name
from wikihost.errors import InvalidPageName
from wikihost.imports.naming import FreeNames, legal_file_name, legal_page_name
from wikihost.imports.placing import place_pages
from wikihost.imports.sources import Listed, sift
from wikihost.imports.values import ImportRefused, OnExisting, SourceLimits
from wikihost.names import page_key, parse_page_name

LIMITS = SourceLimits(1000, total_bytes=5000, files=20)

paths = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4).map("/".join)
# Names that get into each other's way when numbers are given out.
near = st.sampled_from(["a", "a 2", "a_2", "a 3", "a_3", "a 2 2", "-a", "-a 2", "a b", "a_b", "a b 2"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Note.md", "Note"),
        ("Note.MD", "Note"),
        ("Note.markdown", "Note"),
        ("Folder/Note.md", "Folder/Note"),
        ("C# notes.md", "C# notes"),
        ("Why?.md", "Why?"),
        ("50% off.md", "50% off"),
        ("100%25.md", "100%25"),
        ("Städte/Zürich.md", "Städte/Zürich"),
        ("Foo/history.md", "Foo/history"),
        ("On_Call.md", "On_Call"),
        ("home.md", "home"),
    ],
)
def test_legal_names_stay_as_they_are(path: str, name: str) -> None:
    assert legal_page_name(path) == (name, None)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("-draft.md", "draft"),
        (" spaced .md", "spaced"),
        ("dots...md", "dots"),
        ("a.md/b.md", "a/b"),
        ("tab\there.md", "tabhere"),
        ("nul\0.md", "nul"),
        ("line\nbreak.md", "linebreak"),
        (" / .md", "Untitled/Untitled"),
        ("git~1.md", "git 1"),
        (".g\u200cit/x.md", "git/x"),
        ("e\u0301.md", "é"),
        ("a.md.md", "a"),
    ],
)
def test_other_names_become_legal_ones(path: str, name: str) -> None:
    found, reason = legal_page_name(path)
    assert found == name
    assert reason


def test_long_names_are_cut_and_stay_apart() -> None:
    first, _ = legal_page_name("x" * 300 + "1.md")
    second, _ = legal_page_name("x" * 300 + "2.md")
    assert first != second
    assert len(first.encode()) <= 252
    name, _ = legal_file_name("ü" * 200 + ".png")
    assert name.endswith(".png")
    assert len(name.encode()) <= 255


@settings(max_examples=60)
@given(paths)
def test_every_page_name_given_is_legal(path: str) -> None:
    try:
        name, reason = legal_page_name(path + ".md")
    except InvalidPageName:
        return
    assert parse_page_name(name) == name
    assert (reason is None) == (name == path)


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=300).filter(lambda name: "/" not in name))
def test_every_file_name_given_is_legal(name: str) -> None:
    found, _ = legal_file_name(f"folder/{name}")
    assert parse_attachment_name(found) == found


@settings(max_examples=60)
@given(st.lists(paths | near, max_size=15, unique=True), st.sets(paths | near, max_size=5), st.sampled_from(OnExisting))
def test_no_page_is_lost_and_no_name_given_twice(found: list[str], there: set[str], existing: OnExisting) -> None:
    stored = {page_key(name): name for name in sorted(there)}
    places = place_pages([f"{path}.md" for path in found], lambda name: stored.get(page_key(name)), existing)
    assert len(places.names) + len(places.refused) == len(found)
    keys = [page_key(name) for name in places.names.values()]
    assert len(set(keys)) == len(keys)
    if existing is OnExisting.RENAME:
        assert not stored.keys() & set(keys)
    else:
        assert all(stored.get(key, name) == name for key, name in zip(keys, places.names.values(), strict=True))


def test_twins_are_told_apart_and_those_with_legal_names_keep_them() -> None:
    sources = ["On_Call.md", "On Call.md", "-On Call.md", "Note.md", "note.md"]
    places = place_pages(sources, lambda name: None, OnExisting.SKIP)
    assert places.names == {
        "On Call.md": "On Call",
        "On_Call.md": "On_Call 2",
        "-On Call.md": "On Call 3",
        "Note.md": "Note",
        "note.md": "note",
    }
    assert {moved.source for moved in places.renamed} == {"On_Call.md", "-On Call.md"}


@pytest.mark.parametrize(
    ("name", "legal"),
    [("a.png", "a.png"), ("-a.png", "a.png"), ("a\\b.png", "a_b.png"), ("x.md.", "x.md.txt"), ("..", "Untitled")],
)
def test_file_names(name: str, legal: str) -> None:
    assert legal_file_name(f"folder/{name}")[0] == legal


def test_free_names() -> None:
    taken = {"a/pic.png", "a/pic 2.png", "Page", "read.me first"}
    names = FreeNames()
    assert names.file("a/pic.png", lambda name: name not in taken) == "a/pic 3.png"
    assert names.file("a/pic.png", lambda name: name not in taken) == "a/pic 4.png"
    assert names.file("read.me first", lambda name: name not in taken) == "read.me first 2"
    assert names.page("Page", lambda name: name not in taken) == "Page 2"


def test_many_twins_take_no_time() -> None:
    twins = ["".join(letters) + ".md" for letters in product(" _", repeat=14)]
    began = time.process_time()
    places = place_pages([f"a{twin[:-3]}b.md" for twin in twins], lambda name: None, OnExisting.SKIP)
    assert len(places.keys) == len(twins)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd.md", "absolute"),
        ("C:/x.md", "absolute"),
        ("C:\\x.md", "absolute"),
        ("\\\\host\\x.md", "absolute"),
        ("../x.md", "leaves"),
        ("a/../../x.md", "leaves"),
        ("a\\..\\..\\x.md", "leaves"),
        ("a//x.md", "empty"),
        ("a/./x.md", "empty"),
        ("a/" * 70 + "x.md", "parts"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str, words: str) -> None:
    sifted = sift([Listed(path, 1), Listed("ok.md", 1)], LIMITS)
    assert list(sifted.files) == ["ok.md"]
    assert [words in refusal.reason for refusal in sifted.refused] == [True]


def test_hidden_folders_are_named_once() -> None:
    found = [".obsidian/app.json", ".obsidian/a/b.json", "a/.trash/x.md", ".git/config", "__MACOSX/._x", "b/.DS_Store"]
    sifted = sift([Listed(path, 1) for path in found], LIMITS)
    assert not sifted.files
    assert list(sifted.hidden) == [".obsidian/", "a/.trash/", ".git/", "__MACOSX/", "b/.DS_Store"]


@pytest.mark.parametrize(
    ("found", "root", "taken"),
    [
        (["v/.obsidian/x", "v/a.md", "v/b/c.md"], "zip", ["a.md", "b/c.md"]),
        (["v/a.md", "v/b/c.md"], "v", ["a.md", "b/c.md"]),
        (["v/a.md", "v/b/c.md"], "zip", ["v/a.md", "v/b/c.md"]),
        (["v/a.md", "b.md"], "v", ["v/a.md", "b.md"]),
        (["v\\a.md", "v\\b\\c.md"], "v", ["a.md", "b/c.md"]),
    ],
)
def test_a_folder_around_everything_is_no_part_of_names(found: list[str], root: str, taken: list[str]) -> None:
    assert list(sift([Listed(path, 1) for path in found], LIMITS, root=root).files) == taken


def test_too_much_is_refused() -> None:
    assert "at most" in sift([Listed("a", 1001)], LIMITS).refused[0].reason
    with pytest.raises(ImportRefused, match="more than 20 files"):
        sift([Listed(str(number), 1) for number in range(21)], LIMITS)
    with pytest.raises(ImportRefused, match="larger"):
        sift([Listed(str(number), 1000) for number in range(6)], LIMITS)
    assert "exactly this name" in sift([Listed("a/b", 1), Listed("a\\b", 1)], LIMITS).refused[0].reason
