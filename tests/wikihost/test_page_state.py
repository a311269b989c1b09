"""The state of a wiki's pages is what the disk says now, whoever changed it."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.wikihost.wikis import git, make_wiki
from wikihost.layout import WikiHome
from wikihost.page_state import PageState, PageStates

OTTERWIKI_TABLES = """
CREATE TABLE preferences (name VARCHAR(256) PRIMARY KEY, value TEXT);
CREATE TABLE drafts (id INTEGER PRIMARY KEY, content TEXT);
"""


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki")


@contextmanager
def database(home: WikiHome) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(home.wiki_db, isolation_level=None)) as connection:
        yield connection


def read(states: PageStates, home: WikiHome) -> PageState:
    state = states.read(home)
    assert state is not None
    return state


def test_the_head_is_gits_own_wherever_the_ref_is_kept(home: WikiHome) -> None:
    states = PageStates()
    heads = [read(states, home).head]
    git(home, "commit", "--allow-empty", "-qm", "by a plain git")
    heads.append(read(states, home).head)
    git(home, "pack-refs", "--all", "--prune")
    assert read(states, home).head == heads[-1]
    git(home, "commit", "--allow-empty", "-qm", "loose again, beside the packed one")
    heads.append(read(states, home).head)
    git(home, "pack-refs", "--all", "--prune")
    git(home, "update-ref", git(home, "symbolic-ref", "HEAD"), heads[0])
    assert read(states, home).head == heads[0] == git(home, "rev-parse", "HEAD")
    git(home, "switch", "-qc", "another", heads[1])
    assert read(states, home).head == heads[1]
    assert len(set(heads)) == 3


def test_saves_in_quick_succession_are_all_seen(home: WikiHome) -> None:
    states = PageStates()
    branch = git(home, "symbolic-ref", "HEAD")
    git(home, "commit", "--allow-empty", "-qm", "second")
    first, second = git(home, "rev-list", "HEAD").split()
    moves = "".join(f"update {branch} {one}\n" for one in (second, first))
    for _ in range(8):
        git(home, "update-ref", "--stdin", text=moves.splitlines()[0] + "\n")
        assert read(states, home).head == second
        git(home, "update-ref", "--stdin", text=moves.splitlines()[1] + "\n")
        assert read(states, home).head == first


def test_preferences_count_and_drafts_do_not(home: WikiHome) -> None:
    states = PageStates()
    never_awake = read(states, home)
    with database(home) as connection:
        connection.executescript(OTTERWIKI_TABLES)
        assert read(states, home) == never_awake
        connection.execute("INSERT INTO preferences VALUES ('SITE_NAME', 'One')")
        one = read(states, home)
        assert one != never_awake
        connection.execute("INSERT INTO drafts (content) VALUES ('half a sentence')")
        assert read(states, home) == one
        for name in ("Two", "Six", "Ten"):  # of one length, within one tick of the clock
            connection.execute("UPDATE preferences SET value = ?", (name,))
            changed = read(states, home)
            assert changed not in (one, never_awake)
        connection.execute("UPDATE preferences SET value = 'One'")
    assert read(states, home) == one


def test_while_preferences_are_being_saved_nothing_is_said(home: WikiHome) -> None:
    states = PageStates()
    with database(home) as connection:
        connection.executescript(OTTERWIKI_TABLES)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("INSERT INTO preferences VALUES ('SITE_NAME', 'New')")
        assert states.read(home) is None
        connection.execute("COMMIT")
    assert states.read(home) is not None


def test_a_database_that_hides_its_changes_has_no_state(home: WikiHome) -> None:
    states = PageStates()
    with database(home) as connection:
        connection.executescript(OTTERWIKI_TABLES)
        assert states.read(home) is not None
        connection.execute("PRAGMA journal_mode = WAL")
        assert states.read(home) is None
        connection.execute("PRAGMA journal_mode = DELETE")
        assert states.read(home) is not None


def test_a_damaged_repository_has_no_state_and_a_mended_one_has(home: WikiHome) -> None:
    states = PageStates()
    before = read(states, home)
    subprocess.run(["mv", str(home.git_dir / "HEAD"), str(home.root / "HEAD")], check=True)
    assert states.read(home) is None
    subprocess.run(["mv", str(home.root / "HEAD"), str(home.git_dir / "HEAD")], check=True)
    assert read(states, home) == before


def test_many_wikis_have_a_state_each(tmp_path: Path) -> None:
    states = PageStates()
    homes = [make_wiki(tmp_path / f"wiki{number}", {"Home": f"# {number}\n"}) for number in range(3)]
    assert len({read(states, home).head for home in homes}) == 3
    assert [read(states, home).head for home in homes] == [git(home, "rev-parse", "HEAD") for home in homes]


NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) "


@pytest.mark.parametrize(
    "instead",
    [
        f"CREATE VIEW preferences AS {NUMBERS.format(-1)} SELECT max(i) AS name, '' AS value FROM n",
        f"CREATE VIEW preferences AS {NUMBERS.format(3000)} SELECT i AS name, zeroblob(3000000) AS value FROM n",
        "CREATE TABLE preferences (name, value AS (zeroblob(3000000)));"
        f" INSERT INTO preferences {NUMBERS.format(3000)} SELECT i FROM n",
        f"CREATE TABLE preferences (name, value); INSERT INTO preferences {NUMBERS.format(60000)} SELECT i, i FROM n",
    ],
    ids=["without end", "much", "much of nothing", "many"],
)
def test_whoever_took_a_worker_over_does_not_keep_the_host_busy(home: WikiHome, instead: str) -> None:
    with database(home) as connection:
        connection.executescript(instead)
    began = time.process_time()
    assert PageStates().read(home) is None
    assert time.process_time() - began < 1
