"""The stylesheet: small, on its own, every name at its top in use, the same colours on pages that cannot have it."""

from __future__ import annotations

import re
from pathlib import Path

from robot.web.statics import STATIC_FILES

STYLE = STATIC_FILES["robot.css"].content.decode()
MOST_BYTES = 30_000
PLAIN = Path(__file__).parents[2] / "wikihost" / "child" / "plain.py"
# Names in the plain pages of a wiki, and what the platform calls them.
SHARED = {"page", "surface", "line", "text", "quiet", "link", "fill"}
RENAMED = {"field": "field-line", "add": "good-page", "remove": "bad-page"}


def named(text: str) -> dict[str, list[str]]:
    """The values of each name, in the light suit first."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{3,6})", text):
        found.setdefault(name, []).append(value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:]))
    return found


def test_it_is_small_and_asks_for_nothing_else() -> None:
    assert len(STYLE) <= MOST_BYTES
    assert not re.search(r"@import|@font-face|url\(", STYLE)


def test_every_name_is_used_and_means_something() -> None:
    assert not {name for name in re.findall(r"(--[a-z-]+):", STYLE) if f"var({name})" not in STYLE}
    assert not re.search(r"--[a-z-]+:[^;]*var\(", STYLE), "a name has a value of its own"


def test_pages_of_a_wiki_have_the_same_colours() -> None:
    platform, plain = named(STYLE), named(PLAIN.read_text("utf-8"))
    assert set(plain) == SHARED | set(RENAMED)
    for name, values in plain.items():
        assert values == platform[RENAMED.get(name, name)], name
