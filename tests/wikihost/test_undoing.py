from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost.content import Content
from wikihost.errors import ContentError, PageNotFound, QuotaExceeded, RevisionNotFound, UndoRefused
from wikihost.layout import WikiHome
from wikihost.quota import Quota, write_quota
from wikihost.redirects import redirect_text
from wikihost.values import Author

AGENT = Author("Ada Ferry (Claude Code)", "ada@users.example", {"Robot-Agent": "Claude Code", "Robot-Via": "mcp"})
LINES = "one\n\ntwo\n\nthree\n\nfour\n"
PAGES = {"Home": "# Home\n[[Plan]]\n", "Plan": LINES, "Notes/Day": "Monday\n"}


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", PAGES)


@pytest.fixture
def content(home: WikiHome) -> Iterator[Content]:
    opened = Content(home)
    yield opened
    opened.close()
    assert_sound(home)


def put(content: Content, name: str, text: str, author: Author = AGENT, message: str | None = None) -> str:
    """Write a page whatever it says now; the commit."""
    try:
        base = content.read_page(name, follow_redirect=False).revision
    except PageNotFound:
        base = None
    done = content.write_page(name, text, base=base, author=author, message=message, follow_redirect=False)
    return done.head


def tree(content: Content) -> str:
    with content.snapshot() as snapshot:
        return snapshot.repository.tree_of(snapshot.head).hex()


def text(content: Content, name: str) -> str:
    return content.read_page(name, follow_redirect=False).text


def refusal(content: Content, revision: str) -> UndoRefused:
    head = content.head()
    with pytest.raises(UndoRefused) as caught:
        content.undo_change(revision, author=ADA)
    assert content.head() == head
    return caught.value


class TestOneChange:
    def test_the_newest_change_goes_and_says_so_in_the_history(self, home: WikiHome, content: Content) -> None:
        before = tree(content)
        changed = put(content, "Plan", "nonsense\n", message="Improve the plan\n\nA lot.")
        done = content.undo_change(changed[:8], author=ADA)
        assert tree(content) == before
        assert (done.changed, done.paths, done.undoes) == (True, ["Plan"], [changed])
        assert (done.revision, content.read_page("Plan").revision) == (content.head(),) * 2
        assert "-nonsense\n" in done.diff
        assert git(home, "log", "-1", "--format=%B") == (
            f'Undo "Improve the plan" (revision {changed[:8]})\n\nRobot-Via: rest\nRobot-Undoes: {changed}'
        )
        assert content.history("Plan", 1)[0].message == f'Undo "Improve the plan" (revision {changed[:8]})'

    def test_what_others_wrote_since_stays(self, content: Content) -> None:
        changed = put(content, "Plan", LINES.replace("one", "1"))
        put(content, "Plan", LINES.replace("one", "1").replace("four", "4"), ADA)
        content.undo_change(changed, author=ADA, message="Back to words")
        assert text(content, "Plan") == LINES.replace("four", "4")
        assert content.history("Plan", 1)[0].message == "Back to words"

    def test_a_dry_run_tells_the_same_and_writes_nothing(self, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        head = content.head()
        shown = content.undo_change(changed, author=ADA, dry_run=True)
        assert (shown.changed, shown.revision, content.head()) == (False, head, head)
        done = content.undo_change(changed, author=ADA)
        assert (done.diff, done.pages) == (shown.diff, shown.pages)

    def test_an_undo_can_be_undone(self, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        after = tree(content)
        undone = content.undo_change(changed, author=ADA)
        content.undo_change(undone.revision, author=ADA)
        assert tree(content) == after

    def test_links_and_search_follow(self, content: Content) -> None:
        changed = put(content, "Plan", "[[Notes/Day]] walrus\n")
        content.undo_change(changed, author=ADA)
        assert content.read_page("Notes/Day").linked_from == []
        assert content.search("walrus", 5).total == 0

    def test_a_new_page_goes_and_a_deleted_one_comes_back_with_its_files(self, content: Content) -> None:
        before = tree(content)
        made = put(content, "New", "x\n")
        assert content.undo_change(made, author=ADA).pages[0].kind == "deleted"
        assert tree(content) == before
        content.write_attachment("Plan", "a.bin", b"\0\1", author=ADA)
        with_file = tree(content)
        content.delete_page("Plan", author=AGENT)
        [page] = content.undo_change(content.head(), author=ADA).pages
        assert (page.path, page.kind, page.attachments) == ("Plan", "created", ["a.bin"])
        assert tree(content) == with_file

    def test_a_file_that_was_replaced_is_as_it_was(self, content: Content) -> None:
        content.write_attachment("Plan", "a.bin", b"\0old", author=ADA)
        before = tree(content)
        content.write_attachment("Plan", "a.bin", b"\0new", author=AGENT)
        done = content.undo_change(content.head(), author=ADA)
        assert (done.paths, done.pages[0].attachments, done.diff) == (["Plan"], ["a.bin"], "")
        assert tree(content) == before

    def test_changes_of_a_plain_git_go_too(self, home: WikiHome, content: Content) -> None:
        before = tree(content)
        (home.repo / "Plan.md").write_text("pushed\n")
        (home.repo / "Deep").mkdir()
        (home.repo / "Deep" / "Page.md").write_text("pushed\n")
        git(home, "add", "-A")
        git(home, "commit", "-qm", "By git")
        assert content.undo_change(content.head(), author=ADA).paths == ["Deep/Page", "Plan"]
        assert tree(content) == before

    def test_a_page_is_found_under_its_new_name(self, content: Content) -> None:
        changed = put(content, "Plan", LINES.replace("one", "1"))
        content.rename_page("Plan", "Project/Plan", author=ADA)
        content.rename_page("Project/Plan", "Project/Big plan", redirect=False, author=ADA)
        assert content.undo_change(changed, author=ADA).paths == ["Project/Big plan"]
        assert text(content, "Project/Big plan") == LINES

    def test_a_page_that_was_made_and_renamed_goes_with_its_redirect(self, content: Content) -> None:
        before = {page.path for page in content.list_pages()}
        made = put(content, "New", "x\n")
        content.rename_page("New", "Newer", author=ADA)
        content.undo_change(made, author=ADA)
        assert {page.path for page in content.list_pages()} == before

    def test_the_quota_is_checked(self, home: WikiHome, content: Content) -> None:
        content.delete_page("Plan", author=AGENT)
        deleted = content.head()
        write_quota(home.quota, Quota(pages=2, size_bytes=1_000_000))
        for dry_run in (True, False):
            with pytest.raises(QuotaExceeded):
                content.undo_change(deleted, author=ADA, dry_run=dry_run)
        assert content.head() == deleted


class TestRenames:
    def test_a_rename_goes_back_as_a_rename(self, content: Content) -> None:
        content.write_attachment("Plan", "a.bin", b"\0", author=ADA)
        before = tree(content)
        content.rename_page("Plan", "Project/Plan", author=AGENT)
        done = content.undo_change(content.head(), author=ADA)
        assert tree(content) == before
        assert [(page.path, page.kind, page.source) for page in done.pages] == [
            ("Home", "updated", None),
            ("Plan", "renamed", "Project/Plan"),
        ]
        assert [commit.message for commit in content.history("Plan", 10)] == [
            f'Undo "[api] Rename: Plan -> Project/Plan" (revision {done.undoes[0][:8]})',
            "[api] Rename: Plan -> Project/Plan",
            "Create Test",
        ]

    def test_links_that_led_to_the_new_name_before_stay(self, content: Content) -> None:
        """To a page that was missing, or to a redirect in whose place the page came."""
        put(content, "Notes/Wishes", "[[Later]]\n")
        content.rename_page("Plan", "Project", author=AGENT)
        put(content, "Notes/Old", "[[Plan]]\n")
        for old, new in (("Notes/Day", "Later"), ("Project", "Plan")):
            before = tree(content)
            content.rename_page(old, new, author=AGENT)
            content.undo_change(content.head(), author=ADA)
            assert tree(content) == before

    @pytest.mark.parametrize("redirect", [True, False])
    def test_what_happened_at_the_new_name_moves_along(self, content: Content, redirect: bool) -> None:
        content.rename_page("Plan", "Project/Plan", redirect=redirect, author=AGENT)
        renamed = content.head()
        put(content, "Project/Plan", LINES + "five, see [[Project/Plan]]\n", ADA)
        content.write_attachment("Project/Plan", "new.bin", b"\0", author=ADA)
        put(content, "Notes/Day", "Monday: [[the plan|Project/Plan]]\n", ADA)
        content.undo_change(renamed, author=ADA)
        assert text(content, "Plan") == LINES + "five, see [[Plan]]\n"
        assert [file.filename for file in content.list_attachments("Plan")] == ["new.bin"]
        assert (text(content, "Notes/Day"), text(content, "Home")) == ("Monday: [[the plan|Plan]]\n", PAGES["Home"])
        assert [page.path for page in content.list_pages()] == ["Home", "Notes/Day", "Plan"]
        assert any(commit.message.startswith("[api] Update: Project/Plan") for commit in content.history("Plan", 10))

    def test_what_a_plain_git_renamed_at_once(self, home: WikiHome, content: Content) -> None:
        """In a ring, and redirects among it: none of it is a rename of one page alone."""
        put(content, "One", redirect_text("Plan"), ADA)
        put(content, "Two", redirect_text("Home"), ADA)
        before = tree(content)
        for old, new in (("One", "x"), ("Two", "One"), ("x", "Two"), ("Plan", "x"), ("Home", "Plan"), ("x", "Home")):
            git(home, "mv", f"{old}.md", f"{new}.md")
        git(home, "commit", "-qm", "Ring")
        assert content.undo_change(content.head(), author=ADA).paths == ["Home", "One", "Plan", "Two"]
        assert tree(content) == before

    def test_not_where_something_else_stands_by_now(self, content: Content) -> None:
        content.rename_page("Plan", "Project/Plan", redirect=False, author=AGENT)
        renamed = content.head()
        put(content, "Plan", "Another plan\n", ADA)
        assert "there is another page Plan now" in str(refusal(content, renamed))

    def test_not_where_the_page_was_renamed_again(self, content: Content) -> None:
        content.rename_page("Plan", "Project/Plan", author=AGENT)
        renamed = content.head()
        content.rename_page("Project/Plan", "Elsewhere", author=ADA)
        assert "renamed again since, to Elsewhere" in str(refusal(content, renamed))


class TestRefusals:
    def test_the_same_lines_were_changed_since(self, content: Content) -> None:
        changed = put(content, "Plan", LINES.replace("one", "1"))
        put(content, "Plan", LINES.replace("one", "I"), ADA)
        refused = refusal(content, changed)
        assert refused.pages == ("Plan",)
        assert str(refused) == (
            f"Revision {changed[:8]} cannot be undone, since later changes are in the way:"
            " Plan: the same lines were changed since."
        )

    def test_a_new_page_that_others_went_on_with_stays(self, content: Content) -> None:
        made = put(content, "New", "x\n")
        put(content, "New", "x\n\ny\n", ADA)
        assert "New: it was changed since" in str(refusal(content, made))

    def test_a_new_page_to_which_others_added_files_stays(self, content: Content) -> None:
        made = put(content, "New", "x\n")
        content.write_attachment("New", "a.bin", b"\0", author=ADA)
        assert "New: it has files that were added since" in str(refusal(content, made))

    def test_a_page_is_not_put_beside_one_of_the_same_name(self, content: Content) -> None:
        put(content, "On Call", "x\n")
        content.delete_page("On Call", author=AGENT)
        deleted = content.head()
        put(content, "On_Call", "y\n", ADA)
        assert "there is a page On_Call now" in str(refusal(content, deleted))

    def test_what_was_undone_is_not_undone_again(self, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        undone = content.undo_change(changed, author=ADA).revision
        assert str(refusal(content, changed)).endswith(f"was undone already, in revision {undone[:8]}.")

    def test_what_somebody_put_back_by_hand_leaves_nothing_to_undo(self, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        put(content, "Plan", LINES, ADA)
        assert "Nothing of revision" in str(refusal(content, changed))

    def test_a_page_that_is_gone(self, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        content.delete_page("Plan", author=ADA)
        assert "Plan: it was removed since" in str(refusal(content, changed))

    def test_the_first_commit_and_merges(self, home: WikiHome, content: Content) -> None:
        first = git(home, "rev-list", "--max-parents=0", "HEAD")
        assert "is the first one of the wiki" in str(refusal(content, first))
        git(home, "checkout", "-q", "-b", "side", "HEAD")
        git(home, "commit", "-q", "--allow-empty", "-m", "side")
        git(home, "checkout", "-q", "-")
        git(home, "merge", "-q", "--no-ff", "-m", "merge", "side")
        assert "is a merge" in str(refusal(content, content.head()))

    @pytest.mark.parametrize("bad", ["HEAD", "abc", "0" * 40, "--all"])
    def test_a_revision_that_is_none(self, content: Content, bad: str) -> None:
        with pytest.raises(RevisionNotFound):
            content.undo_change(bad, author=ADA)

    def test_a_commit_that_the_branch_does_not_have(self, home: WikiHome, content: Content) -> None:
        changed = put(content, "Plan", "x\n")
        git(home, "reset", "-q", "--hard", "HEAD^")
        with pytest.raises(ContentError):
            content.undo_change(changed, author=ADA)


class TestManyChanges:
    def test_all_go_in_one_commit_and_what_others_wrote_stays(self, home: WikiHome, content: Content) -> None:
        before = tree(content)
        changes = [
            put(content, "Plan", LINES.replace("one", "1")),
            put(content, "New", "x\n"),
            put(content, "Plan", LINES.replace("one", "1").replace("two", "2")),
            content.rename_page("Plan", "Big plan", author=AGENT).revision,
            put(content, "Big plan", "worse\n"),
            content.delete_page("New", author=AGENT).revision,
        ]
        done = content.undo_changes(changes[::2] + changes[1::2], author=ADA, message="All of it")
        assert tree(content) == before
        assert list(done.undoes) == changes[::-1]
        assert [(page.path, page.kind) for page in done.pages] == [("Home", "updated"), ("Plan", "renamed")]
        assert git(home, "log", "-1", "--format=%s%n%(trailers:key=Robot-Undoes,valueonly)") == (
            "All of it\n" + " ".join(changes[::-1])
        )

    def test_a_page_where_people_went_on_is_left_alone_whole(self, content: Content) -> None:
        changes = [
            put(content, "Plan", LINES.replace("one", "1")),
            put(content, "Plan", LINES.replace("one", "1").replace("four", "4")),
            put(content, "Notes/Day", "Tuesday\n"),
        ]
        put(content, "Plan", LINES.replace("one", "I").replace("four", "4"), ADA)
        shown = content.undo_changes(changes, author=ADA, dry_run=True)
        assert (shown.paths, [(page.path, page.reason) for page in shown.left_alone]) == (
            ["Notes/Day"],
            [("Plan", "the same lines were changed since")],
        )
        done = content.undo_changes(changes, author=ADA, message="All", reviewed=shown.digest)
        assert text(content, "Notes/Day") == "Monday\n"
        assert text(content, "Plan") == LINES.replace("one", "I").replace("four", "4")
        message = content.find_commit(done.revision).commit.message
        assert message == "All\n\nLeft alone:\n- Plan: the same lines were changed since"

    def test_where_all_is_in_the_way_nothing_is_written(self, content: Content) -> None:
        changed = put(content, "Plan", LINES.replace("one", "1"))
        put(content, "Plan", "mine\n", ADA)
        head = content.head()
        done = content.undo_changes([changed], author=ADA)
        assert (done.changed, [page.path for page in done.left_alone], content.head()) == (False, ["Plan"], head)

    def test_nothing_else_is_done_than_what_was_looked_at(self, content: Content) -> None:
        changes = [put(content, "Plan", LINES.replace("one", "1")), put(content, "New", "x\n")]
        shown = content.undo_changes(changes, author=ADA, dry_run=True)
        head = put(content, "Plan", LINES.replace("one", "I"), ADA)
        with pytest.raises(UndoRefused, match="since you looked"):
            content.undo_changes(changes, author=ADA, reviewed=shown.digest)
        assert content.head() == head

    def test_the_first_commit_is_left_and_told(self, home: WikiHome, content: Content) -> None:
        first = git(home, "rev-list", "--max-parents=0", "HEAD")
        changed = put(content, "Notes/Day", "Tuesday\n")
        done = content.undo_changes([first, changed], author=ADA)
        assert {page.path for page in done.left_alone} == set(PAGES)
        assert done.paths == []

    def test_the_changes_of_a_credential(self, content: Content) -> None:
        laptop = Author("Ada (Claude Code)", "ada@users.example", {"Robot-Credential": "t_1 (laptop)"})
        ci = Author("Ada (CI)", "ada@users.example", {"Robot-Credential": "t_2 (t_1)"})
        changes = [put(content, "Plan", "1\n", laptop), put(content, "Plan", "2\n", laptop)]
        put(content, "Plan", "3\n", ci)
        long_ago, soon = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(minutes=1)
        found = content.changes_by("t_1", long_ago, 10)
        assert [entry.commit.revision for entry in found] == changes[::-1]
        assert [list(entry.pages) for entry in found] == [["Plan"], ["Plan"]]
        assert len(content.changes_by("t_1", long_ago, 1)) == 1
        assert content.changes_by("t_1", soon, 10) == []


NAMES = st.sampled_from(["A", "B", "C/D"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.sampled_from(["x\n", "y [[A]]\n", "[[B]]\n"])),
        st.tuples(st.just("rename"), NAMES, NAMES | st.just("E")),
        st.tuples(st.just("delete"), NAMES, st.just("")),
        st.tuples(st.just("attach"), st.sampled_from(["A", "B"]), st.sampled_from(["f.bin", "g.bin"])),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def playground(memory: Path) -> Iterator[Content]:
    opened = Content(make_wiki(memory / "playground", {"A": "a\n", "B": "b [[A]]\n"}))
    yield opened
    opened.close()


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@example(  # a link that led to a missing page before the rename gave it one
    steps=[("delete", "A", ""), ("write", "B", "y [[A]]\n"), ("write", "C/D", "x\n"), ("rename", "C/D", "A")]
)
def test_undoing_all_of_a_series_of_changes_leaves_what_was_before(playground: Content, steps: list[Any]) -> None:
    """Whatever an agent did in a row: undone at once, or one by one from the newest, the files are as before."""
    before, done = tree(playground), []
    for kind, name, more in steps:
        with suppress(ContentError):
            head = playground.head()
            match kind:
                case "write":
                    put(playground, name, more)
                case "rename":
                    playground.rename_page(playground.read_page(name).path, more, author=AGENT)
                case "delete":
                    playground.delete_page(name, author=AGENT)
                case "attach":
                    playground.write_attachment(playground.read_page(name).path, more, b"\0", author=AGENT)
            if playground.head() != head:
                done.append(playground.head())
    after = tree(playground)
    if done:
        with suppress(UndoRefused):  # nothing is left of what takes itself back
            undone = playground.undo_changes(done, author=ADA)
            assert (undone.left_alone, tree(playground)) == ([], before)
            if undone.changed:
                playground.undo_change(undone.revision, author=ADA)
                assert tree(playground) == after
        for revision in reversed(done):
            playground.undo_change(revision, author=ADA)
    assert tree(playground) == before
