"""Taking changes back: what commits did, reverted onto the wiki as it is now.

Each file that a commit changed goes back to what it was before, if it still is as the commit left it; a page's text
that went on since is merged three ways, with the commit's text as the base. A page that was renamed since is found
under its new name, and a rename is undone as one: the page moves back with all its files, links follow, the redirect
goes.

A page goes back whole or stays whole: where one file of it cannot be merged, all that belongs to it is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from wikihost import merge, query, trees
from wikihost.draft import Draft
from wikihost.errors import RevisionNotFound, UndoRefused
from wikihost.markdown import retarget_links, split_frontmatter, wikilinks
from wikihost.moving import MAX_RENAMES, redirect_of, source_of
from wikihost.names import file_of, name_of_file, page_key
from wikihost.plans import Plan, Snapshot
from wikihost.redirects import NO_LINK_HOLDS, redirect_text
from wikihost.repo import UNDOES, CommitRecord
from wikihost.texts import encode_text
from wikihost.trees import FileChange
from wikihost.undone import pages_of
from wikihost.values import LeftAlone, Undone
from wikihost.writer import Committed

MAX_UNDONE = 200  # commits at once
MAX_FILES = 5_000  # of one commit
UNDO_S = 10.0  # others wait meanwhile, and not for ever (`writer.LOCK_WAIT_S`)
_MAX_LATER = 10_000  # commits that are looked through for an earlier undo
_MAX_SUBJECT_CHARS = 100
_MAX_NAMED = 10  # pages in a sentence
_MAX_TOLD = 50  # pages that are named in a message


def plan_undo(snapshot: Snapshot, revision: str, *, message: str | None) -> Plan[Undone]:
    """Take back one commit, all of it. Raises `RevisionNotFound`, `UndoRefused`."""
    record = find_change(snapshot, revision)
    refusal = _refusal_of(record, snapshot.repository.touched(record))
    if refusal is not None:
        raise UndoRefused(f"Revision {record.oid[:8]} {refusal}.")
    undo = _Undo(Draft(snapshot))
    undo.revert(record)
    undo.check_files_left()
    draft = undo.draft
    if not draft.changes() or undo.conflicts:
        earlier = _undone_by(snapshot, record)
        if earlier is not None:
            raise UndoRefused(f"Revision {record.oid[:8]} was undone already, in revision {earlier[:8]}.")
    if undo.conflicts:
        raise _in_the_way(record, undo.conflicts)
    if not draft.changes():
        raise UndoRefused(f"Nothing of revision {record.oid[:8]} is left to undo.")
    subject = record.message.partition("\n")[0][:_MAX_SUBJECT_CHARS]
    return _plan(draft, [record], message or f'Undo "{subject}" (revision {record.oid[:8]})')


def plan_undo_of_many(
    snapshot: Snapshot, revisions: Sequence[str], *, message: str | None, reviewed: str | None
) -> Plan[Undone]:
    """Take back several commits in one, newest first; pages where later changes are in the way are left alone.

    Raises `RevisionNotFound`, and `UndoRefused` when they are too many, nothing of them is left, or what is `reviewed`
    is not what would be done now.
    """
    if len(set(revisions)) > MAX_UNDONE:
        raise UndoRefused(f"At most {MAX_UNDONE} changes can be undone at once; undo the newest of them first.")
    found = {record.oid: record for record in (find_change(snapshot, revision) for revision in revisions)}
    records = [found[oid] for oid in _newest_first(snapshot, [*found])]
    left: dict[str, str] = {}
    deadline = time.monotonic() + UNDO_S
    while True:
        undo = _Undo(Draft(snapshot), left)
        for record in records:
            if time.monotonic() > deadline:
                raise UndoRefused("Undoing all this takes too long; undo fewer changes at once.")
            undo.revert(record)
        undo.check_files_left()
        if not undo.conflicts:
            break
        left |= undo.conflicts  # and once more without these pages: others may have depended on them
    if not undo.draft.changes() and not left:
        raise UndoRefused("Nothing of these changes is left to undo.")
    alone = [LeftAlone(path, reason) for path, reason in sorted(left.items())]
    plan = _plan(undo.draft, records, _told(message or f"Undo {_counted(records)}", alone), alone)
    if reviewed is not None and plan.finish(Committed(snapshot.head, changed=False)).digest != reviewed:
        raise UndoRefused("The wiki was changed since you looked at what would be undone; look again.")
    return plan


def find_change(snapshot: Snapshot, revision: str) -> CommitRecord:
    """The commit that a revision names, if the wiki has it. Raises `RevisionNotFound`."""
    oid = snapshot.repository.resolve(revision)
    if not snapshot.repository.is_ancestor(oid, snapshot.head):
        raise RevisionNotFound(f"This wiki has no revision {revision}.")
    return snapshot.repository.commit(oid)


@dataclass(slots=True)
class _Undo:
    """An undo under way. `left` are pages not to be touched; `conflicts` those that turned out so, with the reason."""

    draft: Draft
    left: Mapping[str, str] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)

    def revert(self, record: CommitRecord) -> None:
        """Take one commit back in the draft."""
        touched = self.draft.snapshot.repository.touched(record)
        refusal = _refusal_of(record, touched)
        if refusal is not None:
            for change in touched:
                self._leave(_page_of(change.path), f"revision {record.oid[:8]} {refusal}")
            return
        changes = {change.path: change for change in touched}
        moved: list[tuple[FileChange, FileChange]] = []
        for source, target in _moves(self.draft, changes).items():
            moved.append((changes.pop(source), changes.pop(target)))
            for names in _files_moved(changes, source, target):
                if any(self.draft.entry(name) != changes[name].new for name in names):
                    for name in names:  # it changed since, and goes back with its page as it is now
                        del changes[name]
        whole = {change.path for change in changes.values() if self.draft.entry(change.path) == change.new}
        for change in changes.values():
            self._revert_file(change)
        for pair in moved:  # last: files and links follow, but for those that are just as before
            self._move_back(*pair, whole, record.parents[0])

    def check_files_left(self) -> None:
        """Pages that would go, but for files that others put beside them, are in conflict."""
        for name in self.draft.removed_pages():
            if self.draft.attachments(name):
                self._leave(name, "it has files that were added since")

    def _revert_file(self, change: FileChange) -> None:
        page, draft = _page_of(change.path), self.draft
        if self._is_left(page):
            return
        here = draft.entry(change.path)
        if here == change.old:
            return
        if here == change.new:
            self._put_back(page, change.path, change.old)
            return
        path = self._present_file(change.path)
        if path is None:
            self._leave(page, "it was removed since")
        elif path == change.path:
            self._revert_changed(page, path, change)
        elif not self._is_left(_page_of(path)):
            self._revert_moved(path, change)

    def _revert_moved(self, path: str, change: FileChange) -> None:
        """As `_revert_changed`, of a file that has another name by now."""
        if self.draft.entry(path) == change.old:
            return
        if self.draft.entry(path) == change.new and change.old is None:
            self.draft.put(path, None)
            if _page_of(path) == name_of_file(path):
                self.draft.put(change.path, None)  # the redirect
            return
        self._revert_changed(_page_of(path), path, change)

    def _revert_changed(self, page: str, path: str, change: FileChange) -> None:
        """Revert a file that is no longer as the commit left it."""
        here = self.draft.entry(path)
        if here is not None and here == change.new and change.old is not None:
            self.draft.put(path, change.old)
            return
        if here is None or change.old is None or change.new is None or name_of_file(path) is None:
            self._leave(page, "it was changed since" if change.new else "it was made again since")
            return
        text = self._merged(change.new, here, change.old)
        if text is None:
            self._leave(page, "the same lines were changed since")
        else:
            self.draft.write(path, text)

    def _merged(self, base: trees.Entry, here: trees.Entry, back: trees.Entry) -> bytes | None:
        """A page's present text without what the commit did to it; None where that cannot be told apart."""
        try:
            texts = [self.draft.read(entry).decode() for entry in (base, here, back)]
        except UnicodeDecodeError:
            return None
        found = merge.merge(*texts)
        return encode_text(found.text) if isinstance(found, merge.Merged) else None

    def _put_back(self, page: str, path: str, entry: trees.Entry | None) -> None:
        name = name_of_file(path)
        if entry is not None and name is not None and self.draft.entry(path) is None:
            twin = self.draft.twin_of(name)
            if twin is not None:
                self._leave(page, f"there is a page {twin} now")
                return
        self.draft.put(path, entry)

    def _move_back(self, source: FileChange, target: FileChange, whole: Collection[str], before: str) -> None:
        """Undo a rename of a page from `source` to `target`, which the commit `before` did not know yet.

        The files `whole` are right already.
        """
        draft, old, new = self.draft, _page_of(source.path), _page_of(target.path)
        here = draft.entry(target.path)
        if self._is_left(old) or self._is_left(new) or (here is None and draft.entry(source.path) == source.old):
            return
        in_the_way = self._why_not_back(source, target)
        if in_the_way is not None or here is None or source.old is None or target.new is None:
            self._leave(new, in_the_way or "it was removed since")
            return
        text = draft.read(source.old) if here == target.new else self._merged(target.new, here, source.old)
        if text is None:
            self._leave(new, "the same lines were changed since")
            return
        draft.put(target.path, target.old)
        if here == target.new:
            draft.put(source.path, source.old)
        else:
            draft.write(source.path, _retargeted(text, new, old))
        for filename, entry in draft.attachments(new).items():
            if f"{new}/{filename}" not in whole:
                draft.put(f"{new}/{filename}", None)
                draft.put(f"{old}/{filename}", entry)
        draft.note_move(new, old)
        self._lead_links_back(old, new, whole, before)

    def _why_not_back(self, source: FileChange, target: FileChange) -> str | None:
        """What keeps a page from going back to the name that it had."""
        draft, old, new = self.draft, _page_of(source.path), _page_of(target.path)
        as_it_was = draft.entry(target.path) == target.new  # a redirect perhaps, which can be renamed as well
        present = target.path if as_it_was else self._present_file(target.path)
        if present is None:
            return "it was removed since"
        if present != target.path:
            return f"it was renamed again since, to {_page_of(present)}"
        there = draft.entry(source.path)
        if there not in (None, source.new) and redirect_of(draft.read(there)) is None:
            return f"there is another page {old} now"
        twin = draft.twin_of(old)
        if twin is not None and twin != new:
            return f"there is another page {twin} now"
        taken = draft.attachments(old).keys() & draft.attachments(new).keys()
        return f"files of another page are in its way: {', '.join(sorted(taken))}" if taken else None

    def _lead_links_back(self, old: str, new: str, whole: Collection[str], before: str) -> None:
        """Links to `new`, and redirects that renames left to it, go to `old`; those stay that led there before."""
        draft = self.draft
        linking = draft.snapshot.ask(lambda connection: query.mentioning(connection, new))
        for path in dict.fromkeys([*linking, *draft.written_pages()]):
            entry = draft.entry(file_of(path))
            if entry is None or path in (old, new) or file_of(path) in whole or self._is_left(path):
                continue
            if self._led_to(new, file_of(path), before):
                continue
            data = draft.read(entry)
            if page_key(redirect_of(data) or "") == page_key(new):
                changed = redirect_text(old).encode()
            else:
                changed = _retargeted(data, new, old)
            if changed != data:
                draft.write(file_of(path), changed)

    def _led_to(self, name: str, file: str, commit: str) -> bool:
        """Whether a page's file at a commit linked to a name, or was a redirect to it."""
        repository = self.draft.snapshot.repository
        blob = repository.blob_of(commit, file)
        if blob is None:
            return False
        data, key = repository.read_blob(blob), page_key(name)
        if page_key(redirect_of(data) or "") == key:
            return True
        _, body = split_frontmatter(data.decode("utf-8", "replace"))
        return any(page_key(target) == key for target in wikilinks(body))

    def _present_file(self, path: str) -> str | None:
        """Where a file is by now, its page having been renamed perhaps; None when it is gone."""
        name = name_of_file(path)
        if name is None:
            page = _page_of(path)
            moved = self._present_file(file_of(page)) if self.draft.entry(path) is None else file_of(page)
            found = None if moved is None else f"{_page_of(moved)}/{path.rpartition('/')[2]}"
            return found if found is not None and self.draft.entry(found) is not None else None
        for _ in range(MAX_RENAMES):
            entry = self.draft.entry(path)
            target = redirect_of(self.draft.read(entry)) if entry is not None else None
            if entry is not None and target is None:
                return path
            moved = file_of(target) if target is not None else _moved_to(self.draft.snapshot, path)
            if moved is None:
                return None
            path = moved
        return None

    def _is_left(self, page: str) -> bool:
        return page in self.left or page in self.conflicts

    def _leave(self, page: str, reason: str) -> None:
        if page not in self.left:
            self.conflicts.setdefault(page, reason)


def _moves(draft: Draft, changes: Mapping[str, FileChange]) -> dict[str, str]:
    """The pages that a commit renamed: their files before and after."""
    left = {path: change for path, change in changes.items() if change.old is not None and _is_gone(draft, change)}
    found: dict[str, str] = {}
    for path, change in changes.items():
        if left and name_of_file(path) is not None:
            source = source_of(draft.snapshot.repository, {**left, path: change}, path)
            used = {*found, *found.values()}
            if source is not None and name_of_file(source) is not None and used.isdisjoint({source, path}):
                found[source] = path
    return found


def _is_gone(draft: Draft, change: FileChange) -> bool:
    """Whether a commit took a page from its name, and left a redirect at most."""
    if name_of_file(change.path) is None:
        return False
    return change.new is None or redirect_of(draft.read(change.new)) is not None


def _files_moved(changes: Mapping[str, FileChange], source: str, target: str) -> list[tuple[str, str]]:
    """Of what a commit changed: the files of a page that moved with it, from where and to where."""
    old, new = f"{_page_of(source)}/", f"{_page_of(target)}/"
    names = [path.removeprefix(new) for path in changes if path.startswith(new)]
    both = [name for name in names if "/" not in name and f"{old}{name}" in changes and name_of_file(name) is None]
    return [(old + name, new + name) for name in both]


def _moved_to(snapshot: Snapshot, path: str) -> str | None:
    """The file that a page's file was renamed to, by the last commit that touched it."""
    last = snapshot.ask(lambda connection: query.history(connection, path, 1))
    if not last:
        return None
    repository = snapshot.repository
    changes = {change.path: change for change in repository.touched(repository.commit(last[0].revision))}
    made = (name for name, change in changes.items() if change.old is None and name_of_file(name) is not None)
    return next((name for name in made if source_of(repository, changes, name) == path), None)


def _retargeted(data: bytes, name: str, to: str) -> bytes:
    """A page's bytes with its links to `name` going to `to`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    key = page_key(name)
    return data if not NO_LINK_HOLDS.isdisjoint(to) else retarget_links(text, _has_key(key), to).encode()


def _has_key(key: str) -> Callable[[str], bool]:
    return lambda target: page_key(target) == key


def _page_of(path: str) -> str:
    """The page that a file belongs to; a file beside no page stands for itself."""
    return name_of_file(path) or path.rpartition("/")[0] or path


def _refusal_of(record: CommitRecord, touched: Sequence[FileChange]) -> str | None:
    """Why a commit cannot be undone, whatever came after it."""
    if not record.parents:
        return "is the first one of the wiki, before which there was nothing"
    if len(record.parents) > 1:
        return "is a merge: undo the changes that it brought together, one by one"
    return f"changed more than {MAX_FILES:,} files, which is too much to undo" if len(touched) > MAX_FILES else None


def _undone_by(snapshot: Snapshot, record: CommitRecord) -> str | None:
    """The commit that undid this one, if any."""
    later = islice(snapshot.repository.commits(record.oid, snapshot.head), _MAX_LATER)
    return next((other.oid for other in later if record.oid in other.undoes), None)


def _in_the_way(record: CommitRecord, conflicts: Mapping[str, str]) -> UndoRefused:
    pages = sorted(conflicts)
    told = "; ".join(f"{page}: {conflicts[page]}" for page in pages[:_MAX_NAMED])
    more = f"; and {len(pages) - _MAX_NAMED} more" if len(pages) > _MAX_NAMED else ""
    return UndoRefused(
        f"Revision {record.oid[:8]} cannot be undone, since later changes are in the way: {told}{more}.", pages=pages
    )


def _newest_first(snapshot: Snapshot, oids: Sequence[str]) -> list[str]:
    return snapshot.ask(lambda connection: query.newest_first(connection, oids))


def _counted(records: Sequence[CommitRecord]) -> str:
    return f"{len(records)} changes" if len(records) != 1 else f"revision {records[0].oid[:8]}"


def _told(message: str, left_alone: Sequence[LeftAlone]) -> str:
    """The message with what stays, for whoever reads the history."""
    if not left_alone:
        return message
    lines = [f"- {page.path}: {page.reason}" for page in left_alone[:_MAX_TOLD]]
    more = [f"- and {len(left_alone) - _MAX_TOLD} more"] if len(left_alone) > _MAX_TOLD else []
    return "\n".join([message, "", "Left alone:", *lines, *more])


def _plan(
    draft: Draft, records: Sequence[CommitRecord], message: str, left_alone: Sequence[LeftAlone] = ()
) -> Plan[Undone]:
    pages, oids = pages_of(draft), [record.oid for record in records]

    def finish(done: Committed) -> Undone:
        return Undone(done.head, done.changed, oids, pages, left_alone)

    return Plan(draft.changes(), message, finish, {UNDOES: " ".join(oids)})
