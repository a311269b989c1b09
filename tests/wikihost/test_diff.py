"""The diff that a writer is answered with: what git would apply, in a time that grows with the page and no faster."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

from wikihost.repo import unified_diff


def lines(seed: int, size: int) -> bytes:
    """Lines of two kinds in no order: nothing takes git longer to compare."""
    choice = random.Random(seed)
    return "\n".join(str(choice.randrange(2)) for _ in range(size // 2)).encode()


LARGE = lines(1, 300_000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"one\ntwo\nthree\n", b"one\n2\nthree\n"),
        (LARGE, lines(2, 300_000)),
        (LARGE + b"\n", lines(2, 300_000) + b"\n"),
        (b"same\n" + LARGE + b"\nend\n", b"same\n" + lines(2, 300_000) + b"\nend\n"),
        (b"a\rb\n" + LARGE, b"a\rc\n" + lines(2, 300_000) + b"\r"),
        (LARGE, LARGE + b"\nmore"),
        (LARGE, b""),
    ],
    ids=["small", "large", "large, whole lines", "between", "returns", "appended", "emptied"],
)
def test_git_applies_the_diff(tmp_path: Path, old: bytes, new: bytes) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(old)
    diff = unified_diff("page.md", old, new).encode()
    subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=tmp_path, input=diff, check=True)
    assert page.read_bytes() == new


def test_a_large_change_does_not_stop_other_threads() -> None:
    """libgit2 compares these for three seconds without letting go of the interpreter."""
    old, new = lines(1, 1_000_000), lines(2, 1_000_000)
    comparing = threading.Thread(target=unified_diff, args=("page.md", old, new))
    longest = 0.0
    comparing.start()
    while comparing.is_alive():
        began = time.monotonic()
        comparing.join(0.005)
        longest = max(longest, time.monotonic() - began)
    assert longest < 1.0
