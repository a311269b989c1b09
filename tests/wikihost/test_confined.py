"""One folder of a wiki: what is outside is not there, and does not change."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost import passages
from wikihost.confined import DECLARED, NEEDS_WHOLE, ConfinedContent, public_methods, refuse_undeclared
from wikihost.content import Content
from wikihost.errors import (
    AttachmentNotFound,
    Conflict,
    ContentError,
    InvalidPageName,
    OutsideReach,
    PageNotFound,
    QuotaExceeded,
    RevisionNotFound,
    RevisionRequired,
    UndoRefused,
)
from wikihost.layout import WikiHome
from wikihost.names import page_key
from wikihost.passages import StoredPassage
from wikihost.quota import Quota, write_quota
from wikihost.reach import Reach, parse_folder
from wikihost.values import PageFilter

FOLDER = "Projects/On Call/"
PAGES = {
    "Home": "# Home\n\n[[Projects/On Call/Plan]] and [[Old plan]], a hidden otter.\n",
    "Old plan": '---\nredirect: "Projects/On Call/Plan"\n---\n',
    "Projects": "All of them, otter.\n",
    "Projects/On Callings": "Begins alike, otter.\n",
    "Projects/On Call": "The folder's own page.\n",
    "Projects/On Call/Plan": "---\ntags: [inside]\ncategory: Plans\n---\nAn otter. [[Home]], [[Nowhere]].\n",
    "Projects/On_Call/Log": "Spelled otherwise. [[Projects/On Call/Plan]]\n",
    "Projects/On Call/Away": "---\nredirect: Secret/Target\n---\n\nThis page is now [[Secret/Target]].\n",
    "Secret/Target": "---\ntags: [outside]\ncategory: Hidden\n---\nWhere it leads, otter.\n",
}
INSIDE = [
    "Projects/On Call",
    "Projects/On Call/Away",
    "Projects/On Call/Plan",
    "Projects/On_Call/Log",
]


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", PAGES)


@pytest.fixture
def whole(home: WikiHome) -> Iterator[Content]:
    content = Content(home)
    content.write_attachment("Projects/On Call", "duty.txt", b"Ada", author=ADA, message="Duty")
    content.write_attachment("Home", "hidden.txt", b"hidden", author=ADA, message="Hidden file")
    yield content
    content.close()


@pytest.fixture
def inside(whole: Content) -> ConfinedContent:
    return ConfinedContent(whole, Reach(FOLDER))


@pytest.mark.parametrize(
    ("typed", "folder"),
    [("Projects/Apollo", "Projects/Apollo/"), (" Projects/Apollo// ", "Projects/Apollo/"), ("On_Call/", "On_Call/")],
)
def test_a_folder_is_kept_with_a_slash(typed: str, folder: str) -> None:
    assert parse_folder(typed).folder == folder


@pytest.mark.parametrize("typed", ["", "/", " / ", "/Projects/", "a/../b/", "a//b", "a\0b", ".git/", "a /"])
def test_what_is_no_folder(typed: str) -> None:
    with pytest.raises(InvalidPageName):
        parse_folder(typed)


@pytest.mark.parametrize("folder", ["Projects/On Call/", "Projects/On_Call/"])
def test_pages_and_files_in_and_out_of_a_folder(folder: str) -> None:
    reach = Reach(folder)
    assert [name for name in PAGES if reach.covers(name)] == [
        "Projects/On Call",
        "Projects/On Call/Plan",
        "Projects/On_Call/Log",
        "Projects/On Call/Away",
    ]
    files = [
        "Projects/On_Call.md",
        "Projects/On Call/x/y.png",
        "Projects/On Call",
        "Projects/On Call.png",
        "On Call.md",
    ]
    assert [reach.covers_file(path) for path in files] == [True, True, False, False, False]
    assert [reach.leads_to(path) for path in ("Projects/", "Projects/On_Call/a/", "Project/", "Projects/On/")] == [
        True,
        True,
        False,
        False,
    ]


def test_every_method_is_thought_through() -> None:
    """Whoever adds a method to `Content` says here what it does in one folder, or that it needs the whole wiki."""
    assert public_methods(Content) - DECLARED == NEEDS_WHOLE


def test_what_is_not_declared_is_refused(whole: Content) -> None:
    class Grown(Content):
        def reveal(self) -> list[Any]:
            return self.list_pages()

    class View(ConfinedContent):
        pass

    refuse_undeclared(View, Grown)
    view: Any = View(whole, Reach(FOLDER))
    for refused in (view.reveal, view.snapshot, view.close):
        with pytest.raises(OutsideReach, match="needs the whole wiki"):
            refused()
    with pytest.raises(AttributeError):
        _ = view.writer
    with pytest.raises(OutsideReach):
        view.catalog.write(lambda connection: None)


def test_every_table_is_confined_but_for_those_that_cannot_be(whole: Content, inside: ConfinedContent) -> None:
    """A table that is added to the catalog is added to `confined.sql`, or said here not to name anything outside."""

    def tables(connection: sqlite3.Connection) -> set[str]:
        found = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
        return {name for (name,) in found if not name.startswith("page_text")}

    def views(connection: sqlite3.Connection) -> set[str]:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_temp_master WHERE type = 'view'")}

    def columns(schema: str, name: str, connection: sqlite3.Connection) -> list[str]:
        return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({name})")]

    whole.sync()
    shown = inside.catalog.read(views)
    for name in shown:
        assert inside.catalog.read(partial(columns, "temp", name)) == inside.catalog.read(
            partial(columns, "main", name)
        )
    assert inside.catalog.read(tables) - shown == {"meta", "vector"}

    def paths(connection: sqlite3.Connection) -> set[str]:
        return {path for (path,) in connection.execute("SELECT path FROM page")}

    assert inside.catalog.read(paths) == set(INSIDE)
    assert whole.catalog.read(paths) == set(PAGES)
    other = ConfinedContent(whole, Reach("Secret/"))
    assert other.catalog.read(paths) == {"Secret/Target"}  # the same connection, which showed another folder


def test_passages_are_those_of_the_pages_inside(whole: Content, inside: ConfinedContent) -> None:
    whole.sync()

    def cut(connection: sqlite3.Connection) -> None:
        """Every page into one passage, whose hash is the page's name."""
        for page in passages.pending_pages(connection, "model"):
            passage = StoredPassage("", "", "", 1, 1, page.path, page.path.encode())
            passages.store_passages(connection, page, "model", [passage])

    whole.catalog.write(cut)
    assert {digest.decode() for digest in whole.catalog.read(passages.all_hashes)} == set(PAGES)
    assert {digest.decode() for digest in inside.catalog.read(passages.all_hashes)} == set(INSIDE)
    counted = inside.catalog.read(lambda connection: passages.progress(connection, "model"))
    assert (counted.pages_total, counted.chunks_total) == (len(INSIDE), len(INSIDE))


def test_lists_and_figures_are_of_what_is_inside(inside: ConfinedContent) -> None:
    assert [page.path for page in inside.list_pages()] == INSIDE
    assert inside.list_pages(PageFilter(tag="outside")) == []
    assert inside.list_pages(PageFilter(prefix="Secret/")) == []
    # The folder's page is linked by nobody inside, and `Plan` by `Log`.
    assert [page.path for page in inside.list_pages(PageFilter(orphans=True))] == [
        "Projects/On Call",
        "Projects/On Call/Away",
        "Projects/On_Call/Log",
    ]
    found = inside.search("otter", 10)
    assert (found.total, [hit.path for hit in found.hits]) == (1, ["Projects/On Call/Plan"])
    assert inside.search("category:hidden OR tag:outside -x", 10).total == 0
    stats = inside.stats()
    size = sum(len(PAGES[name].encode()) for name in INSIDE) + len(b"Ada")
    assert (stats.pages, stats.usage.pages, stats.usage.size_bytes) == (4, 4, size)
    assert (stats.tags, stats.categories, stats.repository_bytes) == ({"inside": 1}, {"Plans": 1}, 0)


def test_links_name_what_stands_in_pages_inside_and_no_page_outside(inside: ConfinedContent) -> None:
    page = inside.read_page("Projects/On_Call/Plan")
    assert page.path == "Projects/On Call/Plan"
    assert page.links_to == ["Home", "Nowhere"]
    assert page.linked_from == ["Projects/On_Call/Log"]
    graph = inside.links()
    assert set(graph.nodes) == {*INSIDE, "Home", "Nowhere", "Secret/Target"}
    assert {source for source, _ in graph.edges} <= set(INSIDE)
    assert inside.links_around("Home") == ("Home", [], ["Projects/On Call/Plan"])
    assert inside.links_around("Secret/Target") == ("Secret/Target", [], [])  # redirects do not count


def test_a_redirect_that_leads_outside_is_a_page_like_any_other(whole: Content, inside: ConfinedContent) -> None:
    away = inside.read_page("Projects/On Call/Away")
    assert (away.path, away.redirected_from) == ("Projects/On Call/Away", None)
    with pytest.raises(RevisionRequired) as refused:
        inside.write_page("Projects/On Call/Away", "x", base=None, author=ADA)
    assert "Secret" not in str(refused.value)
    stale = whole.read_page("Secret/Target").revision[:7] + "0" * 33
    with pytest.raises(Conflict) as conflict:
        inside.edit_page("Projects/On Call/Away", base=stale, old="This", new="That", author=ADA)
    assert "leads" not in (conflict.value.current_text or "")


READS: dict[str, Callable[[Content, str], object]] = {
    "read_page": lambda content, name: content.read_page(name),
    "read_page at the head": lambda content, name: content.read_page(name, content.head()),
    "history": lambda content, name: content.history(name, 5),
    "list_attachments": lambda content, name: content.list_attachments(name),
    "find_attachment": lambda content, name: content.find_attachment(name, "hidden.txt"),
}


@pytest.mark.parametrize("name", READS)
def test_pages_outside_look_like_missing_ones(inside: ConfinedContent, name: str) -> None:
    def told(page: str) -> tuple[type[ContentError], str]:
        with pytest.raises(ContentError) as error:
            READS[name](inside, page)
        return type(error.value), str(error.value).replace(page, "?")

    assert told("Home") == told("Projects/On Call/Missing") == told("Missing")
    assert told("Home")[0] is PageNotFound


WRITES: dict[str, Callable[[Content, str], object]] = {
    "write": lambda content, name: content.write_page(name, "x", base=None, author=ADA),
    "dry run": lambda content, name: content.write_page(name, "x", base=None, author=ADA, dry_run=True),
    "edit": lambda content, name: content.edit_page(name, base="0" * 40, old="a", new="b", author=ADA),
    "delete": lambda content, name: content.delete_page(name, author=ADA),
    "rename out": lambda content, name: content.rename_page("Projects/On Call/Plan", name, author=ADA),
    "rename in": lambda content, name: content.rename_page(name, "Projects/On Call/New", author=ADA),
    "attach": lambda content, name: content.write_attachment(name, "a.txt", b"x", author=ADA),
    "detach": lambda content, name: content.delete_attachment(name, "hidden.txt", author=ADA),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_outside_say_how_far_the_credential_reaches(home: WikiHome, inside: ConfinedContent, name: str) -> None:
    head = git(home, "rev-parse", "HEAD")
    for page in ("Home", "Missing", "Projects/On Callings", "Projects"):
        with pytest.raises(OutsideReach, match=r"^This credential reaches only pages under Projects/On Call/\.$"):
            WRITES[name](inside, page)
    assert git(home, "rev-parse", "HEAD") == head


def test_a_rename_leaves_outside_pages_alone_and_counts_their_links(home: WikiHome, inside: ConfinedContent) -> None:
    outside = {name: git(home, "rev-parse", f"HEAD:{name}.md") for name in PAGES if name not in INSIDE}
    done = inside.rename_page("Projects/On Call/Plan", "Projects/On Call/Plan B", author=ADA)
    assert (done.updated_pages, done.links_left) == (["Projects/On_Call/Log"], 1)
    assert "Home" not in done.diff
    assert {name: git(home, "rev-parse", f"HEAD:{name}.md") for name in outside} == outside
    assert inside.read_page("Projects/On Call/Plan").path == "Projects/On Call/Plan B"


def test_work_inside_is_as_ever(whole: Content, inside: ConfinedContent) -> None:
    made = inside.write_page("Projects/On_Call/New", "One.", base=None, author=ADA)
    assert inside.edit_page(made.path, base=made.revision, old="One", new="Two", author=ADA).changed
    assert inside.read_page(made.path, made.revision).text == "One."
    stored = inside.write_attachment("Projects/On Call", "a.txt", b"file", author=ADA)
    assert [file.filename for file in inside.list_attachments("Projects/On Call")] == ["a.txt", "duty.txt"]
    assert inside.read_blob(inside.find_attachment("Projects/On Call", "a.txt").blob) == b"file"
    assert inside.delete_attachment("Projects/On Call", "a.txt", base=stored.revision, author=ADA).revision
    with pytest.raises(AttachmentNotFound):
        inside.find_attachment("Projects/On Call", "a.txt")
    assert inside.delete_page(made.path, author=ADA).path == made.path
    assert [page.path for page in inside.list_pages()] == INSIDE
    assert inside.head() == inside.sync() == whole.head()


def test_commits_show_what_they_did_inside(home: WikiHome, whole: Content, inside: ConfinedContent) -> None:
    start = whole.head()
    page = whole.read_page("Home")
    whole.write_page("Home", "Seen by nobody.", base=page.revision, author=ADA, message="Hidden words")
    whole.rename_page("Secret/Target", "Secret/Moved", author=ADA, message="Hidden move")  # rewrites `Away`
    whole.rename_page("Projects", "Projects/On Call/Overview", author=ADA, message="Moved in")
    whole.rename_page("Projects/On_Call/Log", "Logs", redirect=False, author=ADA, message="Moved out")
    inside.write_page("Projects/On Call/Last", "x", base=None, author=ADA, message="Told")
    entries, total = inside.changelog(10)
    unsaid = "(Also changed pages outside Projects/On Call/)"
    assert [entry.commit.message for entry in entries] == ["Told", unsaid, unsaid, unsaid, "Duty", unsaid]
    assert total == 6
    assert entries[3].pages == ["Projects/On Call/Away"]
    assert [entry.commit.revision for entry in inside.changelog(2, entries[0].commit.revision)[0]] == [
        entry.commit.revision for entry in entries[1:3]
    ]
    changes = inside.changes_since(start, 2)
    assert [(change.path, change.kind, change.source) for change in changes.changes] == [
        ("Projects/On Call/Away", "updated", None),
        ("Projects/On Call/Overview", "created", None),
    ]
    assert changes.more
    rest = inside.changes_since(changes.last, 10)
    assert [(change.path, change.kind) for change in rest.changes] == [
        ("Projects/On_Call/Log", "deleted"),
        ("Projects/On Call/Last", "created"),
    ]
    assert (rest.more, rest.last) == (False, whole.head())
    assert [commit.message for commit in inside.history("Projects/On Call/Overview", 10)] == [unsaid]
    assert inside.read_page("Projects/On Call/Away").last_commit.message == unsaid
    assert "Hidden" not in repr([entries, changes, rest])
    git(home, "fsck", "--strict")


def test_what_was_done_inside_alone_can_be_undone(home: WikiHome, whole: Content, inside: ConfinedContent) -> None:
    made = inside.write_page("Projects/On Call/New", "One.", base=None, author=ADA)
    home_page = whole.read_page("Home")
    outside = whole.write_page("Home", "x", base=home_page.revision, author=ADA)
    both = whole.rename_page("Secret/Target", "Secret/Moved", author=ADA)
    with pytest.raises(RevisionNotFound):
        inside.undo_change(outside.revision, author=ADA)
    with pytest.raises(OutsideReach, match="changed others too"):
        inside.undo_change(both.revision, author=ADA)
    would = inside.undo_change(made.revision, author=ADA, dry_run=True)
    assert [page.path for page in would.pages] == [made.path]
    assert inside.undo_change(made.revision, author=ADA).changed
    with pytest.raises(PageNotFound):
        inside.read_page(made.path)


def test_an_undo_does_not_follow_a_page_outside(whole: Content, inside: ConfinedContent) -> None:
    made = inside.write_page("Projects/On Call/New", "One.", base=None, author=ADA)
    edited = inside.edit_page(made.path, base=made.revision, old="One", new="Two", author=ADA)
    whole.rename_page(made.path, "Secret/New", redirect=False, author=ADA)
    head = whole.head()
    for revision in (made.revision, edited.revision):
        with pytest.raises((UndoRefused, OutsideReach)) as refused:
            inside.undo_change(revision, author=ADA)
        assert "Secret" not in str(refused.value)
    assert whole.head() == head


def test_changes_outside_alone_are_passed_over(whole: Content, inside: ConfinedContent) -> None:
    start = whole.head()
    for number in range(5):
        whole.write_page(f"Noise {number}", "x", base=None, author=ADA)
    changes = inside.changes_since(start, 1)
    assert (changes.changes, changes.last, changes.more) == ([], whole.head(), False)
    inside.write_page("Projects/On Call/One", "x", base=None, author=ADA)
    assert [change.path for change in inside.changes_since(start, 1).changes] == ["Projects/On Call/One"]


def test_a_full_wiki_tells_no_figures_of_the_whole(home: WikiHome, inside: ConfinedContent) -> None:
    write_quota(home.quota, Quota(pages=len(PAGES), size_bytes=10_000))
    with pytest.raises(QuotaExceeded, match="The wiki as a whole is full") as refused:
        inside.write_page("Projects/On Call/New", "x", base=None, author=ADA)
    assert (refused.value.pages, refused.value.size_bytes) == (None, None)


def test_keys_of_a_folder_and_its_neighbours_are_told_apart(whole: Content) -> None:
    """Names that sort between the folder's page and what is below it are outside."""
    names = [f"A{end}" for end in ("", " b", "!", "-b", ".b", "/b", "0", "_b/c", "b/c", "/b/c", "/b_c")]
    for name in names:
        whole.write_page(name, "x", base=None, author=ADA)
    reach = Reach("A/")
    found = [page.path for page in ConfinedContent(whole, reach).list_pages()]
    assert sorted(found) == ["A", "A/b", "A/b/c", "A/b_c"]
    assert sorted(found) == sorted(name for name in names if reach.covers(page_key(name)))
