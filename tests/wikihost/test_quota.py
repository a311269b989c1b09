"""What a wiki may hold: exact at the limit, the same for every kind of change, and never in the way of shrinking."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.wikihost.test_pushed import bring
from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost import trees
from wikihost.content import Content
from wikihost.errors import QuotaExceeded, StorageFailed
from wikihost.layout import WikiHome
from wikihost.lifecycle import create_wiki
from wikihost.quota import MIB, Quota, Usage, read_quota, write_quota
from wikihost.repo import Repository
from wikihost.transfer import open_transfer
from wikihost.usage import Ledger
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PAGES = {"Home": "home [[Plan]]\n", "Plan": "x" * 100, "Plan/Sub": "sub\n"}
HELD = 14 + 100 + 4


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wikis" / "w1", PAGES)


@pytest.fixture
def content(home: WikiHome) -> Iterator[Content]:
    with closing(Content(home)) as opened:
        yield opened


def limit(home: WikiHome, *, pages: int = 5_000, size_bytes: int = 200 * MIB) -> None:
    write_quota(home.quota, Quota(pages, size_bytes))


def counted(home: WikiHome) -> Usage:
    """What the wiki holds as git lists it."""
    listed = [line.split(maxsplit=4) for line in git(home, "ls-tree", "-rl", "HEAD").splitlines()]
    pages = sum(path.endswith(".md") for *_, path in listed)
    return Usage(pages, sum(int(size) for _, _, _, size, _ in listed))


def loose(home: WikiHome) -> set[str]:
    return {file.name for file in (home.git_dir / "objects").rglob("*") if file.is_file()}


def test_a_new_wiki_has_the_usual_quota_and_is_counted(home: WikiHome, content: Content) -> None:
    stats = content.stats()
    assert (stats.quota.pages, stats.quota.size_bytes) == (5_000, 200 * 1024 * 1024)
    assert stats.usage == Usage(3, HELD) == counted(home)
    home.quota.unlink()  # as in a wiki from before there were quotas
    home.usage.unlink()
    assert content.stats() == stats


def test_a_text_fits_to_the_byte(home: WikiHome, content: Content) -> None:
    limit(home, size_bytes=HELD + 50)
    with pytest.raises(QuotaExceeded) as caught:
        content.write_page("New", "é" * 25 + "y", base=None, author=ADA)
    error = caught.value
    assert (error.pages, error.size_bytes, error.quota_bytes) == (4, HELD + 51, HELD + 50)
    assert "needs 51 bytes more" in str(error)
    assert "only 50 bytes are free" in str(error)
    content.write_page("New", "é" * 25, base=None, author=ADA)
    assert content.stats().usage == Usage(4, HELD + 50) == counted(home)


def test_pages_fit_to_the_page_and_files_do_not_count_as_pages(home: WikiHome, content: Content) -> None:
    limit(home, pages=4)
    content.write_attachment("Home", "notes.txt", b"no page", author=ADA)
    content.write_page("New", "x", base=None, author=ADA)
    with pytest.raises(QuotaExceeded, match="would have 5 pages, and it may have 4"):
        content.write_page("Another", "x", base=None, author=ADA)
    content.delete_page("New", author=ADA)
    content.write_page("Another", "x", base=None, author=ADA)


Change = Callable[[Content, bool], object]
CHANGES: dict[str, tuple[bool, Change]] = {
    "new page": (False, lambda c, dry: c.write_page("New", "x", base=None, author=ADA, dry_run=dry)),
    "longer text": (False, lambda c, dry: c.write_page("Plan", "x" * 101, base=at(c), author=ADA, dry_run=dry)),
    "as long a text": (True, lambda c, dry: c.write_page("Plan", "y" * 100, base=at(c), author=ADA, dry_run=dry)),
    "shorter text": (True, lambda c, dry: c.write_page("Plan", "y", base=at(c), author=ADA, dry_run=dry)),
    "longer edit": (
        False,
        lambda c, dry: c.edit_page("Plan", base=at(c), old="x" * 100, new="z" * 101, author=ADA, dry_run=dry),
    ),
    "shorter edit": (
        True,
        lambda c, dry: c.edit_page("Plan", base=at(c), old="x" * 100, new="z", author=ADA, dry_run=dry),
    ),
    "new file": (False, lambda c, dry: c.write_attachment("Home", "a.png", b"x", author=ADA, dry_run=dry)),
    "removed page": (True, lambda c, dry: c.delete_page("Plan", author=ADA, dry_run=dry)),
    "rename to a longer name": (
        False,
        lambda c, dry: c.rename_page("Plan", "Longer plan", redirect=False, author=ADA, dry_run=dry),
    ),
    "rename that leaves a redirect": (False, lambda c, dry: c.rename_page("Plan", "Plot", author=ADA, dry_run=dry)),
    "rename without": (True, lambda c, dry: c.rename_page("Plan", "Plot", redirect=False, author=ADA, dry_run=dry)),
}


def at(content: Content) -> str:
    return content.read_page("Plan").revision


@pytest.mark.parametrize("over", [0, 100])
@pytest.mark.parametrize("name", CHANGES)
def test_at_the_limit_and_over_it_only_what_grows_is_refused(
    home: WikiHome, content: Content, name: str, over: int
) -> None:
    fits, change = CHANGES[name]
    limit(home, pages=3, size_bytes=HELD - over)
    before, held = content.head(), loose(home)
    for dry in (True, False):
        if fits:
            change(content, dry)
            continue
        with pytest.raises(QuotaExceeded):
            change(content, dry)
        assert (content.head(), loose(home)) == (before, held)
    assert content.stats().usage == counted(home)
    assert_sound(home)


def test_an_attachment_can_be_replaced_by_a_smaller_one_and_removed(home: WikiHome, content: Content) -> None:
    content.write_attachment("Home", "a.png", bytes(50), author=ADA)
    limit(home, size_bytes=HELD + 20)
    with pytest.raises(QuotaExceeded):
        content.write_attachment("Home", "a.png", bytes(51), author=ADA)
    content.write_attachment("Home", "a.png", bytes(49), author=ADA)
    content.delete_attachment("Home", "a.png", author=ADA)
    assert content.stats().usage == Usage(3, HELD)


def test_a_change_that_makes_room_may_use_it(home: WikiHome) -> None:
    limit(home, pages=3, size_bytes=HELD)
    Writer(home).commit({"Plan.md": None, "New.md": b"y" * 100}, author=ADA, message="both at once")
    assert counted(home) == Usage(3, HELD)


def test_equal_files_count_each_and_what_history_has_does_not(home: WikiHome) -> None:
    writer, ledger, repository = Writer(home), Ledger(home.usage), Repository(home.repo)
    same = {f"F/{number}.bin": bytes(1_000) for number in range(3)}
    writer.commit(same, author=ADA, message="three")
    assert ledger.usage(repository, repository.head()) == Usage(3, HELD + 3_000)
    writer.commit(dict.fromkeys(same, None), author=ADA, message="none")
    assert ledger.usage(repository, repository.head()) == Usage(3, HELD)


def push_of(home: WikiHome, files: dict[str, bytes], commits: int) -> tuple[Path, str, str]:
    """Objects of a push of so many commits that ends with these files beside what is there; base and tip."""
    transfer = open_transfer(home, home.root.parent.parent / "transfers" / "t1")
    blobs = [trees.NewObject(b"blob", data) for data in files.values()]
    entries = {path: (trees.FILE, blob.digest()) for path, blob in zip(files, blobs, strict=True)}
    repository = Repository(transfer.root)
    before = repository.tree_of(transfer.head)
    tip = transfer.head
    for number in range(1, commits + 1):
        some = dict(list(entries.items())[: max(1, len(entries) * number // commits)])
        tree, made = trees.replace_files(repository.read_tree, before, some)
        tip = bring(transfer, tree, [*blobs, *made], tip)
    return transfer.objects, transfer.head, tip


@pytest.mark.parametrize(
    ("quota", "words"), [(Quota(pages=22), "23 pages"), (Quota(size_bytes=HELD + 1_999), "needs 2,000 bytes more")]
)
def test_a_push_of_many_commits_over_the_quota_leaves_nothing(
    home: WikiHome, content: Content, quota: Quota, words: str
) -> None:
    objects, onto, new = push_of(home, {f"P {number}.md": b"p" * 100 for number in range(20)}, commits=30)
    write_quota(home.quota, quota)
    held = loose(home)
    with pytest.raises(QuotaExceeded, match=words):
        content.take_in(objects, onto=onto, new=new)
    assert (content.head(), loose(home)) == (onto, held)
    write_quota(home.quota, Quota(23, HELD + 2_000))
    content.take_in(objects, onto=onto, new=new)
    assert content.head() == new
    assert content.stats().usage == Usage(23, HELD + 2_000) == counted(home)
    assert_sound(home)


def _writes_that_fit(place: Path, number: int) -> int:
    writer, fitted = Writer(WikiHome(place), wait_s=60), 0
    for turn in range(10):
        with suppress(QuotaExceeded):
            writer.commit({f"P {number}-{turn}.md": b"12345"}, author=ADA, message="x")
            fitted += 1
    return fitted


@pytest.mark.parametrize("quota", [Quota(pages=3 + 17), Quota(size_bytes=HELD + 17 * 5 + 4)])
def test_of_fifty_parallel_writes_exactly_as_many_get_in_as_fit(home: WikiHome, quota: Quota) -> None:
    write_quota(home.quota, quota)
    writer, fitted = Writer(home, wait_s=60), []

    def write(number: int) -> None:
        with suppress(QuotaExceeded):
            fitted.append(writer.commit({f"T {number}.md": b"12345"}, author=ADA, message="x"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(30)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
        others = [processes.submit(_writes_that_fit, home.root, number) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(fitted) + sum(other.result(60) for other in others) == 17
    assert counted(home) == Usage(20, HELD + 17 * 5)


def test_a_new_quota_holds_at_once_for_those_who_have_the_wiki_open(home: WikiHome, content: Content) -> None:
    writer = Writer(home)
    writer.commit({"One.md": b"1"}, author=ADA, message="x")
    limit(home, pages=4)
    with pytest.raises(QuotaExceeded):
        writer.commit({"Two.md": b"2"}, author=ADA, message="x")
    limit(home, pages=5)
    writer.commit({"Two.md": b"2"}, author=ADA, message="x")
    assert content.stats().quota.pages == 5


@pytest.mark.parametrize("garbage", [b"{", b"[]", b'{"pages": "x", "size_bytes": 1}', b"\xff"])
def test_a_quota_that_cannot_be_read_stops_writes_and_says_who_mends_it(home: WikiHome, garbage: bytes) -> None:
    home.quota.write_bytes(garbage)
    with pytest.raises(StorageFailed, match="quota cannot be read; ask the operator"):
        Writer(home).commit({"New.md": b"x"}, author=ADA, message="x")
    write_quota(home.quota, Quota())
    assert read_quota(home.quota) == Quota()


def test_whatever_became_of_the_last_count_the_next_is_right(home: WikiHome) -> None:
    ledger, repository = Ledger(home.usage), Repository(home.repo)
    line = home.usage.read_bytes()
    lies = line.replace(b"%020d" % HELD, b"%020d" % 7)
    unknown = Ledger(home.root / "other")
    unknown.note("f" * 40, Usage(9, 9))
    for left in (b"", line[:50], lies, line + b"x", (home.root / "other").read_bytes(), b"\xff" * 92):
        assert left != line
        home.usage.write_bytes(left)
        assert ledger.usage(repository, repository.head()) == Usage(3, HELD)
        assert home.usage.read_bytes()[: len(line)] == line
    home.usage.unlink()
    home.usage.mkdir()  # cannot be written: counted each time
    assert ledger.usage(repository, repository.head()) == Usage(3, HELD)
    Writer(home).commit({"New.md": b"12"}, author=ADA, message="x")
    assert ledger.usage(repository, repository.head()) == Usage(4, HELD + 2)


def test_a_wiki_is_not_made_with_more_than_it_may_hold(tmp_path: Path) -> None:
    home = WikiHome(tmp_path / "w1")
    with pytest.raises(QuotaExceeded, match="would have 3 pages"):
        create_wiki(home, name="N", description="", author=ADA, pages=PAGES, quota=Quota(pages=2))
    assert list(tmp_path.iterdir()) == []
    create_wiki(home, name="N", description="", author=ADA, pages=PAGES, quota=Quota(pages=3))
    assert read_quota(home.quota) == Quota(pages=3)
