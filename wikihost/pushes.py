"""Who pushed which commits: git notes under `refs/notes/robot` (`git log --notes=robot` shows them).

Pushed commits keep their own author, and with it their id, whoever that is; so who brought them is written beside them.
A note stands at the last commit of a push, and is for all those that the branch had not had: `Robot-Pushed-Onto` is
where it was. It is there before the branch moves, so no pushed commit is ever without one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wikihost import objects, trees
from wikihost.commits import commit_object
from wikihost.repo import Repository, credential_of, join_trailers, split_trailers
from wikihost.trees import NewObject
from wikihost.values import Author

NOTES_REF = "refs/notes/robot"
_ONTO = "Robot-Pushed-Onto"
_BY = "Robot-Pushed-By"
_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Push:
    """The commits that `new` has and `onto` has not came with one push, by `by` (`Ada Lovelace (laptop)`)."""

    onto: str
    new: str
    by: str
    credential: str | None


def notes_head(repo: Path) -> str | None:
    """The commit that the notes of the repository at `repo` are at; None where nobody has pushed yet."""
    repository = Repository(repo)
    try:
        return objects.read_ref(repository.git, NOTES_REF)
    finally:
        repository.git.free()


def find_pushes(repository: Repository, commits: Iterable[str]) -> Iterator[Push]:
    """The pushes that ended in one of these commits."""
    notes = objects.read_ref(repository.git, NOTES_REF)
    if notes is None:
        return
    root = repository.tree_of(notes)
    for oid in commits:
        entry = trees.find(repository.read_tree, root, _path_of(oid))
        push = None if entry is None else _read(oid, repository.read_blob(entry[1].hex()).decode("utf-8", "replace"))
        if push is not None and repository.has_commit(push.onto):
            yield push


def note_push(repository: Repository, by: Author, *, onto: str, new: str) -> None:
    """Write down, durably, who pushes; while the wiki's lock is held, before the branch moves.

    Raises what `objects.store_objects` and `objects.move_ref` raise.
    """
    notes = objects.read_ref(repository.git, NOTES_REF)
    trailers = {_BY: by.name, _ONTO: onto, **by.trailers}
    text = join_trailers(f"Pushed by {by.name} <{by.email}>, with all since {onto[:8]}.", trailers.items())
    blob = NewObject(b"blob", text.encode("utf-8", "replace"))
    root, made = trees.replace_files(
        repository.read_tree,
        None if notes is None else repository.tree_of(notes),
        {_path_of(new): (trees.FILE, blob.digest())},
    )
    parents = () if notes is None else (notes,)
    commit = commit_object(root, parents, by, f"Push {onto[:8]}..{new[:8]}", when=int(time.time()))
    objects.store_objects(repository.git, repository.git_dir, [blob, *made, commit])
    objects.move_ref(repository.git, repository.git_dir, NOTES_REF, expected=notes, new=commit.digest().hex())


def _path_of(oid: str) -> str:
    """Where the note of a commit is, as git itself spreads many notes (git-notes(1))."""
    return f"{oid[:2]}/{oid[2:]}"


def _read(new: str, text: str) -> Push | None:
    _, trailers = split_trailers(text)
    onto, by = trailers.get(_ONTO, ""), trailers.get(_BY)
    if by is None or _ID.fullmatch(onto) is None:
        return None
    return Push(onto, new, by, credential_of(trailers))
