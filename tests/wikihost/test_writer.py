from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost import objects, trees
from wikihost.commits import commit_object
from wikihost.content import Content
from wikihost.errors import InvalidPageName, PageExists, StorageFailed
from wikihost.layout import WikiHome
from wikihost.values import Author
from wikihost.writer import HeadMoved, Moved, Writer


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", {"Home": "home\n", "A/B": "b\n"})


@pytest.fixture
def writer(home: WikiHome) -> Writer:
    return Writer(home)


def test_one_commit_adds_changes_and_deletes_files(home: WikiHome, writer: Writer) -> None:
    before = git(home, "rev-parse", "HEAD")
    done = writer.commit(
        {"Home.md": b"new\n", "A/B.md": None, "X/Y/Z.md": b"z\n", "X/p.png": b"\x89PNG"}, author=ADA, message="All"
    )
    assert done.changed
    assert git(home, "rev-parse", "HEAD", "HEAD^") == f"{done.head}\n{before}"
    assert git(home, "ls-tree", "-r", "--name-only", "HEAD").split() == ["Home.md", "X/Y/Z.md", "X/p.png"]
    assert git(home, "log", "-1", "--format=%an <%ae> %cn|%B") == (
        "Ada Ferry <ada@users.example> Ada Ferry|All\n\nRobot-Via: rest"
    )
    assert (home.repo / "X/p.png").read_bytes() == b"\x89PNG"
    assert not (home.repo / "A").exists()
    assert_sound(home)


def test_the_same_files_make_no_commit(home: WikiHome, writer: Writer) -> None:
    before = git(home, "rev-parse", "HEAD")
    done = writer.commit({"Home.md": b"home\n", "Missing.md": None}, author=ADA, message="Nothing")
    assert (done.head, done.changed) == (before, False)
    assert git(home, "rev-parse", "HEAD") == before


def test_equal_files_are_one_object(home: WikiHome, writer: Writer) -> None:
    writer.commit({"One.md": b"same", "Two.md": b"same", "Three/Two.md": b"same"}, author=ADA, message="x")
    writer.commit({"Four.md": b"same"}, author=ADA, message="x")
    assert git(home, "rev-parse", "HEAD:Two.md") == git(home, "rev-parse", "HEAD:Four.md")
    assert_sound(home)


def test_everything_may_be_deleted(home: WikiHome, writer: Writer) -> None:
    writer.commit({"Home.md": None, "A/B.md": None}, author=ADA, message="All gone")
    assert git(home, "ls-tree", "HEAD") == ""
    assert_sound(home)


def test_trees_sort_as_git_wants(home: WikiHome, writer: Writer) -> None:
    names = ["a", "a.b", "a-b", "a/x", "a0", "ab", "a b/c", "ä", "Z"]
    for name in names:
        writer.commit({f"{name}.md": name.encode()}, author=ADA, message=name)
        writer.commit({f"{name}/file": name.encode()}, author=ADA, message=name)
    assert_sound(home)


@pytest.mark.parametrize("changes", [{"Home.md/x.md": b""}, {"A": b""}])
def test_a_file_and_a_folder_cannot_share_a_name(home: WikiHome, writer: Writer, changes: dict[str, bytes]) -> None:
    before = git(home, "rev-parse", "HEAD")
    with pytest.raises(PageExists, match="stands in the place"):
        writer.commit(changes, author=ADA, message="x")
    assert git(home, "rev-parse", "HEAD") == before
    assert_sound(home)


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a//b", "", ".git/config", "A/.GIT/x", "a/.", "git~1/config", ".git /x"]
)
def test_paths_out_of_the_work_tree_are_refused(home: WikiHome, writer: Writer, path: str) -> None:
    with pytest.raises(InvalidPageName, match="cannot be the path"):
        writer.commit({path: b"x"}, author=ADA, message="x")
    assert_sound(home)


@pytest.mark.parametrize("marked", [True, False])
def test_a_hostile_tree_writes_nothing_outside(home: WikiHome, writer: Writer, marked: bool) -> None:
    """Its names are what no git would make: `..` with a file in it, and `.git` with a configuration."""
    head = git(home, "rev-parse", "HEAD")
    evil = trees.NewObject(b"blob", b"evil")
    folder = trees.NewObject(b"tree", trees.encode_tree({b"evil": (trees.FILE, evil.digest())}))
    entry = (trees.DIRECTORY, folder.digest())
    root = trees.NewObject(
        b"tree", trees.encode_tree({b"..": entry, b".git": entry, b"Fine.md": (trees.FILE, evil.digest())})
    )
    commit = commit_object(root.digest(), (head,), ADA, "evil", when=0)
    with writer.locked() as held:
        git_of = held.repository.git
        objects.store_objects(git_of, home.git_dir, [evil, folder, root, commit])
        objects.move_ref(git_of, home.git_dir, "refs/heads/main", expected=head, new=commit.digest().hex())
    if not marked:
        (home.git_dir / "robot-worktree").unlink()
    with writer.locked():
        assert (home.repo / "Fine.md").read_text() == "evil"
    assert not (home.root / "evil").exists()
    assert not (home.git_dir / "evil").exists()


def test_an_expected_blob_must_be_there(home: WikiHome, writer: Writer) -> None:
    blob = git(home, "rev-parse", "HEAD:Home.md")
    writer.commit({"Home.md": b"1"}, author=ADA, message="x", expect={"Home.md": blob, "New.md": None})
    with pytest.raises(Moved):
        writer.commit({"Home.md": b"2"}, author=ADA, message="x", expect={"Home.md": blob})
    with pytest.raises(Moved):
        writer.commit({"Home.md": b"2"}, author=ADA, message="x", expect={"Home.md": None})
    assert git(home, "show", "HEAD:Home.md") == "1"


def test_names_cannot_forge_a_commit(home: WikiHome, writer: Writer) -> None:
    evil = Author("Eve <eve@x> 0 +0000\nparent 00\0", "e\nauthor x>", {"Robot-Agent": "a\n\nRobot-Via: web"})
    writer.commit({"Home.md": b"1"}, author=evil, message="m\0essage \ud800")
    assert git(home, "log", "-1", "--format=%an|%ae|%P|%B").splitlines() == [
        f"Eve eve@x 0 +0000parent 00|eauthor x|{git(home, 'rev-parse', 'HEAD^')}|message ?",
        "",
        "Robot-Agent: a Robot-Via: web",
    ]
    nobody = Author("<>", "", {})
    writer.commit({"Home.md": b"2"}, author=nobody, message="x")
    assert git(home, "log", "-1", "--format=%an|%ae") == "unknown|"
    assert_sound(home)


def test_a_plain_git_that_moves_the_branch_is_noticed(home: WikiHome, writer: Writer) -> None:
    with writer.locked() as held:
        head = held.head()
        git(home, "commit", "--allow-empty", "-m", "by hand")
        with pytest.raises(HeadMoved):
            held.commit({"Home.md": b"1"}, author=ADA, message="x", onto=head)
        held.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert git(home, "log", "--format=%s") == "x\nby hand\nCreate Test"
    assert_sound(home)


def test_a_plain_git_that_pushes_is_followed(home: WikiHome, writer: Writer, tmp_path: Path) -> None:
    git(home, "clone", "-q", str(home.repo), str(tmp_path / "clone"))
    clone = WikiHome(tmp_path / "clone-home")
    clone.root.mkdir()
    (tmp_path / "clone").rename(clone.repo)
    (clone.repo / "Pushed.md").write_text("pushed\n")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "pushed")
    with writer.locked() as held, held.using_work_tree():
        git(clone, "push", "-q", "origin", "HEAD:main")
    assert (home.repo / "Pushed.md").read_text() == "pushed\n"
    writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert git(home, "log", "--format=%s") == "x\npushed\nCreate Test"
    assert_sound(home)


def test_packed_refs_and_objects_are_no_obstacle(home: WikiHome, writer: Writer) -> None:
    writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    git(home, "gc", "-q", "--prune=now")
    git(home, "pack-refs", "--all", "--prune")
    assert not (home.git_dir / "refs/heads/main").exists()
    writer.commit({"Home.md": b"2"}, author=ADA, message="y")
    assert git(home, "log", "--format=%s") == "y\nx\nCreate Test"
    assert_sound(home)


def test_debris_of_a_git_that_died_in_the_work_tree_is_removed(home: WikiHome, writer: Writer) -> None:
    def die() -> None:
        (home.repo / "Home.md").write_text("half")
        (home.repo / "New.md").write_text("never committed")
        git(home, "add", "New.md")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), writer.locked() as held, held.using_work_tree():
        die()
    assert_sound(home)
    assert (home.repo / "Home.md").read_text() == "home\n"


def test_a_work_tree_left_behind_is_brought_along(home: WikiHome, writer: Writer) -> None:
    tree = git(home, "mktree", text=f"100644 blob {git(home, 'hash-object', '-w', '--stdin', text='one')}\tOne.md\n")
    commit = git(home, "commit-tree", tree, "-p", "HEAD", "-m", "behind its back")
    git(home, "update-ref", "refs/heads/main", commit)
    assert git(home, "status", "--porcelain") != ""
    writer.catch_up()
    assert_sound(home)
    assert sorted(os.listdir(home.repo)) == [".git", "One.md"]


@pytest.mark.parametrize("mark", [None, "", "in-use", "0" * 40, "\xff"])
def test_an_unknown_work_tree_is_checked_file_by_file(home: WikiHome, writer: Writer, mark: str | None) -> None:
    (home.repo / "Home.md").write_text("")
    (home.repo / "A/B.md").unlink()
    (home.repo / "A/B.md").mkdir()
    (home.repo / "Stray.md").symlink_to("/etc/passwd")
    (home.git_dir / "index").write_bytes(b"DIRC garbage")
    if mark is None:
        (home.git_dir / "robot-worktree").unlink()
    else:
        (home.git_dir / "robot-worktree").write_text(mark, "latin-1")
    with writer.locked():
        assert_sound(home)


def test_files_are_never_written_through_a_symbolic_link(home: WikiHome, writer: Writer, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (home.repo / "A/B.md").unlink()
    (home.repo / "A").rmdir()
    (home.repo / "A").symlink_to(outside)
    (home.repo / "Home.md").unlink()
    (home.repo / "Home.md").symlink_to(outside / "passwd")
    writer.commit({"A/B.md": b"1", "A/C.md": b"2", "Home.md": b"3"}, author=ADA, message="x")
    assert os.listdir(outside) == []
    assert (home.repo / "A/C.md").read_bytes() == b"2"
    assert (home.repo / "Home.md").read_bytes() == b"3"


def test_a_lock_that_another_git_holds_is_waited_for_then_named(
    home: WikiHome, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wikihost.objects._REF_WAIT_S", 0.02)
    lock = home.git_dir / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(StorageFailed, match=r"main\.lock"):
        writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert lock.exists()
    os.utime(lock, (0, 0))  # as old as only the lock of a git that was killed can be
    writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert_sound(home)


def test_a_held_index_lock_does_not_fail_the_write(
    home: WikiHome, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wikihost.worktree._INDEX_WAIT_S", 0.02)
    lock = home.git_dir / "index.lock"
    lock.touch()
    done = writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert git(home, "rev-parse", "HEAD") == done.head
    lock.unlink()
    with writer.locked():
        assert_sound(home)


def test_a_busy_wiki_says_so_within_the_bound(home: WikiHome) -> None:
    patient, hasty = Writer(home), Writer(home, wait_s=0.02)
    with patient.locked(), pytest.raises(StorageFailed, match="busy"):
        hasty.commit({"Home.md": b"1"}, author=ADA, message="x")
    with hasty.locked(), pytest.raises(StorageFailed, match="busy"):
        hasty.commit({"Home.md": b"1"}, author=ADA, message="x")
    hasty.commit({"Home.md": b"1"}, author=ADA, message="x")


def test_the_lock_outlives_its_holder_in_a_child_that_has_it(home: WikiHome) -> None:
    writer, other = Writer(home), Writer(home, wait_s=0.02)
    with writer.locked() as held:
        inherited = os.dup(held.fileno())
    with pytest.raises(StorageFailed, match="busy"), other.locked():
        pass
    os.close(inherited)
    with other.locked():
        pass


def test_threads_take_turns(home: WikiHome, writer: Writer) -> None:
    def save(number: int) -> None:
        for turn in range(5):
            writer.commit({f"T{number}-{turn}.md": b"x"}, author=ADA, message="x")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(git(home, "ls-tree", "--name-only", "HEAD").split()) == 22
    assert git(home, "rev-list", "--count", "HEAD") == "21"
    assert_sound(home)


def test_catching_up_takes_no_lock_when_there_is_nothing_to_do_and_fails_nobody(home: WikiHome) -> None:
    holder, other = Writer(home), Writer(home, wait_s=0.02)
    with holder.locked():
        other.catch_up()
        (home.git_dir / "robot-worktree").unlink()
        other.catch_up()
        assert not (home.git_dir / "robot-worktree").exists()
    other.catch_up()
    assert (home.git_dir / "robot-worktree").exists()


def test_locks_that_a_killed_writer_of_ours_left_are_taken_over_at_once(
    home: WikiHome, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wikihost.objects._REF_WAIT_S", 0.0)
    monkeypatch.setattr("wikihost.worktree._INDEX_WAIT_S", 0.0)
    for own, lock in (("robot-ref", "refs/heads/main.lock"), ("robot-index", "index.lock")):
        (home.git_dir / own).write_text("left")
        os.link(home.git_dir / own, home.git_dir / lock)
    (home.git_dir / "robot-file").write_text("left")
    (home.git_dir / "robot-file").chmod(0o400)
    writer.commit({"Home.md": b"1"}, author=ADA, message="x")
    assert_sound(home)


def test_what_lies_too_deep_is_neither_written_nor_followed(home: WikiHome, writer: Writer) -> None:
    """Trees are walked by recursion: a path of 500 folders, pushed by a plain git, would end every later reading."""
    deep = "/".join(["d"] * 500)
    with pytest.raises(InvalidPageName):
        writer.commit({f"{deep}/picture.png": b"png"}, author=ADA, message="deep")
    blob = git(home, "hash-object", "-w", "--stdin", text="deep\n")
    git(home, "update-index", "--add", "--cacheinfo", f"100644,{blob},{deep}/Page.md")
    git(home, "commit", "--quiet", "--message", "deep")
    done = writer.commit({"Home.md": b"on top\n"}, author=ADA, message="on top")
    assert git(home, "rev-parse", "HEAD") == done.head
    with contextlib.closing(Content(home)) as content:
        assert [page.path for page in content.list_pages()] == ["A/B", "Home"]
        assert content.read_page("Home").text == "on top\n"
    assert git(home, "ls-tree", "-r", "--name-only", "HEAD").splitlines()[-1] == f"{deep}/Page.md"
