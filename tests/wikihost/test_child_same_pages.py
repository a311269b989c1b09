"""Every page is the HTML that stock renders, although it is made from the catalog and from what is remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import bs4  # type: ignore[import-untyped]
import pytest

from tests.wikihost.fleets import ask, eventually, hosted, running_fleet
from tests.wikihost.histories import Step, grow
from tests.wikihost.test_child_sidebar import Opened, in_otter_wiki
from tests.wikihost.test_child_skeleton import ODD as ODD_TEXTS
from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost.catalog import Catalog
from wikihost.child.storage import RobotStorage
from wikihost.layout import WikiHome
from wikihost.repo import Repository
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PERSON = {
    "x-otterwiki-name": "Ada Ferry",
    "x-otterwiki-email": "ada@users.example",
    "x-otterwiki-permissions": "READ WRITE UPLOAD ADMIN",
}
HOME = """# Welcome *home*

## Two & more <b>bold</b>

### Two & more <b>bold</b>

<p>not closed <i>either

{{PageIndex|toc=true}}

{{PageIndex|style=list}}
"""
PAGES = {
    "Home.md": HOME,
    "On_Call.md": "Duty\n====\n\nNo other heading.\n",
    "Möbel/Stühle.md": "# Vier\n\n## Beine\n",
    "Möbel.md": "## Zwei\n",
    "Deep/a/b/c page.md": "no heading\n",
    "Deep/Deep/a.md": "# In a folder named as its folder\n",
    "What [now]?.md": "# 100 % “odd” #1\n\n## Ümlaut & Co.\n",
    "v1.2/Foo.md": "# Foo\n",
    "Home/pic.png": "no picture",
    "Möbel/plan.pdf": "no plan",
}
PATHS = [
    "/",
    "/Home",
    "/Home/history",
    "/Home?edit",
    "/Home/attachments",
    "/On%20Call",
    "/On_Call/history",
    "/M%C3%B6bel/St%C3%BChle/history",
    "/M%C3%B6bel?edit",
    "/Deep",
    "/Deep/a",
    "/Deep/a/b/c%20page?edit",
    "/What%20%5Bnow%5D%3F/history",
    "/New%20page?edit",
    "/Renamed/history",
    "/Home/a/pic.png/history",
    "/-/index",
    "/-/changelog",
    "/-/changelog?revision=000000",
    "/-/changelog/feed.atom",
]
# How long ago something was, and when it was looked at.
CLOCK = re.compile(r'title="[^"]* ago"|<updated>[^<]*</updated>|<lastBuildDate>[^<]*<')


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    """A wiki of odd names, attachments, merges, renames and more commits than one page of the changelog shows."""
    home = make_wiki(tmp_path / "wiki")
    steps = [Step(texts={**PAGES})]
    for number in range(230):
        steps.append(
            Step([number], time=1_700_000_000 + number * 60, message=f"Edit {number}", texts={"Log.md": f"{number}\n"})
        )
    steps += [
        Step([230], moves={"Renamed.md": "On_Call.md"}, texts={"On_Call.md": "# Again\n"}),
        Step([228], message="Aside <&>", texts={"Home/pic.png": "still none", "Möbel.md": "## Zwei\n\n# Drei\n"}),
        Step([231, 232], message="Merge"),
    ]
    grow(home, steps)
    Writer(home).commit({"Home/new.bin": b"\0"}, author=ADA, message="Attach\n\nWith a reason.")
    git(home, "reset", "-q", "--hard")
    catalog = Catalog(home)
    catalog.sync(Repository(home.repo))
    catalog.close()
    return home


@contextmanager
def as_stock(opened: Opened) -> Iterator[None]:
    """Otter Wiki as it is without what we know: its own storage, indexes, changelog and parser do the work."""
    import otterwiki.renderer

    from wikihost.child.undecodable import GitStorage

    stock: Any = GitStorage
    kind = type(opened.server.storage)
    with (
        mock.patch.object(kind, "settled_head", return_value=None),
        mock.patch.object(kind, "commit_ids", return_value=None),
        mock.patch.object(kind, "log", stock.log),
        mock.patch.object(kind, "metadata", stock.metadata),
        mock.patch.object(otterwiki.renderer, "BeautifulSoup", bs4.BeautifulSoup),
    ):
        yield


def show(opened: Opened, path: str) -> tuple[int, str]:
    answer = opened.server.app.test_client().get(path, headers=PERSON)
    return answer.status_code, CLOCK.sub("", answer.get_data(as_text=True))


def assert_same(opened: Opened, paths: list[str]) -> None:
    for path in paths:
        with as_stock(opened):
            expected = show(opened, path)
        for _ in range(2):
            assert show(opened, path) == expected, path


def test_every_page_is_what_stock_shows(home: WikiHome) -> None:
    def work(opened: Opened) -> None:
        ids = opened.server.storage.commit_ids()
        assert len(ids) == 235
        assert_same(opened, [*PATHS, *(f"/-/changelog?revision={ids[at][:6]}" for at in (1, 100, 180, 234))])
        Writer(home).commit({"Deep/New.md": b"# New\n\n## More\n", "Log.md": None}, author=ADA, message="On")
        assert_same(opened, ["/-/index", "/Home", "/Deep", "/-/changelog", "/Home?edit", "/Log/history"])
        with mock.patch.dict(opened.server.app.config, {"RETAIN_PAGE_NAME_CASE": False}):
            assert_same(opened, ["/-/index"])
        with mock.patch.dict(opened.server.app.config, {"TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES": False}):
            assert_same(opened, ["/-/index", "/Home?edit"])

    in_otter_wiki(home, work)


def test_the_index_knows_headings_that_were_written_since(home: WikiHome) -> None:
    def work(opened: Opened) -> None:
        assert "Beine" in show(opened, "/-/index")[1]
        Writer(home).commit({"Möbel/Stühle.md": b"# Vier\n\n## Lehne\n"}, author=ADA, message="Edit")
        status, text = show(opened, "/-/index")
        assert (status, "Beine" in text, "Lehne" in text) == (200, False, True)

    in_otter_wiki(home, work)


def test_no_page_is_opened_and_no_process_started_for_what_is_known(home: WikiHome) -> None:
    paths = ["/-/index", "/-/changelog", "/Home/history", "/On_Call?edit"]

    def work(opened: Opened) -> None:
        import git as gitpython

        for path in paths:
            show(opened, path)
        refuse = mock.Mock(side_effect=AssertionError("a process was started"))
        with mock.patch.object(gitpython.Git, "execute", refuse), opened.opening(2):  # the pages of history and editor
            for path in paths:
                assert show(opened, path)[0] == 200

    in_otter_wiki(home, work)


def test_headings_are_those_of_the_shown_page(home: WikiHome) -> None:
    odd = (
        "# Code `x` in <b>it</b>\n\n```python\n# no heading\n```\n\n<script>## x</script>\n\n## $a$ [[Link]] <u>open\n"
    )
    note = "# Noted[^1]\n\nText[^2].\n\n[^1]: note\n[^2]: more\n\n    # In a note\n"
    task = "- [ ] task\n\n  # In a *task*\n\n| a |\n|---|\n| # b |\n"
    texts = dict(enumerate([odd, note, task, *ODD_TEXTS]))
    Writer(home).commit(
        {f"Odd {number}.md": text.encode() for number, text in texts.items()}, author=ADA, message="Odd"
    )

    def work(opened: Opened) -> None:
        from otterwiki import helper, renderer

        storage, render = opened.server.storage, opened.server.app_renderer.markdown
        with opened.server.app.test_request_context("/"):
            for file in [name for name in storage.list()[0] if name.endswith(".md")]:
                with mock.patch.object(renderer, "BeautifulSoup", bs4.BeautifulSoup):
                    _, expected, _ = render(storage.load(file))
                assert [tuple(heading) for heading in helper.get_ftoc(file)] == expected, file
            # Only while headings are looked for is code left out.
            assert "no heading" in render(odd)[0]

    in_otter_wiki(home, work)


def test_an_index_of_pages_that_nobody_saw_renders_none_and_writes_once(home: WikiHome) -> None:
    def work(opened: Opened) -> None:
        from sqlalchemy import event

        commits: list[object] = []
        with opened.server.app.app_context():
            event.listen(opened.server.db.engine, "commit", commits.append)
        cold = show(opened, "/-/index")
        assert len(commits) == 1
        with opened.opening(0):
            assert show(opened, "/-/index") == cold
        assert len(commits) == 1
        with as_stock(opened):
            assert show(opened, "/-/index") == cold

    in_otter_wiki(home, work)


def test_a_page_that_shows_an_index_has_headings_of_its_own(home: WikiHome) -> None:
    Writer(home).commit({"Deep.md": b"# Above\n\n{{PageIndex|toc=true}}\n\n# Below\n"}, author=ADA, message="Index")

    def work(opened: Opened) -> None:
        first = show(opened, "/Deep")
        assert [name in first[1] for name in ('href="#above"', 'href="#below"')] == [True, True]
        assert show(opened, "/Deep") == first

    in_otter_wiki(home, work)


async def test_a_worker_that_wakes_makes_a_missing_catalog(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    for left in wiki.home.root.glob("catalog.db*"):
        left.unlink()
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        await eventually(lambda: RobotStorage(str(wiki.home.repo)).commit_ids() is not None)
        assert (await ask(worker, "/Home/history")).status == 200
