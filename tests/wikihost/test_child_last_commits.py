"""Metadata at the head is what stock Otter Wiki says, without a git process where catalog or objects tell it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import otterwiki.gitstorage
import pytest
from git.exc import GitCommandError

from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost.catalog import Catalog
from wikihost.child.storage import RobotStorage
from wikihost.layout import WikiHome
from wikihost.repo import Repository
from wikihost.writer import Writer

StockStorage: Any = otterwiki.gitstorage.GitStorage
PAGES = {
    "Home": "# Home\n",
    "On Call": "# Duty\n",
    "On_Call": "# Another\n",
    "Möbel/Stühle": "# Vier\n",
    "Möbel/Tische": "# Einer\n",
    "a/b/c/d": "deep\n",
    "What [now]": "brackets\n",
}


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    """A wiki of all kinds of files, with its history as a line."""
    home = make_wiki(tmp_path / "wiki", PAGES)
    writer = Writer(home)
    for number, name in enumerate([*PAGES, "Home", "Möbel/Tische"]):
        writer.commit({f"{name}.md": f"# Again {number}\n".encode()}, author=ADA, message=f"Edit {name}\n\nBody.")
    writer.commit({"Home/data.bin": bytes(range(256))}, author=ADA, message="Attach")
    git(home, "mv", "a/b/c/d.md", "a/moved.md")
    (home.repo / "Link.md").symlink_to("Home.md")
    (home.repo / "Folder link").symlink_to("Möbel")
    git(home, "add", "--all")
    git(home, "commit", "-q", "-m", "By hand")
    writer.commit({"Home.md": b"# Last\n", "On_Call.md": None}, author=ADA, message="Last")
    return home


def merge(home: WikiHome, *options: str) -> None:
    """Two lines of history, with the same change of a page in both, joined again."""
    git(home, "checkout", "-q", "-b", "side", "HEAD~1")
    Writer(home).commit({"Side.md": b"side\n", "Both.md": b"same\n"}, author=ADA, message="Side")
    git(home, "checkout", "-q", "main")
    Writer(home).commit({"Both.md": b"same\n"}, author=ADA, message="Main")
    git(home, "merge", "-q", "--no-edit", *options, "side")


def in_step(home: WikiHome) -> None:
    Catalog(home).sync(Repository(home.repo))


def behind(home: WikiHome, commits: int) -> None:
    in_step(home)
    for number in range(commits):
        text = f"{number}\n".encode()
        Writer(home).commit({"Later.md": text, f"New {number}.md": text}, author=ADA, message="Later")


def missing(home: WikiHome) -> None:
    for left in home.root.glob("catalog.db*"):
        left.unlink()


def damaged(home: WikiHome) -> None:
    missing(home)
    home.catalog_db.write_bytes(b"no database" * 1000)


def foreign(home: WikiHome) -> None:
    in_step(home)
    catalog = Catalog(home)
    catalog.write(lambda connection: connection.execute("UPDATE meta SET value = 'x' WHERE key = 'version'").fetchall())
    catalog.close()


CATALOGS = [in_step, partial(behind, commits=3), partial(behind, commits=40), missing, damaged, foreign]


def answer(work: Callable[[], dict[str, Any]]) -> object:
    try:
        return work()
    except otterwiki.gitstorage.StorageNotFound:
        return "not found"


def files_of(home: WikiHome) -> list[str]:
    return git(home, "ls-tree", "-r", "-z", "--name-only", "HEAD").strip("\0").split("\0")


@pytest.mark.parametrize("state", CATALOGS, ids=["in step", "behind", "far behind", "missing", "damaged", "foreign"])
@pytest.mark.parametrize("shape", range(3), ids=["line", "merge", "merge ours"])
def test_metadata_is_what_stock_says(home: WikiHome, shape: int, state: Callable[[WikiHome], None]) -> None:
    if shape:
        merge(home, *(["-sours"] if shape == 2 else []))
    state(home)
    storage = RobotStorage(str(home.repo))
    others = ["No such.md", "On_Call.md", "a/b/c/d.md", "a", "Möbel/", "./Home.md", "", "../x", "Home.md/inner"]
    for file in [*files_of(home), *others]:
        stock = answer(partial(StockStorage.metadata, storage, file))
        for _ in range(2):
            assert answer(partial(storage.metadata, file)) == stock, file


@pytest.mark.parametrize("state", CATALOGS[:2], ids=["in step", "behind"])
def test_no_process_is_started_for_a_file_of_a_history_without_merges(
    home: WikiHome, state: Callable[[WikiHome], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    state(home)
    storage = RobotStorage(str(home.repo))
    expected = {file: git(home, "rev-list", "-1", "HEAD", "--", f":(literal){file}") for file in files_of(home)}

    def refuse(*_: object, **__: object) -> None:
        raise GitCommandError("git", 1)

    monkeypatch.setattr("git.cmd.Git.execute", refuse)
    assert {file: storage.metadata(file)["revision-full"] for file in expected} == expected


def test_a_commit_of_another_process_is_seen_at_once(home: WikiHome) -> None:
    in_step(home)
    storage, outside = RobotStorage(str(home.repo)), Writer(home)
    before = storage.metadata("Home.md")
    other = storage.metadata("On Call.md")
    head = outside.commit({"Home.md": b"# Outside\n"}, author=ADA, message="Outside").head
    assert storage.metadata("Home.md")["revision-full"] == head
    assert storage.metadata("Home.md")["message"] == "Outside"
    assert storage.metadata("On Call.md") == other
    git(home, "reset", "-q", "--hard", "HEAD~1")
    assert storage.metadata("Home.md") == before
    outside.commit({"Home.md": None}, author=ADA, message="Away")
    assert storage.metadata("Home.md")["message"] == "Away"


def test_a_replaced_catalog_is_found(home: WikiHome) -> None:
    in_step(home)
    storage = RobotStorage(str(home.repo))
    expected = storage.metadata("a/moved.md")["revision-full"]
    for turn in range(3):
        missing(home)
        behind(home, 0)
        Writer(home).commit({"Home.md": f"{turn}\n".encode()}, author=ADA, message="Move the head")
        assert storage.metadata("a/moved.md")["revision-full"] == expected


def test_what_a_caller_does_to_metadata_stays_its_own(home: WikiHome) -> None:
    storage = RobotStorage(str(home.repo))
    storage.metadata("Home.md")["message"] = "changed"
    assert storage.metadata("Home.md")["message"] == "Last"
