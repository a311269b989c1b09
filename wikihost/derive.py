"""From git to catalog rows: what changes in the tables when the branch goes from one commit to another."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from wikihost import trees, unspaced
from wikihost.excerpts import without_controls
from wikihost.markdown import Outline, outline
from wikihost.names import name_of_file, page_key
from wikihost.progress import Progress, Report
from wikihost.pushes import Push, find_pushes
from wikihost.redirects import redirect_text, target_of
from wikihost.repo import CommitRecord, Repository

# Newest first, whatever order the commits were learnt in.
NEWEST_FIRST = "c.generation DESC, c.time DESC, c.oid DESC"

_LAST_COMMIT = f"""
    SELECT c.oid, c.time FROM page_commit JOIN commits AS c ON c.id = commit_id
    WHERE file = ? ORDER BY {NEWEST_FIRST} LIMIT 1
"""  # noqa: S608 - a constant
_REMEMBER_PAGE = """
    INSERT INTO page
      (path, key, title, blob, category, tags, words, frontmatter, redirect, redirect_key, is_stub, revision, updated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0)
    ON CONFLICT (path) DO UPDATE SET
      title = excluded.title, blob = excluded.blob, category = excluded.category, tags = excluded.tags,
      words = excluded.words, frontmatter = excluded.frontmatter, redirect = excluded.redirect,
      redirect_key = excluded.redirect_key, is_stub = excluded.is_stub
    RETURNING id
"""


def follow(connection: sqlite3.Connection, repository: Repository, old: str | None, new: str, report: Report) -> None:
    """Bring all derived tables from commit `old` (None: empty tables) to `new`, in the caller's transaction.

    Costs as much as there are changed files and new commits, unless `new` does not build on `old` (a forced push):
    then the history is read anew, while pages whose text is the same keep their rows. `report` hears of each second how
    many commits and files are done, and of how many.
    """
    if old is not None and not repository.has_commit(old):
        # Pruned: nothing tells which pages are still the same.
        connection.execute("DELETE FROM page_text")
        connection.execute("DELETE FROM page")
        old = None
    builds_on_old = old is not None and repository.is_ancestor(old, new)
    if not builds_on_old:
        connection.execute("DELETE FROM page_commit")
        connection.execute("DELETE FROM commits")
    known = old if builds_on_old else None
    changes = repository.changes(old, new)
    progress = Progress(repository.count_commits(known, new) + len(changes), report)
    touched = _learn_history(connection, repository, known, new, progress)
    for change in changes:
        progress.step()
        name = name_of_file(change.path)
        if name is None:
            continue
        blob = _text_blob(change.new)
        if blob is None:
            _forget_page(connection, name)
        else:
            _remember_page(connection, repository, name, blob)
    _date_pages(connection, touched | {change.path for change in changes})


def _learn_history(
    connection: sqlite3.Connection, repository: Repository, old: str | None, new: str, progress: Progress
) -> set[str]:
    """Store the new commits; the files that they touched."""
    touched: set[str] = set()
    generations: dict[str, int] = {}
    for record in repository.commits(old, new):
        progress.step()
        generation = 1 + max((_generation(connection, generations, parent) for parent in record.parents), default=0)
        generations[record.oid] = generation
        commit_id = _remember_commit(connection, record, generation)
        changes = repository.touched(record)
        touched.update(change.path for change in changes)
        connection.executemany(
            "INSERT OR IGNORE INTO page_commit (file, commit_id, change) VALUES (?, ?, ?)",
            [(_storable(change.path), commit_id, _kind(change)) for change in changes],
        )
    for push in find_pushes(repository, generations):
        _remember_push(connection, repository, push)
    return touched


def _generation(connection: sqlite3.Connection, known: dict[str, int], commit: str) -> int:
    if commit not in known:
        row = connection.execute("SELECT generation FROM commits WHERE oid = ?", (commit,)).fetchone()
        known[commit] = row[0] if row else 0  # 0: beyond the edge of a shallow clone
    return known[commit]


def _remember_commit(connection: sqlite3.Connection, record: CommitRecord, generation: int) -> int | None:
    values = (record.oid, generation, len(record.parents), record.time, record.offset, record.author, record.email)
    cursor = connection.execute(
        "INSERT INTO commits (oid, generation, parents, time, zone, author, email, message, agent, via, credential)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, record.message, record.agent, record.via, record.credential),
    )
    return cursor.lastrowid


def _remember_push(connection: sqlite3.Connection, repository: Repository, push: Push) -> None:
    """What was pushed says of itself what its author likes; who pushed it is known."""
    connection.executemany(
        "UPDATE commits SET agent = NULL, via = 'git', credential = ?, pushed_by = ? WHERE oid = ?",
        [(push.credential, push.by, record.oid) for record in repository.commits(push.onto, push.new)],
    )


def _remember_page(connection: sqlite3.Connection, repository: Repository, name: str, blob: str) -> None:
    data = repository.read_blob(blob)
    page = outline(name, data.decode("utf-8", "replace"))
    frontmatter = None if page.frontmatter is None else json.dumps(page.frontmatter, ensure_ascii=True)
    tags = json.dumps(page.tags)
    redirect = target_of(page.frontmatter)
    redirect_key = None if redirect is None else page_key(redirect)
    is_stub = redirect is not None and data == redirect_text(redirect).encode()
    row = (name, page_key(name), page.title, blob, page.category, tags, page.words, frontmatter)
    ((page_id,),) = connection.execute(_REMEMBER_PAGE, (*row, redirect, redirect_key, is_stub)).fetchall()
    _fill_page(connection, page_id, page)
    _index_text(connection, page_id, name, page)


def _fill_page(connection: sqlite3.Connection, page_id: int, page: Outline) -> None:
    connection.execute("DELETE FROM tag WHERE page_id = ?", (page_id,))
    connection.execute("DELETE FROM link WHERE page_id = ?", (page_id,))
    connection.execute("DELETE FROM heading WHERE page_id = ?", (page_id,))
    connection.executemany(
        "INSERT INTO tag (page_id, key, tag) VALUES (?, ?, ?)",
        [(page_id, tag.casefold(), tag) for tag in page.tags],
    )
    connection.executemany(
        "INSERT INTO link (page_id, ordinal, target, key) VALUES (?, ?, ?, ?)",
        [(page_id, ordinal, target, page_key(target)) for ordinal, target in enumerate(page.links)],
    )
    connection.executemany(
        "INSERT INTO heading (page_id, start, title, anchor, level) VALUES (?, ?, ?, ?, ?)",
        [(page_id, each.start, each.title, each.anchor, each.level) for each in page.headings if not each.is_nested],
    )


def _index_text(connection: sqlite3.Connection, page_id: int, name: str, page: Outline) -> None:
    folder, _, own_name = name.rpartition("/")
    columns = (
        page.title if page.title == own_name else f"{page.title}\n{own_name}",
        folder,
        "\n".join(page.tags),
        "\n".join(heading.title for heading in page.headings),
    )
    texts = [*(_with_pairs(column) for column in columns), page.body, unspaced.indexed(page.body)]
    connection.execute("DELETE FROM page_text WHERE rowid = ?", (page_id,))
    connection.execute(
        "INSERT INTO page_text (rowid, title, folder, tags, headings, body, pairs) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (page_id, *map(without_controls, texts)),
    )


def _with_pairs(text: str) -> str:
    found = unspaced.indexed(text)
    return f"{text}\n{found}" if found else text


def _forget_page(connection: sqlite3.Connection, name: str) -> None:
    row = connection.execute("DELETE FROM page WHERE path = ? RETURNING id", (name,)).fetchone()
    if row is not None:
        connection.execute("DELETE FROM page_text WHERE rowid = ?", row)


def _date_pages(connection: sqlite3.Connection, files: Iterable[str]) -> None:
    """Set `revision` and `updated` of the pages in these files."""
    for file in files:
        name = name_of_file(file)
        last = connection.execute(_LAST_COMMIT, (file,)).fetchone() if name is not None else None
        if last is not None:
            connection.execute("UPDATE page SET revision = ?, updated = ? WHERE path = ?", (*last, name))


def _text_blob(entry: trees.Entry | None) -> str | None:
    """The object id of a regular file; None for a link or a submodule, which is no page whatever its name."""
    return entry[1].hex() if entry is not None and entry[0] in (trees.FILE, trees.EXECUTABLE) else None


def _kind(change: trees.FileChange) -> str:
    return "A" if change.old is None else "D" if change.new is None else "M"


def _storable(path: str) -> str:
    """A path for SQLite; bytes that are no UTF-8 are shown as git quotes them."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
