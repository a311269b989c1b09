from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from tests.wikihost.wikis import ADA, assert_sound, git, in_child, make_wiki, wait_child
from wikihost.content import Content
from wikihost.errors import InvalidPageName, StorageFull
from wikihost.layout import DataDir, WikiHome
from wikihost.lifecycle import WikiExists, create_wiki, delete_wiki, sweep_leftovers
from wikihost.seeds import default_pages

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


def test_a_new_wiki_has_the_seeds_with_its_own_name(data: DataDir) -> None:
    home = data.wiki("w1")
    commit = create_wiki(home, name="Night {{ description }}", description="For the\nnight shift.", author=ADA)
    content = Content(home)
    pages = {page.path: content.read_page(page.path) for page in content.list_pages()}
    assert {"Home", "Getting Started", "Agent Guide", "Administration"} <= set(pages)
    assert "Night {{ description }}" in pages["Home"].text
    assert "For the\nnight shift." in pages["Home"].text
    assert all("{{ name }}" not in page.text for page in pages.values())
    assert {page.revision for page in pages.values()} == {commit} == {content.head()}
    missing = {link for page in pages.values() for link in page.links_to} - set(pages)
    assert missing == set()
    content.close()
    assert git(home, "log", "--format=%an|%s|%P") == "Ada Ferry|Create Night {{ description }}|"
    assert git(home, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert_sound(home)


def test_a_wiki_may_begin_with_other_pages_or_none(data: DataDir) -> None:
    home = data.wiki("w1")
    create_wiki(home, name="N", description="", author=ADA, pages={"A/B": "text"})
    assert git(home, "ls-tree", "-r", "--name-only", "HEAD") == "A/B.md"
    empty = data.wiki("w2")
    create_wiki(empty, name="N", description="", author=ADA, pages={})
    content = Content(empty)
    assert content.list_pages() == []
    content.write_page("Home", "first", base=None, author=ADA)
    assert_sound(empty)


def test_every_seed_is_a_page(data: DataDir) -> None:
    for name, text in default_pages("Name", "Purpose").items():
        assert "{{" not in text, name


def test_the_repository_is_configured_for_hostile_pushes(data: DataDir) -> None:
    home = data.wiki("w1")
    create_wiki(home, name="N", description="", author=ADA)
    assert git(home, "config", "core.hooksPath") == "/dev/null"
    assert git(home, "config", "core.symlinks") == "false"
    assert git(home, "config", "receive.denyCurrentBranch") == "updateInstead"
    assert git(home, "config", "receive.fsckObjects") == "true"
    assert not (home.git_dir / "hooks").exists()


def test_a_place_that_is_taken_stays_as_it_is(data: DataDir) -> None:
    home = data.wiki("w1")
    first = create_wiki(home, name="N", description="", author=ADA)
    with pytest.raises(WikiExists):
        create_wiki(home, name="M", description="", author=ADA)
    assert git(home, "rev-parse", "HEAD") == first
    assert os.listdir(data.wikis) == ["w1"]


def test_a_failed_creation_leaves_nothing(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidPageName):
        create_wiki(data.wiki("w1"), name="N", description="", author=ADA, pages={"../x": ""})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageFull):
            create_wiki(data.wiki("w1"), name="N", description="", author=ADA)
    assert os.listdir(data.wikis) == []
    create_wiki(data.wiki("w1"), name="N", description="", author=ADA)


def test_a_killed_creation_is_never_taken_for_a_wiki(data: DataDir) -> None:
    whole = 0
    for number in range(12):
        home = data.wiki(f"w{number}")

        def create(pipe: int, home: WikiHome = home, delay_s: float = 0.002 + number * 0.004) -> None:
            signal.setitimer(signal.ITIMER_REAL, delay_s)
            create_wiki(home, name="N", description="", author=ADA)

        wait_child(*in_child(create))
        if home.root.exists():
            whole += 1
            assert len(Content(home).list_pages()) >= 4
            assert_sound(home)
    assert sweep_leftovers(data) == [], "these may still be under way"
    left = sweep_leftovers(data, older_than_s=0)
    assert len(left) + whole <= 12
    assert len(os.listdir(data.wikis)) == whole
    assert sweep_leftovers(data, older_than_s=0) == []


def test_delete(data: DataDir) -> None:
    home = make_wiki(data.wikis / "w1")
    other = make_wiki(data.wikis / "w2")
    delete_wiki(home)
    delete_wiki(home)
    assert os.listdir(data.wikis) == ["w2"]
    assert_sound(other)
    create_wiki(home, name="Again", description="", author=ADA)
    assert git(home, "log", "--format=%s") == "Create Again"


@pytest.mark.parametrize("wiki_id", ["", ".", "..", "../x", "a/b", ".new-x", "-x", "a\0", "x" * 65])
def test_what_can_be_no_wiki_id(data: DataDir, wiki_id: str) -> None:
    with pytest.raises(ValueError, match="not a wiki id"):
        data.wiki(wiki_id)
