"""What a push may bring, and how it is taken in: on real repositories, without any server."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.names_corpus import REFUSED
from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost import objects, trees
from wikihost.commits import commit_object
from wikihost.content import Content
from wikihost.layout import DataDir, WikiHome
from wikihost.pushed import PushRefused, check_push
from wikihost.repo import Repository
from wikihost.transfer import Transfer, close_transfer, open_transfer, sweep_transfers
from wikihost.values import Author
from wikihost.writer import HeadMoved

MAX_FILE_BYTES = 10_000


def bring(transfer: Transfer, tree: bytes, made: list[trees.NewObject], *parents: str, author: Author = ADA) -> str:
    """Store objects and a commit of `tree` in the transfer, as unpacking does; the commit."""
    repository = Repository(transfer.root)
    commit = commit_object(tree, parents or (transfer.head,), author, "Pushed", when=int(time.time()))
    objects.store_objects(repository.git, transfer.git_dir, [*made, commit])
    repository.git.free()
    return commit.digest().hex()


def with_files(transfer: Transfer, files: dict[str, tuple[bytes, bytes]], *parents: str, author: Author = ADA) -> str:
    """A commit of these files (path → mode, bytes) on top of the head or of `parents`, whatever their names are."""
    made: list[trees.NewObject] = []

    def folder(inside: dict[str, tuple[bytes, bytes]]) -> bytes:
        entries: dict[bytes, trees.Entry] = {}
        below: dict[str, dict[str, tuple[bytes, bytes]]] = {}
        for path, (mode, data) in inside.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = (mode, data)
                continue
            blob = trees.NewObject(b"blob", data)
            made.append(blob)
            entries[name.encode("utf-8", "surrogateescape")] = (mode, blob.digest())
        for name, rest_of in below.items():
            entries[name.encode("utf-8", "surrogateescape")] = (trees.DIRECTORY, folder(rest_of))
        tree = trees.NewObject(b"tree", trees.encode_tree(entries))
        made.append(tree)
        return tree.digest()

    return bring(transfer, folder(files), made, *parents, author=author)


def verdict(transfer: Transfer, new: str) -> str | None:
    """Why a push is refused, or None."""
    repository = Repository(transfer.root)
    try:
        check_push(repository, transfer.head, new, max_file_bytes=MAX_FILE_BYTES)
    except PushRefused as error:
        return str(error)
    finally:
        repository.git.free()
    return None


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wikis" / "w1", {"Home": "# Home\n", "On Call": "Who.\n"})


@pytest.fixture
def transfer(home: WikiHome, tmp_path: Path) -> Transfer:
    return open_transfer(home, tmp_path / "transfers" / "t1")


def test_a_good_push_is_taken_in(home: WikiHome, transfer: Transfer) -> None:
    content = Content(home)
    assert content.read_page("Home").text == "# Home\n"
    new = with_files(transfer, {"Home.md": (trees.FILE, b"# Pushed\n"), "Home/x.png": (trees.FILE, b"\x89PNG")})
    assert verdict(transfer, new) is None
    content.take_in(transfer.objects, onto=transfer.head, new=new)
    close_transfer(transfer.root)
    assert content.head() == new
    assert content.read_page("Home").text == "# Pushed\n"
    assert [page.path for page in content.list_pages()] == ["Home"]
    assert (home.repo / "Home" / "x.png").read_bytes() == b"\x89PNG"
    assert_sound(home)
    content.close()


def test_who_pushed_is_told_and_what_commits_say_of_themselves_is_not_believed(
    home: WikiHome, transfer: Transfer
) -> None:
    content = Content(home)
    forged = Author("Somebody", "x@example.org", {"Robot-Agent": "Bot", "Robot-Credential": "t_other (x)"})
    first = with_files(transfer, {"Home.md": (trees.FILE, b"1\n")}, author=forged)
    last = with_files(transfer, {"Home.md": (trees.FILE, b"2\n")}, first)
    eve = Author("Eve (laptop)", "eve@example.org", {"Robot-Via": "git", "Robot-Credential": "t_1 (laptop)"})
    onto = content.head()
    content.take_in(transfer.objects, onto=onto, new=last, pushed_by=eve)
    saved = content.write_page("Home", "3\n", base=last, author=ADA).revision
    expected = [
        (saved, "Ada Ferry", None, "rest", None),
        (last, "Ada Ferry", None, "git", "Eve (laptop)"),
        (first, "Somebody", None, "git", "Eve (laptop)"),
    ]
    assert told(content) == expected
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert [entry.commit.revision for entry in content.changes_by("t_1", long_ago, 9)] == [last, first]
    assert content.changes_by("t_other", long_ago, 9) == []
    assert "Pushed by Eve (laptop)" in git(home, "log", "-1", "--notes=robot", "--format=%N", last)
    changes = content.changes_since(onto, 9).changes
    assert {change.commit.revision: change.commit.pushed_by for change in changes}[last] == "Eve (laptop)"
    content.close()
    home.catalog_db.unlink()
    content = Content(home)
    assert told(content) == expected  # all of it is in git
    assert_sound(home)
    content.close()


def told(content: Content) -> list[tuple[str, str, str | None, str | None, str | None]]:
    found = content.history("Home", 3)
    return [(commit.revision, commit.author, commit.agent, commit.via, commit.pushed_by) for commit in found]


def test_a_wiki_that_moved_on_is_left_alone(home: WikiHome, transfer: Transfer) -> None:
    content = Content(home)
    new = with_files(transfer, {"Home.md": (trees.FILE, b"# Pushed\n")})
    saved = content.write_page("Saved", "Meanwhile.", base=None, author=ADA)
    with pytest.raises(HeadMoved):
        content.take_in(transfer.objects, onto=transfer.head, new=new)
    assert content.head() == saved.head
    assert not Repository(home.repo).has_commit(new)
    content.close()


@pytest.mark.parametrize(
    ("path", "mode", "data", "words"),
    [
        ("New page.md", trees.FILE, b"x", None),
        ("C# notes.md", trees.FILE, b"x", None),
        ("St\u00e4dte/Z\u00fcrich.md", trees.EXECUTABLE, b"x", None),
        ("Latin.md", trees.FILE, b"\xe9\0", None),
        (".gitattributes", trees.FILE, b"*.png binary\n", None),
        ("link", b"120000", b"../../robot.db", "symbolic link"),
        ("odd", b"100600", b"x", "regular file"),
        (".gitattributes", trees.FILE, b"*.md filter=x\n", "attributes"),
        ("a/.GitAttributes", trees.FILE, b"*\tmerge=x\n", "attributes"),
        ("../x.md", trees.FILE, b"x", "cannot be a file"),
        (".git/config", trees.FILE, b"x", "cannot be a file"),
        (".GIT/config", trees.FILE, b"x", "cannot be a file"),
        ("-x.md", trees.FILE, b"x", "dash"),
        ("x .md", trees.FILE, b"x", "space"),
        ("a./b.png", trees.FILE, b"x", "dot"),
        ("tab\t.md", trees.FILE, b"x", "control"),
        ("Zu\u0308rich.md", trees.FILE, b"x", "spelled"),
        ("twice.md.md", trees.FILE, b"x", "spelled"),
        ("latin-\udce9.md", trees.FILE, b"x", "UTF-8"),
        ("/".join(["d"] * 65) + "/x.md", trees.FILE, b"x", "parts"),
        ("On_Call.md", trees.FILE, b"x", "same page"),
        ("large.bin", trees.FILE, bytes(MAX_FILE_BYTES + 1), "at most 10,000"),
    ],
)
def test_what_a_push_may_bring(transfer: Transfer, path: str, mode: bytes, data: bytes, words: str | None) -> None:
    kept = {"Home.md": (trees.FILE, b"# Home\n"), "On Call.md": (trees.FILE, b"Who.\n")}
    said = verdict(transfer, with_files(transfer, {**kept, path: (mode, data)}))
    assert said is None if words is None else words in (said or "it was taken")


# The others cannot be said in a tree, or git's own fsck has refused it before.
IN_TREES = [name for name in REFUSED if not re.search("^/|//|\0|\ud800", name)]


@pytest.mark.parametrize("name", IN_TREES, ids=ascii)
def test_a_name_that_is_refused_elsewhere_is_not_pushed(transfer: Transfer, name: str) -> None:
    said = verdict(transfer, with_files(transfer, {f"{name}.md": (trees.FILE, b"x")}))
    assert re.search("cannot be a file|at most 64 parts", said or "it was taken")


def test_history_that_does_not_build_on_the_head(transfer: Transfer) -> None:
    unrelated = commit_object(trees.EMPTY_TREE, (), ADA, "Root", when=1)
    repository = Repository(transfer.root)
    objects.store_objects(repository.git, transfer.git_dir, [unrelated])
    assert "fast-forward" in (verdict(transfer, unrelated.digest().hex()) or "")
    assert "commit" in (verdict(transfer, repository.tree_of(transfer.head).hex()) or "")


@pytest.mark.parametrize(("width", "depth", "words"), [(10, 20, "200,000 files"), (2, 70, "64 parts")])
def test_a_tree_bomb_is_seen_without_walking_it(transfer: Transfer, width: int, depth: int, words: str) -> None:
    blob = trees.NewObject(b"blob", b"x")
    made = [blob, trees.NewObject(b"tree", trees.encode_tree({b"x.md": (trees.FILE, blob.digest())}))]
    for _ in range(depth):
        below = (trees.DIRECTORY, made[-1].digest())
        made.append(trees.NewObject(b"tree", trees.encode_tree({b"d%d" % n: below for n in range(width)})))
    began = time.monotonic()
    assert words in (verdict(transfer, bring(transfer, made[-1].digest(), made)) or "")
    assert time.monotonic() - began < 5


def test_leftovers_are_swept(transfer: Transfer, tmp_path: Path) -> None:
    with_files(transfer, {"Home.md": (trees.FILE, b"x")})
    sweep_transfers(DataDir(tmp_path))
    assert not transfer.root.exists()
    sweep_transfers(DataDir(tmp_path))


def test_configuration_of_the_wiki_takes_no_part(home: WikiHome, tmp_path: Path) -> None:
    git(home, "config", "uploadpack.packObjectsHook", "touch /tmp/never")
    git(home, "tag", "hidden")
    transfer = open_transfer(home, tmp_path / "transfers" / "t2")
    assert "hidden" not in (transfer.git_dir / "packed-refs").read_text()
    assert "packObjectsHook" not in (transfer.git_dir / "config").read_text()
