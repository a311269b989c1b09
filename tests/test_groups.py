"""`make test` runs the tests in groups: none is in two of them, and none in no group."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
MAKEFILE = (TESTS.parent / "Makefile").read_text("utf-8")
MARKED = re.compile(r"pytest\.mark\.(flow|fault|browser|caddy|judge|pds|alone)\b")


def named(variable: str) -> set[str]:
    found = re.search(rf"^{variable} := (.*)$", MAKEFILE, re.MULTILINE)
    assert found
    return {word for word in found[1].split() if word.startswith("tests/")}


def test_what_starts_servers_lies_where_make_looks_for_it() -> None:
    files = {path for path in TESTS.rglob("test_*.py") if "node_modules" not in path.parts}
    marked = {path for path in files if MARKED.search(path.read_text("utf-8"))}
    places = {f"tests/{path.parent.relative_to(TESTS)}" for path in marked - {Path(__file__)}}
    assert places == named("SERVERS") | {"tests/systemd"}
    unmarked = {path for path in files - marked if f"tests/{path.parent.relative_to(TESTS)}" in named("SERVERS")}
    assert unmarked == set()
