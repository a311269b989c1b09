from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost.content import Content
from wikihost.errors import (
    Conflict,
    EditNotApplicable,
    InvalidPageName,
    InvalidPageText,
    PageNotFound,
    PageTooLarge,
    RevisionNotFound,
    RevisionRequired,
)
from wikihost.texts import MAX_PAGE_CHARACTERS
from wikihost.values import Author, Page, PageFilter
from wikihost.writer import Committed, Held

PAGES = {
    "Home": "# Welcome\n[[On_Call]], [[gone|Missing Page]] and [[Home]]\n",
    "On Call": "---\ntitle: On-call duty\ncategory: Guide\ntags: [Ops, people]\n---\nWho is on call? [[Home]]\n",
    "Städte/Zürich": "---\ncategory: ÜBER\ntags: ops\n---\nA city of bridges and bridges.\n",
}


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    opened = Content(make_wiki(tmp_path / "wiki", PAGES))
    yield opened
    opened.close()


def revision(content: Content, name: str) -> str:
    return content.read_page(name).revision


class TestReading:
    def test_a_page_with_all_that_is_known_of_it(self, content: Content) -> None:
        page = content.read_page("On_Call")
        assert (page.path, page.title, page.text) == ("On Call", "On-call duty", PAGES["On Call"])
        assert page.frontmatter == {"title": "On-call duty", "category": "Guide", "tags": ["Ops", "people"]}
        assert (page.links_to, page.linked_from) == (["Home"], ["Home"])
        assert (page.last_commit.author, page.last_commit.message) == ("Ada Ferry", "Create Test")
        assert abs(page.last_commit.date - datetime.now(UTC)) < timedelta(minutes=1)
        assert page.revision == content.head()

    def test_links_name_pages_as_they_are_written_and_missing_ones_as_they_are_linked(self, content: Content) -> None:
        assert content.read_page("Home").links_to == ["On Call", "Missing Page", "Home"]

    def test_missing_pages_and_revisions(self, content: Content) -> None:
        with pytest.raises(PageNotFound, match="No/Such"):
            content.read_page("No/Such")
        with pytest.raises(PageNotFound):
            content.history("No/Such", 5)
        with pytest.raises(PageNotFound):
            content.read_page("No/Such", content.head())
        with pytest.raises(InvalidPageName):
            content.read_page("../secret")

    @pytest.mark.parametrize("bad", ["HEAD", "--output=x", "abc", "0" * 40, "f" * 7, "main~1", "a" * 41, ""])
    def test_a_revision_is_hexadecimal_and_a_commit(self, content: Content, bad: str) -> None:
        with pytest.raises(RevisionNotFound):
            content.read_page("Home", bad)

    def test_a_blob_is_no_revision(self, content: Content) -> None:
        with content.writer.locked() as held:
            oid = held.blob_of("Home.md")
        assert oid is not None
        with pytest.raises(RevisionNotFound):
            content.read_page("Home", oid)

    def test_an_old_revision_has_the_text_links_and_commit_of_then(self, content: Content) -> None:
        first = revision(content, "On Call")
        second = content.write_page("On Call", "[[Missing Page]]", base=first, author=ADA).revision
        third = content.write_page("Home", "x", base=first, author=ADA).revision
        old = content.read_page("On_Call", first[:7].upper())
        assert (old.text, old.title, old.links_to) == (PAGES["On Call"], "On-call duty", ["Home"])
        assert old.revision == first
        # `third` did not touch the page, so the page as of then is from `second`.
        assert content.read_page("On Call", third).revision == second

    def test_a_deleted_page_is_gone_now_but_not_then(self, content: Content) -> None:
        then = content.head()
        content.writer.commit({"On Call.md": None}, author=ADA, message="x")
        with pytest.raises(PageNotFound):
            content.read_page("On Call")
        assert content.read_page("On Call", then).text == PAGES["On Call"]
        assert content.read_page("Home").links_to == ["On_Call", "Missing Page", "Home"]

    def test_bytes_that_are_no_utf_8_are_shown_with_marks(self, content: Content) -> None:
        content.writer.commit({"Latin.md": "Zürich".encode("latin-1"), "Nul.md": b"a\0b"}, author=ADA, message="x")
        assert content.read_page("Latin").text == "Z\ufffdrich"
        assert content.read_page("Nul").text == "a\0b"


class TestLists:
    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            (PageFilter(), ["Home", "On Call", "Städte/Zürich"]),
            (PageFilter(prefix="Städte/"), ["Städte/Zürich"]),
            (PageFilter(prefix="städte"), []),
            (PageFilter(prefix="%"), []),
            (PageFilter(category="gUIDE"), ["On Call"]),
            (PageFilter(category="über"), ["Städte/Zürich"]),
            (PageFilter(tag="OPS"), ["On Call", "Städte/Zürich"]),
            (PageFilter(tag="ops", category="guide"), ["On Call"]),
            (PageFilter(updated_since=datetime.now(UTC) - timedelta(days=1)), ["Home", "On Call", "Städte/Zürich"]),
            (PageFilter(updated_since=datetime.now(UTC) + timedelta(days=1)), []),
        ],
    )
    def test_filters(self, content: Content, wanted: PageFilter, names: list[str]) -> None:
        assert [page.path for page in content.list_pages(wanted)] == names

    def test_a_row_says_what_a_list_shows(self, content: Content) -> None:
        page = content.list_pages(PageFilter(prefix="On"))[0]
        assert (page.title, page.category, page.tags, page.words) == ("On-call duty", "Guide", ["Ops", "people"], 5)
        assert page.revision == content.head()

    def test_stats(self, content: Content) -> None:
        stats = content.stats()
        assert (stats.pages, stats.head) == (3, content.head())
        assert stats.categories == {"Guide": 1, "ÜBER": 1}
        assert stats.tags == {"Ops": 1, "ops": 1, "people": 1}
        assert 10_000 < stats.repository_bytes < 1_000_000
        assert stats.updated == content.list_pages()[0].updated

    def test_history_is_newest_first_and_names_the_agent(self, content: Content) -> None:
        agent = Author("Ada (Claude Code)", "ada@users.example", {"Robot-Agent": "Claude Code", "Robot-Via": "mcp"})
        first = revision(content, "Home")
        second = content.write_page("Home", "2", base=first, author=agent, message="why\n\nmore").revision
        git(content._home, "commit", "--allow-empty", "-m", "elsewhere")
        found = content.history("Home", 10)
        assert [commit.revision for commit in found] == [second, first]
        assert (found[0].message, found[0].agent, found[0].author) == (
            "why\n\nmore",
            "Claude Code",
            "Ada (Claude Code)",
        )
        assert [commit.revision for commit in content.history("Home", 1)] == [second]

    @pytest.mark.parametrize("blank", ["\n \n", "\0"])
    def test_a_message_that_says_nothing_hides_no_agent(self, content: Content, blank: str) -> None:
        agent = Author("Ada (Claude Code)", "ada@users.example", {"Robot-Agent": "Claude Code"})
        content.write_page("New", "2", base=None, author=agent, message=blank)
        found = content.history("New", 1)[0]
        assert (found.message, found.agent) == ("(no message)", "Claude Code")


class TestWriting:
    def test_create_update_and_what_they_say(self, content: Content) -> None:
        made = content.write_page("Neu/C# notes", "---\ntitle: Sharp\n---\none\n", base="ignored", author=ADA)
        assert (made.path, made.title, made.created, made.changed) == ("Neu/C# notes", "Sharp", True, True)
        assert made.revision == made.head == content.head()
        assert made.diff.endswith("@@ -0,0 +1,4 @@\n+---\n+title: Sharp\n+---\n+one\n")
        changed = content.write_page("Neu/C# notes.md", "two\n", base=made.revision[:7], author=ADA)
        assert (changed.title, changed.created, changed.changed) == ("C# notes", False, True)
        assert changed.diff.splitlines()[:2] == ["--- a/Neu/C# notes.md", "+++ b/Neu/C# notes.md"]
        assert [commit.message for commit in content.history("Neu/C# notes", 5)] == [
            "[api] Update: Neu/C# notes",
            "[api] Create: Neu/C# notes",
        ]
        assert_sound(content._home)

    def test_every_spelling_writes_the_page_as_it_was_first_written(self, content: Content) -> None:
        done = content.write_page("On_Call", "x", base=revision(content, "On Call"), author=ADA)
        assert (done.path, done.created) == ("On Call", False)
        assert [page.path for page in content.list_pages()] == ["Home", "On Call", "Städte/Zürich"]

    @pytest.mark.parametrize(
        "name", ["Why?", "50% off", "100%25", "Foo/history", "a:b", '"quoted"', ":(glob)*", "日本"]
    )
    def test_odd_names_round_trip(self, content: Content, name: str) -> None:
        done = content.write_page(name, name, base=None, author=ADA)
        assert content.read_page(name).text == name
        assert content.history(name, 5)[0].revision == done.revision
        assert (content._home.repo / f"{name}.md").read_text() == name
        assert_sound(content._home)

    def test_an_existing_page_needs_a_base(self, content: Content) -> None:
        with pytest.raises(RevisionRequired) as caught:
            content.write_page("Home", "x", base=None, author=ADA)
        assert caught.value.current_revision == content.head()

    @pytest.mark.parametrize("bad", ["abc123", "not hexadecimal", "HEAD~1", "", "--output=x"])
    def test_a_malformed_base(self, content: Content, bad: str) -> None:
        with pytest.raises(RevisionNotFound):
            content.write_page("Home", "x", base=bad, author=ADA)
        with pytest.raises(RevisionNotFound):
            content.edit_page("Home", base=bad, old="a", new="b", author=ADA)

    def test_a_stale_base_is_a_conflict_that_writes_nothing(self, content: Content) -> None:
        base = revision(content, "Home")
        now = content.write_page("Home", "theirs", base=base, author=ADA).revision
        attempts: list[Callable[[], object]] = [
            lambda: content.write_page("Home", "mine", base=base, author=ADA),
            lambda: content.write_page("Home", "theirs", base=base, author=ADA),
            lambda: content.edit_page("Home", base=base[:7], old="theirs", new="mine", author=ADA),
            lambda: content.write_page("Home", "mine", base="f" * 40, author=ADA),
        ]
        for write in attempts:
            with pytest.raises(Conflict) as caught:
                write()
            assert (caught.value.current_revision, caught.value.current_text) == (now, "theirs")
        assert content.head() == now

    def test_a_change_elsewhere_is_no_conflict(self, content: Content) -> None:
        base = revision(content, "Home")
        content.write_page("On Call", "x", base=base, author=ADA)
        content.write_page("Home", "y", base=base, author=ADA)
        assert content.read_page("Home").text == "y"

    def test_the_same_text_makes_no_commit(self, content: Content) -> None:
        base, head = revision(content, "Home"), content.head()
        done = content.write_page("Home", PAGES["Home"], base=base, author=ADA)
        assert (done.changed, done.created, done.revision, done.head, done.diff) == (False, False, base, head, "")
        assert content.head() == head

    def test_edit_replaces_what_occurs_once(self, content: Content) -> None:
        content.edit_page("On Call", base=revision(content, "On Call"), old="[Ops, ", new="[", author=ADA)
        assert content.read_page("On Call").text == PAGES["On Call"].replace("Ops, ", "")
        assert content.list_pages(PageFilter(prefix="On"))[0].tags == ["people"]
        assert [commit.message for commit in content.history("On Call", 1)] == ["[api] Edit: On Call"]

    @pytest.mark.parametrize(
        ("old", "new", "occurrences"), [("absent", "x", 0), ("bridges", "x", 2), ("", "x", 0), ("city", "city", 0)]
    )
    def test_edit_that_cannot_be_applied(self, content: Content, old: str, new: str, occurrences: int) -> None:
        head = content.head()
        with pytest.raises(EditNotApplicable) as caught:
            content.edit_page("Städte/Zürich", base=head, old=old, new=new, author=ADA)
        assert caught.value.occurrences == occurrences
        assert content.head() == head

    def test_edit_of_a_missing_page(self, content: Content) -> None:
        with pytest.raises(PageNotFound):
            content.edit_page("Missing Page", base=content.head(), old="a", new="b", author=ADA)

    def test_texts_that_cannot_be_stored(self, content: Content) -> None:
        head = content.head()
        with pytest.raises(PageTooLarge):
            content.write_page("Big", "x" * (MAX_PAGE_CHARACTERS + 1), base=None, author=ADA)
        with pytest.raises(InvalidPageText):
            content.write_page("Odd", "half \ud83d a face", base=None, author=ADA)
        assert content.head() == head
        content.write_page("Big", "ü" * MAX_PAGE_CHARACTERS, base=None, author=ADA)
        assert len(content.read_page("Big").text) == MAX_PAGE_CHARACTERS

    def test_a_writer_reads_its_own_write_everywhere_whatever_the_door(self, content: Content) -> None:
        other = Content(content._home)
        other.write_page("Missing Page", "zebra [[On Call]]", base=None, author=ADA)
        assert content.read_page("Missing Page").linked_from == ["Home"]
        assert content.read_page("On Call").linked_from == ["Home", "Missing Page"]
        assert [hit.path for hit in content.search("zebra", 5).hits] == ["Missing Page"]
        (content._home.repo / "By hand.md").write_text("yak")
        git(content._home, "add", ".")
        git(content._home, "commit", "-q", "-m", "by hand")
        assert [hit.path for hit in content.search("yak", 5).hits] == ["By hand"]
        other.close()

    def test_readers_and_writers_in_threads(self, content: Content) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(8):
                    name = f"T{number}/{turn}"
                    content.write_page(name, f"{name} [[Home]]", base=None, author=ADA)
                    page: Page = content.read_page(name)
                    assert page.text == f"{name} [[Home]]"
                    assert name in content.read_page("Home").linked_from
                    content.search("home", 5)
                    content.list_pages()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert len(content.list_pages()) == 3 + 32
        assert_sound(content._home)


class TestPlainGit:
    """A `git` without our lock moves the branch between the decision and the commit."""

    @pytest.fixture
    def overtaken(self, content: Content, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        commit = Held.commit

        def overtake(file: str) -> None:
            def commit_second(held: Held, *arguments: Any, **options: Any) -> Committed:
                monkeypatch.undo()
                (content._home.repo / file).write_text("by hand")
                git(content._home, "add", ".")
                git(content._home, "commit", "-q", "-m", "by hand")
                return commit(held, *arguments, **options)

            monkeypatch.setattr(Held, "commit", commit_second)

        return overtake

    def test_on_another_page_it_is_built_upon(self, content: Content, overtaken: Callable[[str], None]) -> None:
        base = revision(content, "Home")
        overtaken("Other.md")
        content.write_page("Home", "mine", base=base, author=ADA)
        assert [content.read_page(name).text for name in ("Home", "Other")] == ["mine", "by hand"]
        assert_sound(content._home)

    def test_on_the_same_page_it_is_a_conflict(self, content: Content, overtaken: Callable[[str], None]) -> None:
        base = revision(content, "Home")
        overtaken("Home.md")
        with pytest.raises(Conflict) as caught:
            content.write_page("Home", "mine", base=base, author=ADA)
        assert caught.value.current_text == "by hand"
        assert caught.value.current_revision == content.head()
