"""The log is what stock reads from git, whatever the history, and costs no process where the catalog tells it."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import git as gitpython
import otterwiki.gitstorage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wikihost.histories import Step, grow
from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost.catalog import Catalog
from wikihost.child.storage import RobotStorage
from wikihost.errors import StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.repo import Repository, split_trailers
from wikihost.writer import Writer

NAMES = ["Home.md", "Möbel/Stühle.md", "What [now].md", "a-b.md", "a/b.md", "pic.png"]
# Texts that git takes for each other's copies, and some that it does not.
LONG = [f"{word}\n" + "".join(f"{word} {number}\n" for number in range(20)) for word in ("sea", "hill")]
TEXTS = [*LONG, LONG[0] + "and more\n", LONG[1] + "and less\n", "short\n", ""]
MESSAGES = ["Edit", "Two\n\nparts\twith tabs\n", "", "Ends\n\nRobot-Via: web\n", "  indented\n\n  again  \n"]


def in_step(home: WikiHome) -> None:
    catalog = Catalog(home)
    catalog.sync(Repository(home.repo))
    catalog.close()


def of_stock(storage: Any, *arguments: Any) -> object:
    try:
        entries = otterwiki.gitstorage.GitStorage(storage.path).log(*arguments)
    except otterwiki.gitstorage.StorageNotFound:
        return "not found"
    return [{**entry, "message": split_trailers(entry["message"])[0]} for entry in entries]


def answer(storage: Any, *arguments: Any) -> object:
    try:
        return storage.log(*arguments)
    except otterwiki.gitstorage.StorageNotFound:
        return "not found"


def assert_as_stock(storage: RobotStorage, files: list[str]) -> None:
    for arguments in [(), *[(file,) for file in files]]:
        expected = of_stock(storage, *arguments)
        for _ in range(2):
            assert answer(storage, *arguments) == expected, arguments


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Lines that part and join, with clocks that go backwards; files come, go, move and are copied."""
    steps = [Step(texts={name: draw(st.sampled_from(TEXTS)) for name in NAMES[:3]})]
    for index in range(1, draw(st.integers(2, 9))):
        first = draw(st.integers(max(0, index - 3), index - 1))
        others = draw(st.sets(st.integers(0, index - 1), max_size=1)) - {first}
        changes = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([None, *TEXTS]), max_size=3))
        steps.append(
            Step(
                parents=[first, *others],
                time=1_700_000_000 + draw(st.integers(0, 4)) * 100,
                zone=draw(st.sampled_from(["+0000", "+0200", "-0330"])),
                message=draw(st.sampled_from(MESSAGES)),
                texts=changes,
            )
        )
    return steps


@settings(max_examples=12)
@given(steps=histories())
def test_the_log_of_any_history_is_what_stock_reads(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as place:
        home = make_wiki(Path(place, "wiki"))
        grow(home, steps)
        in_step(home)
        assert_as_stock(RobotStorage(str(home.repo)), NAMES)


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    """A page that was moved twice, copied, removed and made again, and lines of history that met."""
    home = make_wiki(tmp_path / "wiki")
    grow(
        home,
        [
            Step(texts={"Old.md": LONG[0], "Other.md": LONG[1], "pic.png": "x"}),
            Step([0], texts={"Old.md": LONG[0] + "two\n"}),
            Step([1], moves={"Folder/New.md": "Old.md"}, texts={"Other.md": LONG[1] + "x\n"}),
            Step([1], time=1_600_000_000, texts={"Side.md": "s\n", "Old.md": LONG[0] + "side\n"}),
            Step([2, 3]),
            Step([4], texts={"Copy.md": LONG[0] + "two\n", "Other.md": None}),
            Step([5], moves={"Newer.md": "Folder/New.md"}, texts={"Other.md": LONG[1]}),
        ],
    )
    Writer(home).commit({"Last.md": b"x\n"}, author=ADA, message="Last")
    return home


FILES = ["Newer.md", "Folder/New.md", "Old.md", "Copy.md", "Other.md", "Side.md", "Last.md", "No such.md", "Folder"]


def test_a_file_is_followed_through_all_its_names(home: WikiHome) -> None:
    in_step(home)
    storage = RobotStorage(str(home.repo))
    assert len(storage.log("Newer.md")) == 5
    assert_as_stock(storage, FILES)
    assert storage.log(max_count=2) == storage.log()[:2]
    assert storage.log("Newer.md", max_count=2) == storage.log("Newer.md")[:2]


def test_what_is_known_of_a_commit_is_not_asked_again(home: WikiHome, monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(home)
    storage = RobotStorage(str(home.repo))
    first = [storage.log(), storage.log("Newer.md")]

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"a process was started: {arguments}")

    monkeypatch.setattr(gitpython.Git, "execute", refuse)
    assert [storage.log(), storage.log("Newer.md")] == first
    Writer(home).commit({"Last.md": b"y\n", "Newer.md": b"new\n"}, author=ADA, message="Again")
    assert [entry["message"] for entry in storage.log("Newer.md")][:1] == ["Again"]
    assert storage.log()[1:] == first[0]


@pytest.mark.parametrize("commits", [3, 40], ids=["near", "far"])
def test_the_log_is_right_when_the_catalog_is_behind(home: WikiHome, commits: int) -> None:
    in_step(home)
    for number in range(commits):
        Writer(home).commit({"Last.md": f"{number}\n".encode()}, author=ADA, message="Later")
    assert_as_stock(RobotStorage(str(home.repo)), ["Last.md", "Newer.md"])


def test_the_log_is_right_without_a_catalog_and_with_a_damaged_one(home: WikiHome) -> None:
    storage = RobotStorage(str(home.repo))
    for left in home.root.glob("catalog.db*"):
        left.unlink()
    assert_as_stock(storage, ["Newer.md"])
    home.catalog_db.write_bytes(b"no database" * 1000)
    assert_as_stock(storage, ["Newer.md"])
    storage.catch_up_catalog()
    assert storage.commit_ids() is not None
    assert_as_stock(storage, ["Newer.md"])


def test_after_a_forced_push_nothing_of_the_old_history_is_told(home: WikiHome) -> None:
    in_step(home)
    storage = RobotStorage(str(home.repo))
    storage.log()
    git(home, "reset", "-q", "--hard", "HEAD~3")
    assert_as_stock(storage, FILES)
    in_step(home)
    assert_as_stock(storage, FILES)


def test_names_in_a_mailmap_are_shown_as_git_shows_them(home: WikiHome) -> None:
    Writer(home).commit({".mailmap": b"Ada L. <l@users.example> <ada@users.example>\n"}, author=ADA, message="Names")
    in_step(home)
    storage = RobotStorage(str(home.repo))
    assert storage.log()[-1]["author_name"] == "Ada L."
    assert_as_stock(storage, ["Newer.md"])


@pytest.mark.parametrize("failure", [StorageFull("full"), StorageFailed("broken"), sqlite3.OperationalError("locked")])
def test_a_catalog_that_cannot_follow_keeps_nobody_from_reading(home: WikiHome, failure: Exception) -> None:
    in_step(home)
    Writer(home).commit({"Last.md": b"later\n"}, author=ADA, message="Later")
    storage = RobotStorage(str(home.repo))
    with mock.patch.object(Catalog, "sync", side_effect=failure):
        assert_as_stock(storage, ["Last.md"])
        storage.catch_up_catalog()
