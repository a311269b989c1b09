"""`git log --name-only` as Otter Wiki reads it, told by the catalog.

The catalog knows commits and the files that they touched. Two things are git's own: the order where lines of history
run side by side, which goes by the committer's clock and is found by walking as git does; and what counts as a rename,
which git is asked once for each commit that can hold one, since the answer never changes.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, TypeVar

import git
import pygit2

from wikihost.catalog import Catalog, catalogued_commit
from wikihost.child.authors import shown_author
from wikihost.child.kept import Kept, PerHead
from wikihost.layout import WikiHome
from wikihost.repo import Repository

T = TypeVar("T")
Entry = dict[str, Any]  # of stock's log

# A view brings the catalog along over this many commits; further behind, git is asked meanwhile.
_COMMITS_BEHIND = 32
# In commits.
_RENAMES_KEPT = 2_000
_ORDER_KEPT = 1
_ORDER = "order"


class CommitLog:
    """The log of one wiki. Each question is answered None where only git can tell. Thread-safe.

    Raises what SQLite, the repository or the program `git` raise.
    """

    def __init__(self, home: WikiHome) -> None:
        self._file = home.catalog_db
        self._catalog = Catalog(home)
        self._orders: PerHead[Sequence[str]] = PerHead(_ORDER_KEPT)
        self._named: Kept[list[str]] = Kept(_RENAMES_KEPT)
        self._sources: Kept[str] = Kept(_RENAMES_KEPT)

    def catch_up(self, repository: Repository) -> None:
        """Bring the catalog to the head, however far that is."""
        self._catalog.sync(repository)

    def ids(self, repository: Repository) -> Sequence[str] | None:
        """All commits, newest first."""
        return self._ask(repository, lambda connection, head: self._order(connection, repository, head))

    def entries(self, repository: Repository, program: git.Git, commits: Sequence[str]) -> list[Entry] | None:
        """What stock's log says of these commits, in their order."""
        return self._ask(repository, lambda connection, _: self._entries(connection, program, commits))

    def whole(self, repository: Repository, program: git.Git, limit: int | None) -> list[Entry] | None:
        """All commits, or the newest of them."""

        def tell(connection: sqlite3.Connection, head: str) -> list[Entry]:
            return self._entries(connection, program, self._order(connection, repository, head)[:limit])

        return self._ask(repository, tell)

    def of_file(self, repository: Repository, program: git.Git, file: str, limit: int | None) -> list[Entry] | None:
        """The commits of a file, also under the names that it had before; None also where there are none."""

        def tell(connection: sqlite3.Connection, head: str) -> list[Entry]:
            order = self._order(connection, repository, head)
            named = dict(islice(self._follow(connection, program, order, file), limit))
            return [{**_entry(row), "files": [named[row[1]]]} for row in _commit_rows(connection, [*named])]

        return self._ask(repository, tell) or None

    def author(self, repository: Repository, commit: str) -> str | None:
        """The name of a commit's author, as it is to be shown; None where the catalog does not know it."""

        def tell(connection: sqlite3.Connection, _: str) -> str | None:
            found = connection.execute(
                "SELECT author, agent, pushed_by FROM commits WHERE oid = ?", (commit,)
            ).fetchone()
            return None if found is None else shown_author(*found)

        return self._ask(repository, tell)

    def _ask(self, repository: Repository, work: Callable[[sqlite3.Connection, str], T]) -> T | None:
        """Run `work` on the catalog at the head; None where bringing it there would keep a view waiting."""
        head = repository.head()
        if not self._file.exists():
            return None
        at = self._catalog.read(catalogued_commit)
        if at != head:
            if at is None or not _is_near(repository, at, head):
                return None
            head = self._catalog.sync(repository)
        # Meanwhile another process may have brought it further, and with it away from this head.
        return self._catalog.read(lambda db: work(db, head) if catalogued_commit(db) == head else None)

    def _order(self, connection: sqlite3.Connection, repository: Repository, head: str) -> Sequence[str]:
        known = self._orders.find(head, _ORDER)
        if known is None:
            merges = connection.execute("SELECT 1 FROM commits WHERE parents > 1 LIMIT 1").fetchone()
            known = _walk(repository.git, head) if merges else _line(connection)
            self._orders.keep(head, _ORDER, known, 1)
        return known

    def _entries(self, connection: sqlite3.Connection, program: git.Git, commits: Sequence[str]) -> list[Entry]:
        rows = _commit_rows(connection, commits)
        touched = _touched(connection, [row[0] for row in rows])
        mixed = [row[1] for row in rows if row[2] <= 1 and {"A", "D"} <= {change for _, change in touched[row[0]]}]
        renamed = self._name_files(program, mixed)
        entries = []
        for row in rows:
            files = [file for file, _ in touched[row[0]]] if row[2] <= 1 else []
            entries.append({**_entry(row), "files": renamed.get(row[1], files)})
        return entries

    def _name_files(self, program: git.Git, commits: Sequence[str]) -> dict[str, list[str]]:
        """The files of commits that may have renamed some, of which git shows only the new names."""
        found = {commit: self._named.find(commit) for commit in commits}
        unknown = [commit for commit, files in found.items() if files is None]
        if unknown:
            said = program.log("--no-walk=unsorted", "--name-only", "-z", "--format=%H", *unknown, "--")
            for commit, files in _read_names(said, unknown).items():
                self._named.keep(commit, files, 1)
                found[commit] = files
        return {commit: files for commit, files in found.items() if files is not None}

    def _follow(
        self, connection: sqlite3.Connection, program: git.Git, order: Sequence[str], file: str
    ) -> Iterable[tuple[str, str]]:
        """The commits of a file and its name at each, as `git log --follow` finds them: merges are not looked at."""
        position = {commit: index for index, commit in enumerate(order)}
        seen, name = -1, file
        while name:
            source = ""
            for index, change, parents in sorted(_touching(connection, name, position)):
                if index <= seen:
                    continue
                yield order[index], name
                # What was created may have been made from another file.
                source = self._source(program, order[index], name) if change == "A" and parents else ""
                if source:
                    seen = index
                    break
            name = source

    def _source(self, program: git.Git, commit: str, file: str) -> str:
        """The file that `file`, created by the commit, was renamed or copied from; empty if there is none."""
        known = self._sources.find((commit, file))
        if known is None:
            pathspec = f":(literal){file}"
            said = program.log("--no-walk", "--follow", "--name-status", "-z", "--format=", commit, "--", pathspec)
            status, *names = said.strip("\0\n").split("\0")
            known = names[0] if status[:1] in ("R", "C") else ""
            self._sources.keep((commit, file), known, 1)
        return known


def _is_near(repository: Repository, at: str, head: str) -> bool:
    if not repository.is_ancestor(at, head):
        return False
    return len(list(islice(repository.commits(at, head), _COMMITS_BEHIND + 1))) <= _COMMITS_BEHIND


def _line(connection: sqlite3.Connection) -> Sequence[str]:
    """The commits of a history without merges."""
    rows = connection.execute("SELECT oid FROM commits ORDER BY generation DESC")
    return tuple(oid for (oid,) in rows)


def _walk(repository: pygit2.Repository, head: str) -> Sequence[str]:
    """The commits as git lists them: of those whose child was listed, the one committed last, equal ones as found."""
    tip = repository[head].peel(pygit2.Commit)
    waiting, seen, found = [(-tip.commit_time, 0, tip)], {tip.id}, []
    while waiting:
        _, _, commit = heapq.heappop(waiting)
        found.append(str(commit.id))
        for parent in commit.parents:
            if parent.id not in seen:
                seen.add(parent.id)
                heapq.heappush(waiting, (-parent.commit_time, len(seen), parent))
    return tuple(found)


def _touching(connection: sqlite3.Connection, file: str, position: dict[str, int]) -> list[tuple[int, str, int]]:
    """Where in the order commits changed a file against their one parent, how, and how many parents they have."""
    rows = connection.execute(
        "SELECT oid, change, parents FROM page_commit JOIN commits ON id = commit_id WHERE file = ? AND parents <= 1",
        (file,),
    )
    return [(position[oid], change, parents) for oid, change, parents in rows]


def _commit_rows(connection: sqlite3.Connection, commits: Sequence[str]) -> list[tuple[Any, ...]]:
    """Number, id, parents, author, mail, time, zone, message, agent and pusher of commits, in their order."""
    return connection.execute(
        "SELECT commits.id, oid, parents, author, email, time, zone, message, agent, pushed_by"
        " FROM json_each(?) AS wanted JOIN commits ON oid = wanted.value ORDER BY wanted.key",
        (json.dumps(commits),),
    ).fetchall()


def _touched(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """The files that commits touched, and how, in git's order."""
    found: dict[int, list[tuple[str, str]]] = {number: [] for number in numbers}
    rows = connection.execute(
        "SELECT commit_id, file, change FROM json_each(?) AS wanted JOIN page_commit ON commit_id = wanted.value"
        " ORDER BY commit_id, file",
        (json.dumps(numbers),),
    )
    for number, file, change in rows:
        found[number].append((file, change))
    return found


def _entry(row: tuple[Any, ...]) -> Entry:
    _, oid, _, author, email, time, zone, message, agent, pushed_by = row
    return {
        "revision-full": oid,
        "revision": oid[:6],
        "author_name": shown_author(author, agent, pushed_by),
        "author_email": email,
        "datetime": datetime.fromtimestamp(time, timezone(timedelta(minutes=zone))),
        # git expands tabs in what it prints, and stock strips the indent from each line.
        "message": "\n".join(line.expandtabs().strip() for line in message.split("\n")),
    }


def _read_names(said: str, commits: Sequence[str]) -> dict[str, list[str]]:
    """The files of each commit, from what git printed of them in this order."""
    found: dict[str, list[str]] = {commit: [] for commit in commits}
    left, at = [*commits], ""
    for part in said.split("\0"):
        if left and part.strip() == left[0]:
            at = left.pop(0)
        elif part and at:
            found[at].append(part.removeprefix("\n") if not found[at] else part)
    return found
