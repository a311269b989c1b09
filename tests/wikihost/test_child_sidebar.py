"""The sidebar's page index: always what stock builds now, although it is built only when the head has moved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.wikihost.fleets import ask, hosted, running_fleet, save
from tests.wikihost.wikis import ADA, git, in_child, make_wiki, wait_child
from wikihost.child import otter
from wikihost.child.sidebar import PageIndexes
from wikihost.layout import WikiHome
from wikihost.worker_protocol import Described, WorkerSpec
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PAGES = {
    "Home": "# Welcome\n",
    "On_Call": "Duty\n====\n",
    "Möbel": "## Zwei\n",
    "Möbel/Stühle": "# Vier\r\n\r\nBeine\r\n",
    "Möbel/tische": "no heading\n",
    "a/b/c/d": "# Deep\n",
    "a/b/Ümlaut page": "# Broad\n",
}
FOLDERS = ["/", "Home", "Möbel/Stühle", "a/b/c/d", "a/b/x", "No/such"]
SETTINGS = [
    {},
    {"SIDEBAR_MENUTREE_MODE": "DIRECTORIES_GROUPED", "SIDEBAR_MENUTREE_IGNORE_CASE": True},
    {"SIDEBAR_MENUTREE_MODE": "DIRECTORIES_ONLY"},
    {"SIDEBAR_MENUTREE_MODE": ""},
    {"SIDEBAR_MENUTREE_FOCUS": "OFF"},
    {"SIDEBAR_MENUTREE_MAXDEPTH": "1"},
    {"TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES": False},
]


class Opened:
    """Otter Wiki on a wiki, in this process: the indexes that it shows, and those that stock would build."""

    def __init__(self, home: WikiHome) -> None:
        import otterwiki.gitstorage

        spec = WorkerSpec("x", str(home.root), Described("W", "", ""), "s", 1, 1_000_000, "WARNING")
        self.server = otter.load(spec)
        otter.bind(self.server, spec)
        self.home = home
        self.loads = 0
        stock_load = otterwiki.gitstorage.GitStorage.load

        def load(*arguments: Any, **options: Any) -> Any:
            self.loads += 1
            return stock_load(*arguments, **options)

        otterwiki.gitstorage.GitStorage.load = load

    def index(self, folder: str, *, stock: bool = False) -> object:
        from otterwiki.sidebar import SidebarPageIndex

        with self.server.app.test_request_context("/"):
            if not stock:
                return shape(SidebarPageIndex(folder).query())
            with mock.patch.object(self.server.storage, "settled_head", return_value=None):
                return shape(SidebarPageIndex(folder).query())

    def assert_all_as_stock(self) -> None:
        for settings in SETTINGS:
            with mock.patch.dict(self.server.app.config, settings):
                for folder in FOLDERS:
                    expected = self.index(folder, stock=True)
                    for _ in range(2):
                        assert self.index(folder) == expected, (settings, folder)

    @contextmanager
    def opening(self, pages: int) -> Iterator[None]:
        before = self.loads
        yield
        assert self.loads - before == pages


def shape(tree: Any) -> object:
    """A page index as plain values."""
    return [
        (name, entry.path, entry.header, entry.is_directory_symlink, shape(entry.children))
        for name, entry in tree.items()
    ]


def in_otter_wiki(home: WikiHome, work: Callable[[Opened], None]) -> None:
    """Run `work` in a process of its own: an imported Otter Wiki stays what it is."""

    def child(pipe: int) -> None:
        try:
            work(Opened(home))
        except BaseException as error:
            os.write(pipe, json.dumps(f"{type(error).__name__}: {error}"[:4000]).encode())
            raise

    status, said = wait_child(*in_child(child))
    assert (status, said) == (0, b"")


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", PAGES)


def test_every_index_is_what_stock_builds_whatever_is_committed_in_between(home: WikiHome) -> None:
    writer = Writer(home)

    def work(opened: Opened) -> None:
        opened.assert_all_as_stock()
        writer.commit({"Home.md": b"# Other\n", "New/Page.md": b"# N\n"}, author=ADA, message="Edit")
        opened.assert_all_as_stock()
        writer.commit({"Home.md": None, "a/b/c/d.md": None}, author=ADA, message="Delete")
        opened.assert_all_as_stock()
        writer.commit({"a/b/c/d.md": b"# Other\n", "a/pic.png": b"\x89PNG"}, author=ADA, message="Add")
        opened.assert_all_as_stock()
        git(home, "mv", "Möbel", "Furniture")
        git(home, "commit", "-q", "-m", "By hand")
        opened.assert_all_as_stock()
        (home.repo / "Link.md").symlink_to("On_Call.md")
        (home.repo / "Linked").symlink_to("a")
        git(home, "add", "--all")
        git(home, "commit", "-q", "-m", "Links")
        opened.assert_all_as_stock()
        (home.repo / "bad.md").write_bytes(b"# \xff\n")
        git(home, "add", "--all")
        git(home, "commit", "-q", "-m", "No text")
        writer.commit({"Last.md": b"# Last\n"}, author=ADA, message="Settle")
        opened.assert_all_as_stock()
        git(home, "reset", "-q", "--hard", "HEAD~3")
        opened.assert_all_as_stock()

    in_otter_wiki(home, work)


def test_a_page_is_opened_once_for_each_text(home: WikiHome) -> None:
    writer = Writer(home)

    def work(opened: Opened) -> None:
        with opened.opening(len(PAGES)):
            opened.index("Home")
        with opened.opening(0):
            opened.index("On_Call")
            opened.index("Möbel/Stühle")
        writer.commit({"Home.md": b"# Other\n"}, author=ADA, message="Edit")
        with opened.opening(1):
            opened.index("Home")

    in_otter_wiki(home, work)


def test_nothing_is_remembered_while_the_work_tree_is_behind(home: WikiHome) -> None:
    def work(opened: Opened) -> None:
        storage = opened.server.storage
        head = storage.settled_head()
        assert head == git(home, "rev-parse", "HEAD")
        git(home, "commit", "-q", "--allow-empty", "-m", "Nobody brought the work tree along")
        assert storage.settled_head() is None
        (home.repo / "Half done.md").write_text("x\n")
        assert "Half done" in json.dumps(opened.index("Home"))
        Writer(home).catch_up()
        assert storage.settled_head() != head
        assert "Half done" in json.dumps(opened.index("Home"))
        (home.repo / "Half done.md").unlink()
        Writer(home).commit({"Next.md": b"x\n"}, author=ADA, message="Next")
        opened.assert_all_as_stock()

    in_otter_wiki(home, work)


def test_an_index_built_while_a_writer_was_at_work_is_not_kept(home: WikiHome) -> None:
    writer = Writer(home)

    def work(opened: Opened) -> None:
        storage, first = opened.server.storage, True
        walk = type(storage).list

        def list_and_be_overtaken(self: Any, *arguments: Any, **options: Any) -> Any:
            nonlocal first
            files = walk(self, *arguments, **options)
            if first:
                first = False
                writer.commit({"Zebra.md": b"# Zebra\n"}, author=ADA, message="Overtake")
            return files

        with mock.patch.object(type(storage), "list", list_and_be_overtaken):
            assert "Zebra" not in json.dumps(opened.index("Home"))
        assert "Zebra" in json.dumps(opened.index("Home"))
        opened.assert_all_as_stock()

    in_otter_wiki(home, work)


def test_only_so_much_is_remembered() -> None:
    def built(pages: int) -> dict[str, Any]:
        return {"filenames_and_header": [("x", None)] * pages}

    indexes = PageIndexes()
    for number in range(5):
        indexes.keep("head", (number,), built(1_000), {})
    assert [number for number in range(5) if indexes.find("head", (number,))] == [2, 3, 4]
    indexes.keep("head", ("large",), built(50_000), {})
    assert indexes.find("head", ("large",))
    assert not indexes.find("head", (4,))
    indexes.keep("next", (0,), built(1), {"a": (b"", None)})
    assert not indexes.find("head", ("large",))
    assert not indexes.find("next", ("large",))
    indexes.keep("next", (1,), built(1), {str(number): (b"", None) for number in range(10_000)})
    assert len(indexes.headings()) == 10_000


async def test_a_view_shows_what_any_door_wrote_last(tmp_path: Path) -> None:
    wiki = hosted(tmp_path, pages=PAGES)
    outside = Writer(wiki.home)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        for turn in range(5):
            outside.commit({f"Outside {turn}.md": b"x\n"}, author=ADA, message="Edit")
            assert f"Outside {turn}<" in (await ask(worker, "/Home")).text
            await save(worker, f"Inside {turn}", "x\n")
            assert f"Inside {turn}<" in (await ask(worker, "/Home")).text
            await ask(worker, f"/Inside%20{turn}/delete", form={"message": "Away"})
            assert f"Inside {turn}<" not in (await ask(worker, "/Home")).text
