"""Passages and vectors in a real catalog."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from wikihost import passages
from wikihost.content import Content
from wikihost.layout import DataDir
from wikihost.passages import PendingPage, StoredPassage

T = TypeVar("T")

MODEL = "model/1"
VECTOR = b"\0\x3c" * 4


class Wiki:
    """A wiki of plain commits, and its content."""

    def __init__(self, root: Path) -> None:
        self.home = DataDir(root).wiki("w1")
        self.repo = self.home.repo
        self.repo.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({"A": "# A\n\nfirst", "B": "---\ntitle: Bee\n---\nsecond"})
        self.content = Content(self.home)
        self.content.sync()

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@robot.test")
        subprocess.run(["git", *identity, *arguments], cwd=self.repo, check=True, capture_output=True)

    def commit(self, pages: dict[str, str | None]) -> None:
        for name, text in pages.items():
            file = self.repo / f"{name}.md"
            if text is None:
                file.unlink()
            else:
                file.write_text(text, "utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")

    def change(self, pages: dict[str, str | None]) -> None:
        self.commit(pages)
        self.content.sync()

    def read(self, work: Callable[..., T], *arguments: object) -> T:
        return self.content.catalog.read(lambda db: work(db, *arguments))

    def write(self, work: Callable[..., T], *arguments: object) -> T:
        return self.content.catalog.write(lambda db: work(db, *arguments))

    def pending(self, model: str = MODEL) -> list[PendingPage]:
        return self.read(passages.pending_pages, model)

    def vectors(self) -> list[tuple[bytes, bytes]]:
        """Of all passages, as a search loads them."""
        return self.content.catalog.read(lambda db: [row for part in passages.each_vector(db, MODEL) for row in part])

    def sweep(self, model: str) -> None:
        self.write(passages.drop_spent, model, self.read(passages.spent_vectors, model))

    def index(self, page: PendingPage, *hashes: bytes) -> bool:
        self.write(passages.store_vectors, MODEL, dict.fromkeys(hashes, VECTOR))
        return self.write(passages.store_passages, page, MODEL, [a_passage(digest) for digest in hashes])


def a_passage(digest: bytes) -> StoredPassage:
    return StoredPassage("Section", "Top > Section", "section", 3, 5, f"text {digest.hex()}", digest)


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[Wiki]:
    made = Wiki(tmp_path)
    yield made
    made.content.close()


def test_every_page_is_pending_until_its_passages_are_stored(wiki: Wiki) -> None:
    first, second = wiki.pending()
    assert (first.path, first.title, first.title_is_name) == ("A", "A", True)
    assert (second.path, second.title, second.title_is_name) == ("B", "Bee", False)
    assert wiki.index(first, b"1", b"2")
    assert [page.path for page in wiki.pending()] == ["B"]
    assert wiki.read(passages.pages_waiting, MODEL) > 0
    assert wiki.index(second)
    assert wiki.read(passages.pages_waiting, MODEL) == 0
    assert wiki.read(passages.progress, MODEL) == passages.Progress(2, 2, 2, 2)


def test_edit_makes_pending_and_old_passages_stay_until_replaced(wiki: Wiki) -> None:
    page = wiki.pending()[0]
    wiki.index(page, b"1")
    wiki.change({"A": "# A\n\nedited"})
    again = wiki.pending()[0]
    assert (again.id, again.path) == (page.id, page.path)
    assert len(wiki.read(passages.find_passages, [b"1"])) == 1
    wiki.index(again, b"2")
    assert wiki.read(passages.find_passages, [b"1"]) == []


def test_stale_plan_is_not_stored(wiki: Wiki) -> None:
    page = wiki.pending()[0]
    wiki.change({"A": "newer"})
    assert wiki.read(passages.read_body, page) is None
    assert not wiki.index(page, b"1")
    assert wiki.read(passages.find_passages, [b"1"]) == []


def test_body_comes_without_frontmatter(wiki: Wiki) -> None:
    assert [wiki.read(passages.read_body, page) for page in wiki.pending()] == ["# A\n\nfirst", "second"]


def test_passage_knows_its_page_as_it_is_now(wiki: Wiki) -> None:
    wiki.index(wiki.pending()[0], b"1", b"2")
    (found,) = wiki.read(passages.find_passages, [b"2"])
    assert (found.path, found.title, found.words, found.ordinal, found.total) == ("A", "A", 3, 1, 2)
    assert (found.section, found.section_path, found.anchor) == ("Section", "Top > Section", "section")


def test_deleted_page_takes_its_passages_along_and_leaves_the_vectors(wiki: Wiki) -> None:
    wiki.index(wiki.pending()[0], b"1")
    wiki.change({"A": None})
    assert wiki.read(passages.find_passages, [b"1"]) == []
    assert wiki.vectors() == []
    assert wiki.read(passages.missing_vectors, [b"1", b"2"], MODEL) == {b"2"}


def test_equal_text_of_two_pages_is_one_vector_and_two_passages(wiki: Wiki) -> None:
    for page in wiki.pending():
        wiki.index(page, b"same")
    assert wiki.vectors() == [(b"same", VECTOR)]
    assert sorted(found.path for found in wiki.read(passages.find_passages, [b"same"])) == ["A", "B"]


def test_another_model_asks_for_everything_and_its_sweep_drops_the_first(wiki: Wiki) -> None:
    wiki.index(wiki.pending()[0], b"1")
    assert len(wiki.pending("model/2")) == 2
    assert wiki.read(passages.missing_vectors, [b"1"], "model/2") == {b"1"}
    wiki.sweep("model/2")
    assert wiki.read(passages.missing_vectors, [b"1"], MODEL) == {b"1"}


def test_vectors_of_another_model_are_nobodys_answer(wiki: Wiki) -> None:
    """They stay beside those that replace them, until all pages have new ones."""
    wiki.index(wiki.pending()[0], b"1", b"2")
    wiki.write(passages.store_vectors, "model/2", {b"1": b"other"})
    assert sorted(wiki.vectors()) == [(b"1", VECTOR), (b"2", VECTOR)]
    assert wiki.read(passages.vectors_of, [b"1", b"2"], "model/2") == [(b"1", b"other")]
    assert wiki.read(passages.count_vectors, "model/2") == 1


def test_sweep_keeps_some_spare_vectors_but_not_without_end(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki.index(wiki.pending()[0], b"used")
    spare = {bytes([number]): VECTOR for number in range(5)}
    wiki.write(passages.store_vectors, MODEL, spare)
    wiki.sweep(MODEL)
    assert wiki.read(passages.missing_vectors, spare, MODEL) == set()
    monkeypatch.setattr(passages, "_SPARE_VECTORS", 4)
    wiki.sweep(MODEL)
    assert wiki.read(passages.missing_vectors, [*spare, b"used"], MODEL) == set(spare)


def test_page_with_other_passages_than_were_stored_is_altered(wiki: Wiki) -> None:
    for page in wiki.pending():
        wiki.index(page, page.path.encode(), b"more")
    assert wiki.read(passages.altered_pages) == []
    wiki.write(lambda db: db.execute("UPDATE chunk SET text = 'other' WHERE page_id = 1 AND ordinal = 1"))
    wiki.write(lambda db: db.execute("DELETE FROM chunk WHERE page_id = 2"))
    assert wiki.read(passages.altered_pages) == [1, 2]


def test_vector_that_is_used_again_meanwhile_is_not_swept(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "_SPARE_VECTORS", 1)
    wiki.write(passages.store_vectors, MODEL, {b"1": VECTOR, b"2": VECTOR})
    spent = wiki.read(passages.spent_vectors, MODEL)
    assert spent == [(b"1", MODEL), (b"2", MODEL)]
    wiki.index(wiki.pending()[0], b"2")
    wiki.write(passages.drop_spent, MODEL, spent)
    assert wiki.read(passages.missing_vectors, [b"1", b"2"], MODEL) == {b"1"}


def test_doubted_pages_are_pending_and_keep_what_is_there(wiki: Wiki) -> None:
    for page in wiki.pending():
        wiki.index(page, page.path.encode())
    wiki.write(passages.doubt, MODEL, [], [])
    assert wiki.pending() == []
    wiki.write(passages.doubt, MODEL, [1], [])
    assert [page.path for page in wiki.pending()] == ["A"]
    wiki.write(passages.doubt, MODEL, [], [b"B"])
    assert len(wiki.pending()) == 2
    assert len(wiki.read(passages.find_passages, [b"A", b"B"])) == 2
    assert wiki.vectors() == [(b"A", VECTOR)]


def test_more_hashes_than_a_statement_takes(wiki: Wiki) -> None:
    hashes = [number.to_bytes(4, "big") for number in range(2_000)]
    wiki.index(wiki.pending()[0], *hashes)
    assert len(wiki.read(passages.find_passages, hashes)) == 2_000
    assert wiki.read(passages.missing_vectors, [*hashes, b"new"], MODEL) == {b"new"}


def test_rebuilt_catalog_keeps_the_vectors(wiki: Wiki) -> None:
    wiki.index(wiki.pending()[0], b"1")
    wiki.content.catalog.write(lambda db: db.execute("UPDATE meta SET value = '0' WHERE key = 'version'"))
    wiki.content.close()
    wiki.content = Content(wiki.home)
    wiki.content.sync()
    assert len(wiki.pending()) == 2
    assert wiki.read(passages.missing_vectors, [b"1"], MODEL) == set()
