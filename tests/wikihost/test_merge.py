"""Three-way merge of page texts: what git merges, what it cannot, and what is too much for it."""

from __future__ import annotations

import threading
import time

import pytest

from wikihost import merge as merging
from wikihost.merge import Clash, Merged, has_marks, merge

BASE = "# Page\n\none\n\ntwo\n\nthree\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (BASE, BASE, BASE, BASE),
        (BASE, BASE.replace("one", "1"), BASE, BASE.replace("one", "1")),
        (BASE, BASE, BASE.replace("one", "1"), BASE.replace("one", "1")),
        (BASE, BASE.replace("one", "1"), BASE.replace("one", "1"), BASE.replace("one", "1")),
        (BASE, BASE.replace("one", "1"), BASE.replace("three", "3"), "# Page\n\n1\n\ntwo\n\n3\n"),
        (BASE, BASE + "\nmine\n", "intro\n\n" + BASE, "intro\n\n" + BASE + "\nmine\n"),
        (BASE, BASE.replace("one\n\n", ""), BASE.replace("three", "3"), "# Page\n\ntwo\n\n3\n"),
        ("Zürich\n\na\n\nb\n", "Zürich\n\nä\n\nb\n", "Städte\n\na\n\nb\n", "Städte\n\nä\n\nb\n"),
        ("a\n\nb\n", "", "a\n\nb\n", ""),
        ("", "same\n", "same\n", "same\n"),
        ("a\n\nb\n\nc", "A\n\nb\n\nc", "a\n\nb\n\nc\n", "A\n\nb\n\nc\n"),
        ("-o\n\nb\n\nc\n", "--output=x\n\nb\n\nc\n", "-o\n\nb\n\n-p\n", "--output=x\n\nb\n\n-p\n"),
    ],
)
def test_changes_that_do_not_overlap(base: str, ours: str, theirs: str, merged: str) -> None:
    assert merge(base, ours, theirs) == Merged(merged)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (BASE, BASE.replace("two", "mine"), BASE.replace("two", "theirs")),
        (BASE, BASE.replace("two\n", ""), BASE.replace("two", "theirs")),
        ("", "mine\n", "theirs\n"),
        ("base\n", "mine without end", "theirs without end"),
        ("a\0\n", "mine\0\n", "theirs\0\n"),
    ],
    ids=["same line", "deleted and changed", "no base", "no newline at the end", "nothing that git merges"],
)
def test_a_clash_keeps_both_texts_between_marks(base: str, ours: str, theirs: str) -> None:
    clash = merge(base, ours, theirs)
    assert isinstance(clash, Clash)
    assert has_marks(clash.draft, clash.mark_length)
    assert take(clash, "<") == (ours if ours.endswith("\n") else ours + "\n")
    assert take(clash, ">") == (theirs if theirs.endswith("\n") else theirs + "\n")


def take(clash: Clash, side: str) -> str:
    """The text that is left when one side is kept everywhere: an own reading of the marks."""
    kept, inside = [], ""
    for line in clash.draft.splitlines(keepends=True):
        mark = line[: clash.mark_length]
        if mark in {sign * clash.mark_length for sign in "<=>"}:
            inside = {"<": "<", "=": ">", ">": ""}[mark[0]]
        elif inside in ("", side):
            kept.append(line)
    return "".join(kept)


def test_marks_are_told_from_lines_of_the_texts() -> None:
    ours = "Heading\n=======\n\nmine\n\n<<<<<<< your text\n"
    theirs = "Heading\n=========\n\ntheirs\n"
    clash = merge("Heading\n\n", ours, theirs)
    assert isinstance(clash, Clash)
    assert clash.mark_length == 10
    assert not has_marks(ours, clash.mark_length)
    assert not has_marks(theirs, clash.mark_length)
    assert has_marks("a\n========== \nb\n", clash.mark_length)
    assert take(clash, "<") == ours


def test_texts_that_are_too_large_clash_and_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MAX_MERGED_BYTES", 10)
    clash = merge(BASE, BASE.replace("one", "1"), BASE.replace("three", "3"))
    assert isinstance(clash, Clash)
    assert clash.draft == (
        "# Page\n\n<<<<<<< your text\n1\n\ntwo\n\nthree\n=======\none\n\ntwo\n\n3\n>>>>>>> saved meanwhile\n"
    )


def test_a_slow_merge_ends_at_its_deadline_and_other_threads_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of two kinds of lines in no order take git seconds."""
    monkeypatch.setattr(merging, "MERGE_DEADLINE_S", 0.2)
    found: list[Merged | Clash] = []
    work = threading.Thread(target=lambda: found.append(merge(noise(1), noise(2), noise(3))))
    longest, began = 0.0, time.monotonic()
    work.start()
    while work.is_alive():
        turn = time.monotonic()
        work.join(0.005)
        longest = max(longest, time.monotonic() - turn)
    assert isinstance(found[0], Clash)
    assert take(found[0], "<") == noise(2)
    assert longest < 0.5
    assert time.monotonic() - began < 5


def noise(seed: int) -> str:
    lines = []
    for _ in range(300_000):
        seed = seed * 6364136223846793005 % 2**64 + 1442695040888963407
        lines.append(str(seed >> 40 & 1))
    return "\n".join(lines) + "\n"
