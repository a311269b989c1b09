"""Which existing page an address means, and where a sign-in may lead back to."""

from __future__ import annotations

from pathlib import Path

import pytest

from wikihost.child.naming import existing_name
from wikihost.child.plugin import _local_path

FILES = ["Home.md", "On Call.md", "Run books/Disk full.md", "Both_ways.md", "Both ways.md", "Möbel.md", "Sub_dir/a.png"]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".git_x").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "existing"),
    [
        ("Home", "Home"),
        ("On_Call", "On Call"),
        ("On Call", "On Call"),
        ("Run_books/Disk_full", "Run books/Disk full"),
        ("Run_books/New_page", "Run books/New_page"),
        ("Both_ways", "Both_ways"),
        ("Both ways", "Both ways"),
        ("Mo\u0308bel", "Möbel"),
        ("Sub dir/a.png", "Sub_dir/a.png"),
        ("home", "home"),
        ("No_such/Page", "No_such/Page"),
        ("../On_Call", "../On_Call"),
        (".git x/y", ".git x/y"),
        ("a//b", "a//b"),
        ("nul\0_x", "nul\0_x"),
    ],
)
def test_an_address_means_the_page_of_the_same_key(repo: Path, asked: str, existing: str) -> None:
    assert existing_name(repo, asked) == existing


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/Home?edit", "/Home?edit"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/\t/evil.example", "/"),
        ("", "/"),
    ],
)
def test_only_paths_on_this_host_lead_back(path: str, local: str) -> None:
    assert _local_path(path) == local
