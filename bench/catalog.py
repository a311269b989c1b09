"""The catalog, in process: from nothing, after a commit of one page, and after one of many."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, ms
from wikihost.content import Content
from wikihost.layout import WikiHome
from wikihost.names import SUFFIX
from wikihost.values import Author

LONGEST_FROM_NOTHING_S = 8.0
LONGEST_ONE_PAGE_S = 0.010
LONGEST_MANY_PAGES_S = 3.0
MANY_PAGES = 500

_AUTHOR = Author("Bench", "bench@wiki.example", {})


@dataclass(frozen=True, slots=True)
class Took:
    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{ms(self.wall_s)} ({ms(self.cpu_s)} of CPU)"


def _timed(work: Callable[[], object]) -> Took:
    began, before = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - began, time.process_time() - before)


def measure(repo: Path, scratch: Path, label: str, commits: int, say: Callable[[str], None]) -> list[Figure]:
    """The row "catalog: from nothing · after a one-page commit · after a 500-page push"."""
    home = WikiHome(scratch / "wiki")
    home.root.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(repo), str(home.repo)], check=True)
    content = Content(home)
    try:
        whole = _timed(content.sync)
        one = [_after_commit(content, {"One.md": f"# One\n\n[[Home]] {n}.\n".encode()}) for n in range(commits)]
        median = Took(statistics.median(took.wall_s for took in one), statistics.median(took.cpu_s for took in one))
        files = sorted(home.repo.rglob(f"*{SUFFIX}"))[:MANY_PAGES]
        changes = {str(file.relative_to(home.repo)): file.read_bytes() + b"\nMore words.\n" for file in files}
        many = _after_commit(content, changes)
    finally:
        content.close()
    say(f"catalog, {label}: from nothing {whole}, after one page {median}, after {len(changes)} pages {many}")
    rows = (
        ("from nothing", whole, "≤ 8 s", LONGEST_FROM_NOTHING_S),
        ("after a commit of one page", median, "≤ 10 ms", LONGEST_ONE_PAGE_S),
        (f"after a commit of {len(changes)} pages", many, "≤ 3 s", LONGEST_MANY_PAGES_S),
    )
    return [
        Figure(f"catalog {name}, {label}", "", "", str(took), budget, took.wall_s <= most_s)
        for name, took, budget, most_s in rows
    ]


def _after_commit(content: Content, changes: dict[str, bytes]) -> Took:
    content.writer.commit(changes, author=_AUTHOR, message="Change")
    return _timed(content.sync)
