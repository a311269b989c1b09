"""A wiki is made of what was kept of it, or there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki, refs_of
from wikihost.content import Content
from wikihost.layout import WikiHome
from wikihost.lifecycle import WikiExists
from wikihost.quota import Quota, read_quota
from wikihost.restoring import CopyDamaged, KeptWiki, prove_wiki, restore_wiki

MAIN = "refs/heads/main"


def write(home: WikiHome, name: str, text: str) -> str:
    with closing(Content(home)) as content:
        return content.write_page(name, text, base=None, author=ADA).revision


def bundle(home: WikiHome, place: Path, *revisions: str) -> Path:
    git(home, "bundle", "create", "--quiet", str(place), *revisions)
    return place


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "original", {"Home": "# Home\n", "Städte/Zürich": "Am See.\n"})


def kept(home: WikiHome, *bundles: Path, files: Mapping[str, Path] | None = None) -> KeptWiki:
    return KeptWiki(MAIN, refs_of(home), bundles, files or {})


def test_each_bundle_builds_on_those_before_it(home: WikiHome, tmp_path: Path) -> None:
    first = bundle(home, tmp_path / "1.bundle", MAIN)
    before = git(home, "rev-parse", "main")
    write(home, "Ferry", "Sails.\n")
    git(home, "update-ref", "refs/notes/robot", "main")
    second = bundle(home, tmp_path / "2.bundle", MAIN, "refs/notes/robot", f"^{before}")
    database = tmp_path / "kept.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE preferences (name)")
    copy = WikiHome(tmp_path / "copy")

    restore_wiki(copy, kept(home, first, second, files={"wiki.db": database}), Quota(7, 1_000_000))

    assert refs_of(copy) == refs_of(home)
    assert_sound(copy)
    assert (copy.repo / "Städte/Zürich.md").read_text() == "Am See.\n"
    assert copy.wiki_db.read_bytes() == database.read_bytes()
    assert read_quota(copy.quota) == Quota(7, 1_000_000)
    proved = prove_wiki(copy)
    assert (proved.commits, proved.pages, proved.files) == (2, 3, 3)
    write(copy, "After", "It is a wiki like any other.\n")


def test_a_branch_that_was_set_back_is_where_it_was_kept(home: WikiHome, tmp_path: Path) -> None:
    back = git(home, "rev-parse", "main")
    write(home, "Ferry", "Sails.\n")
    git(home, "branch", "gone")
    all_of_it = bundle(home, tmp_path / "1.bundle", "--all")
    git(home, "reset", "--hard", "--quiet", back)
    git(home, "branch", "--delete", "--force", "gone")
    copy = WikiHome(tmp_path / "copy")

    restore_wiki(copy, kept(home, all_of_it), Quota())

    assert refs_of(copy) == {MAIN: back}
    assert_sound(copy)


def test_history_that_was_rewritten_comes_as_it_is_now(home: WikiHome, tmp_path: Path) -> None:
    first = bundle(home, tmp_path / "1.bundle", MAIN)
    before = git(home, "rev-parse", "main")
    git(home, "commit", "--amend", "--quiet", "--message", "Another beginning")
    second = bundle(home, tmp_path / "2.bundle", MAIN, f"^{before}")
    copy = WikiHome(tmp_path / "copy")

    restore_wiki(copy, kept(home, first, second), Quota())

    assert refs_of(copy) == refs_of(home)


def test_damage_is_named_and_leaves_nothing(home: WikiHome, tmp_path: Path) -> None:
    first = bundle(home, tmp_path / "1.bundle", MAIN)
    before = git(home, "rev-parse", "main")
    write(home, "Ferry", "Sails.\n")
    second = bundle(home, tmp_path / "2.bundle", MAIN, f"^{before}")
    whole = second.read_bytes()
    copies = tmp_path / "copies"

    def refused(found: KeptWiki) -> str:
        with pytest.raises(CopyDamaged) as caught:
            restore_wiki(WikiHome(copies / "w"), found, Quota())
        assert list(copies.iterdir()) == []
        return str(caught.value)

    assert "2.bundle" in refused(kept(home, second))  # what it builds on is not there
    assert "where refs/heads/main was" in refused(kept(home, first))
    outside = {**refs_of(home), "refs/heads/../../../outside": git(home, "rev-parse", "main")}
    assert "cannot be the name" in refused(KeptWiki(MAIN, outside, [first, second], {}))
    second.write_bytes(whole[:-30])
    assert "2.bundle" in refused(kept(home, first, second))
    second.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    assert "2.bundle" in refused(kept(home, first, second))
    second.write_bytes(b"")
    assert "2.bundle" in refused(kept(home, first, second))


def test_a_wiki_that_is_there_is_left_alone(home: WikiHome, tmp_path: Path) -> None:
    with pytest.raises(WikiExists):
        restore_wiki(home, kept(home, bundle(home, tmp_path / "1.bundle", MAIN)), Quota())
    assert_sound(home)


def test_what_is_wrong_inside_is_found(home: WikiHome, tmp_path: Path) -> None:
    blob = git(home, "rev-parse", "main:Home.md")
    loose = home.git_dir / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(loose.read_bytes()[:-3])
    with pytest.raises(CopyDamaged, match="its history is damaged"):
        prove_wiki(home)


def test_a_database_that_does_not_hold_together_is_found(home: WikiHome) -> None:
    with closing(sqlite3.connect(home.wiki_db)) as db:
        db.executescript(
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id)); INSERT INTO b VALUES (7);"
        )
    with pytest.raises(CopyDamaged, match=r"wiki\.db has rows in b"):
        prove_wiki(home)
    home.wiki_db.write_bytes(b"no database at all, whatever its name says" * 100)
    with pytest.raises(CopyDamaged, match=r"wiki\.db is damaged"):
        prove_wiki(home)
