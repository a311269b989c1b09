from __future__ import annotations

import logging
import multiprocessing
import random
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost.catalog import Catalog, CatalogDamaged
from wikihost.content import Content
from wikihost.layout import WikiHome
from wikihost.progress import Progress
from wikihost.query import last_commit
from wikihost.quota import Usage
from wikihost.repo import Repository
from wikihost.usage import Ledger
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

# Everything that the catalog says, without row numbers.
QUESTIONS = {
    "meta": "SELECT * FROM meta ORDER BY key",
    "page": (
        "SELECT path, key, title, blob, category, tags, words, frontmatter, redirect, redirect_key, revision, updated"
        " FROM page ORDER BY 1"
    ),
    "tag": "SELECT path, tag.key, tag FROM tag JOIN page ON page.id = page_id ORDER BY 1, 3",
    "link": "SELECT path, ordinal, target, link.key FROM link JOIN page ON page.id = page_id ORDER BY 1, 2",
    "commits": "SELECT oid, generation, parents, time, zone, author, email, message, agent FROM commits ORDER BY oid",
    "page_commit": "SELECT file, oid, change FROM page_commit JOIN commits ON commits.id = commit_id ORDER BY 1, 2",
    "page_text": (
        "SELECT path, page_text.title, folder, page_text.tags, headings, body, pairs"
        " FROM page_text JOIN page ON page.id = page_text.rowid ORDER BY 1"
    ),
    "heading": "SELECT path, start, heading.title, anchor FROM heading JOIN page ON page.id = page_id ORDER BY 1, 2",
    "texts": "SELECT count(*) FROM page_text",
}


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", {"Home": "home\n", "A/B": "---\ntags: [x]\n---\n# B\n[[Home]]\n"})


def synced(home: WikiHome, catalog: Catalog | None = None) -> dict[str, list[tuple[object, ...]]]:
    catalog = catalog or Catalog(home)
    catalog.sync(Repository(home.repo))
    return catalog.read(lambda connection: {name: connection.execute(q).fetchall() for name, q in QUESTIONS.items()})


def rebuilt(home: WikiHome) -> dict[str, list[tuple[object, ...]]]:
    for left in home.root.glob("catalog.db*"):
        left.unlink()
    return synced(home)


def some_text(chance: random.Random) -> str:
    words = chance.choices(["alpha", "[[Home]]", "`[[Code]]`", "[[P_1|One]]", "[[Gone]]", "# Head\n", "ß", "\n\n"], k=8)
    front = chance.choice(
        [
            "",
            "---\ntitle: T\ntags: [a, B]\ncategory: c\n---\n",
            "---\nbroken: [\n---\n",
            f"---\nredirect: P_{chance.randrange(6)}\n---\n",
            "---\nredirect: [7]\n---\n",
        ]
    )
    return front + " ".join(words)


def random_step(home: WikiHome, writer: Writer, chance: random.Random) -> None:
    names = [f"P {chance.randrange(6)}.md", f"P_{chance.randrange(6)}.md", f"F/{chance.randrange(3)}.md", "F/pic.png"]
    changes = {
        name: chance.choice([None, some_text(chance).encode(), chance.randbytes(5)])
        for name in chance.sample(names, chance.randrange(1, 4))
    }
    match chance.randrange(10):
        case 0:
            git(home, "reset", "-q", "--hard", f"HEAD~{chance.randrange(1, 3)}")
        case 1:
            git(home, "checkout", "-q", "-b", "side", "HEAD~1")
            writer.commit(changes, author=ADA, message="on the side")
            git(home, "checkout", "-q", "main")
            git(home, "merge", "-q", "-s", "ours", "--no-ff", "--no-commit", "side")
            if chance.randrange(2):
                git(home, "checkout", "-q", "side", "--", ".")
            git(home, "commit", "-q", "--allow-empty", "-m", "merged")
            git(home, "branch", "-q", "-D", "side")
        case 2:
            git(home, "mv", "-k", "Home.md", f"Moved {chance.randrange(99)}.md")
            git(home, "commit", "-q", "--allow-empty", "-m", "moved")
        case _:
            writer.commit(changes, author=ADA, message=f"step {chance.random()}")


def counted_on(home: WikiHome) -> Usage:
    """What the wiki holds, counted on from the last count."""
    repository = Repository(home.repo)
    return Ledger(home.usage).usage(repository, repository.head())


def bytes_at_head(home: WikiHome) -> int:
    return sum(int(line.split()[3]) for line in git(home, "ls-tree", "-rl", "HEAD").splitlines())


@pytest.mark.parametrize("seed", range(4))
def test_following_commits_gives_the_same_as_building_from_nothing(home: WikiHome, seed: int) -> None:
    chance = random.Random(seed)
    writer, catalog = Writer(home), Catalog(home)
    for _ in range(4):
        random_step(home, writer, random.Random(99))  # a few ordinary commits to reset and branch from
        random_step(home, writer, chance)
    for _ in range(12):
        for _ in range(chance.randrange(1, 4)):
            random_step(home, writer, chance)
        followed = synced(home, catalog)
        assert followed["meta"][0] == ("commit", git(home, "rev-parse", "HEAD"))
        assert counted_on(home) == Usage(len(followed["page"]), bytes_at_head(home))
    catalog.close()
    assert followed == rebuilt(home)


@pytest.mark.parametrize("seed", range(2))
def test_the_last_commit_of_a_file_is_gits_or_unknown_because_of_a_merge(home: WikiHome, seed: int) -> None:
    chance, writer, catalog = random.Random(seed), Writer(home), Catalog(home)
    for _ in range(4):
        random_step(home, writer, random.Random(99))
    known = 0
    for _ in range(12):
        random_step(home, writer, chance)
        catalog.sync(Repository(home.repo))
        merge = git(home, "rev-list", "-1", "--merges", "HEAD")
        for file in git(home, "ls-tree", "-r", "--name-only", "HEAD").splitlines():
            found = catalog.read(partial(last_commit, file=file))
            asked = git(home, "rev-list", "-1", "HEAD", "--", file)
            assert found in (asked, None)
            assert found is not None or merge, "without merges it is always known"
            known += found is not None
    assert known > 0
    assert catalog.read(partial(last_commit, file="Never.md")) is None


def test_a_page_whose_text_changes_keeps_its_row_and_loses_nothing_but_its_text(home: WikiHome) -> None:
    content = Content(home)
    content.sync()

    def row(connection: sqlite3.Connection) -> tuple[object, ...]:
        (found,) = connection.execute("SELECT id, blob, chunked_blob FROM page WHERE path = 'Home'").fetchall()
        return tuple(found)

    page_id, blob, _ = content.catalog.read(row)
    content.catalog.write(lambda connection: connection.execute("UPDATE page SET chunked_blob = blob").fetchall())
    base = content.read_page("Home").revision
    content.write_page("Home", "changed", base=base, author=ADA)
    content.sync()
    new_id, new_blob, chunked_blob = content.catalog.read(row)
    assert (new_id, chunked_blob) == (page_id, blob)
    assert new_blob == git(home, "rev-parse", "HEAD:Home.md")


def test_passages_go_with_their_page_and_vectors_stay(home: WikiHome) -> None:
    content = Content(home)
    content.sync()

    def add(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO chunk (page_id, ordinal, section, section_path, anchor, text, first_line, last_line, hash)"
            " SELECT id, 0, '', '', '', 'text', 1, 1, x'01' FROM page"
        )
        connection.execute("INSERT INTO vector VALUES (x'01', 'model', x'02')")

    def counts(connection: sqlite3.Connection) -> tuple[int, int]:
        found: tuple[int, int] = connection.execute(
            "SELECT (SELECT count(*) FROM chunk), (SELECT count(*) FROM vector)"
        ).fetchone()
        return found

    content.catalog.write(add)
    content.writer.commit({"Home.md": None}, author=ADA, message="x")
    content.sync()
    assert content.catalog.read(counts) == (1, 1)
    content.catalog.write(lambda connection: connection.execute("UPDATE meta SET value = '0' WHERE key = 'version'"))
    content.close()
    content = Content(home)
    assert [page.path for page in content.list_pages()] == ["A/B"]
    assert content.catalog.read(counts) == (0, 1)
    assert synced(home) == rebuilt(home)


def break_header(catalog: Path) -> None:
    with catalog.open("r+b") as file:
        file.write(b"not a database at all")


def break_pages(catalog: Path) -> None:
    with catalog.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xaa" * (catalog.stat().st_size - 4_096))


def cut_off(catalog: Path) -> None:
    with catalog.open("r+b") as file:
        file.truncate(5_000)


def remove(catalog: Path) -> None:
    catalog.unlink()


def put_text(catalog: Path) -> None:
    catalog.write_text("hello")


@pytest.mark.parametrize("harm", [break_header, break_pages, cut_off, remove, put_text])
def test_a_damaged_catalog_is_built_anew(home: WikiHome, harm: object) -> None:
    assert callable(harm)
    before = synced(home)
    for left in home.root.glob("catalog.db-*"):
        left.unlink()
    harm(home.catalog_db)
    content = Content(home)
    assert [page.path for page in content.list_pages()] == ["A/B", "Home"]
    assert content.search("home", 5)
    content.close()
    assert synced(home) == before


def test_damage_that_only_a_search_meets_is_mended_by_the_next_use(tmp_path: Path) -> None:
    """`sync` reads two rows; what else is damaged would be met again and again."""
    pages = {f"Page {number}": " ".join(f"word{number * 50 + word}" for word in range(300)) for number in range(60)}
    home = make_wiki(tmp_path / "words", pages)
    with closing(sqlite3.connect(home.catalog_db)) as connection:
        leaves = [
            (number - 1) * size
            for number, size in connection.execute(
                "SELECT pageno, pgsize FROM dbstat WHERE name = 'page_text_data' AND pagetype = 'leaf'"
            )
        ]
    assert leaves
    with home.catalog_db.open("r+b") as file:
        for offset in leaves:
            file.seek(offset)
            file.write(b"damage" * 100)
    with closing(Content(home)) as content:
        with pytest.raises(CatalogDamaged):
            content.search("word5", 5)
        assert [hit.path for hit in content.search("word5", 5).hits] == ["Page 0"]


def test_a_catalog_replaced_by_another_process_is_noticed(home: WikiHome) -> None:
    content = Content(home)
    content.sync()
    for left in home.root.glob("catalog.db*"):
        left.unlink()
    Content(home).write_page("New", "new", base=None, author=ADA)
    assert [page.path for page in content.list_pages()] == ["A/B", "Home", "New"]
    content.catalog.write(lambda connection: connection.execute("INSERT INTO vector VALUES (x'01', 'm', x'02')"))
    found = Content(home).catalog.read(lambda connection: connection.execute("SELECT hash FROM vector").fetchall())
    assert found == [(b"\x01",)]


def test_a_head_whose_old_commit_was_pruned(home: WikiHome) -> None:
    catalog = Catalog(home)
    Writer(home).commit({"Lost.md": b"lost"}, author=ADA, message="lost")
    synced(home, catalog)
    git(home, "reset", "-q", "--hard", "HEAD~1")
    git(home, "reflog", "expire", "--expire=now", "--all")
    git(home, "gc", "-q", "--prune=now")
    followed = synced(home, catalog)
    catalog.close()
    assert followed == rebuilt(home)


def test_a_merge_touched_what_it_made_and_not_what_it_brought(home: WikiHome) -> None:
    writer = Writer(home)
    git(home, "checkout", "-q", "-b", "side")
    side = writer.commit({"Side.md": b"side", "Both.md": b"side"}, author=ADA, message="side").head
    git(home, "checkout", "-q", "main")
    writer.commit({"Main.md": b"main", "Both.md": b"main"}, author=ADA, message="main")
    git(home, "merge", "-q", "-s", "ours", "--no-commit", "--no-ff", "side")
    git(home, "checkout", "side", "--", "Side.md")
    (home.repo / "Both.md").write_text("merged")
    git(home, "commit", "-q", "-a", "-m", "merge")
    content = Content(home)
    for name in ("Side", "Main", "Both", "Home"):
        expected = git(home, "log", "--format=%H", "--", f"{name}.md").split()
        assert {commit.revision for commit in content.history(name, 10)} == set(expected), name
    assert content.read_page("Side").revision == side
    assert content.read_page("Both").revision == content.head()


def test_links_and_submodules_are_no_pages(home: WikiHome) -> None:
    blob = git(home, "hash-object", "-w", "--stdin", text="/etc/passwd")
    git(home, "update-index", "--add", "--cacheinfo", f"120000,{blob},Link.md")
    git(home, "update-index", "--add", "--cacheinfo", f"160000,{git(home, 'rev-parse', 'HEAD')},Module.md")
    git(home, "commit", "-q", "-m", "odd entries")
    content = Content(home)
    assert [page.path for page in content.list_pages()] == ["A/B", "Home"]
    with content.writer.locked():
        assert (home.repo / "Link.md").is_file()


def list_names(home: WikiHome) -> list[str]:
    return [page.path for page in Content(home).list_pages()]


def test_processes_that_find_no_catalog_build_one_together(home: WikiHome) -> None:
    for left in home.root.glob("catalog.db*"):
        left.unlink()
    with ProcessPoolExecutor(6, mp_context=multiprocessing.get_context("fork")) as pool:
        futures = [pool.submit(list_names, home) for _ in range(12)]
        assert [future.result(60) for future in futures] == [["A/B", "Home"]] * 12
    assert synced(home) == rebuilt(home)


def test_a_catalog_that_is_built_tells_how_far_it_is(home: WikiHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wikihost.progress.EVERY_S", 0.0)
    Writer(home).commit({"One.md": b"one", "Two.png": b"two"}, author=ADA, message="more")
    for left in home.root.glob("catalog.db*"):
        left.unlink()
    heard: list[tuple[int, int]] = []
    catalog = Catalog(home, report=lambda done, total: heard.append((done, total)))
    everything = 2 + 4  # commits, and files at the head
    catalog.sync(Repository(home.repo))
    assert heard == [(done, everything) for done in range(1, everything + 1)]
    heard.clear()
    Writer(home).commit({"One.md": b"1"}, author=ADA, message="little")
    catalog.sync(Repository(home.repo))
    catalog.sync(Repository(home.repo))
    assert heard == [(1, 2), (2, 2)]


def test_the_log_says_which_catalog_is_being_built(
    home: WikiHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wikihost.catalog")
    synced(home)
    assert caplog.messages == []
    monkeypatch.setattr("wikihost.progress.EVERY_S", 0.0)
    rebuilt(home)
    assert caplog.messages[-1] == f"{home.catalog_db} follows git: 3 of 3 commits and files"


def test_progress_is_told_once_a_second() -> None:
    now, heard = 0.0, list[tuple[float, int, int]]()
    progress = Progress(10, lambda done, total: heard.append((now, done, total)), clock=lambda: now)
    for step in range(10):
        now = step * 0.5
        progress.step()
    assert heard == [(1.0, 3, 10), (2.0, 5, 10), (3.0, 7, 10), (4.0, 9, 10)]
