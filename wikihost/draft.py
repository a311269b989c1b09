"""A wiki as a change in the making leaves it: the files that are put, over those of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from wikihost import query, trees
from wikihost.names import SUFFIX, name_of_file, page_key
from wikihost.plans import Snapshot
from wikihost.writer import FileChanges


class Draft:
    """Files over a snapshot; for one thread, while the wiki's lock is held."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.moved: dict[str, str] = {}  # pages by the name that they are to have, with the one that they have
        self._put: dict[str, trees.Entry | None] = {}
        self._put_beside: dict[str, dict[str, trees.Entry | None]] = {}  # of these the attachments, by page
        self._made: dict[bytes, bytes] = {}
        self._before: dict[str, trees.Entry | None] = {}

    def entry(self, path: str) -> trees.Entry | None:
        """The file at a path, None where there is none."""
        return self._put[path] if path in self._put else self.before(path)

    def before(self, path: str) -> trees.Entry | None:
        """The file at a path of the snapshot."""
        if path not in self._before:
            found = self.snapshot.entry(path)
            self._before[path] = None if found is not None and found[0] == trees.DIRECTORY else found
        return self._before[path]

    def read(self, entry: trees.Entry) -> bytes:
        _, oid = entry
        made = self._made.get(oid)
        return self.snapshot.repository.read_blob(oid.hex()) if made is None else made

    def put(self, path: str, entry: trees.Entry | None) -> None:
        """Put a file that is stored or written already; None removes it."""
        self._put[path] = entry
        page, _, filename = path.rpartition("/")
        if not filename.endswith(SUFFIX):
            self._put_beside.setdefault(page, {})[filename] = entry

    def write(self, path: str, data: bytes) -> None:
        """Put a file with these bytes."""
        oid = trees.NewObject(b"blob", data).digest()
        self._made[oid] = data
        self.put(path, (trees.FILE, oid))

    def note_move(self, old: str, new: str) -> None:
        """A page is to be called `new`: for telling it as a rename."""
        self.moved[new] = self.moved.pop(old, old)

    def attachments(self, page: str) -> Mapping[str, trees.Entry]:
        """The files of a page, by file name."""
        found: dict[str, trees.Entry] = dict(self.snapshot.attachments(page))
        for filename, entry in self._put_beside.get(page, {}).items():
            if entry is None:
                found.pop(filename, None)
            else:
                found[filename] = entry
        return found

    def twin_of(self, name: str) -> str | None:
        """Another page that has the same name in another spelling."""
        rows = self.snapshot.ask(lambda connection: query.spellings(connection, name))
        known = [path for path in rows if self.entry(path + ".md") is not None]
        put = [path for path in self.written_pages() if page_key(path) == page_key(name)]
        return next((path for path in [*known, *put] if path != name), None)

    def written_pages(self) -> list[str]:
        """The pages that were put."""
        names = (name_of_file(path) for path, entry in self._put.items() if entry is not None)
        return [name for name in names if name is not None]

    def removed_pages(self) -> list[str]:
        """The pages of the snapshot that are gone, but for those that only have another name."""
        gone = (name_of_file(path) for path, entry in self.differences().items() if entry is None)
        return [name for name in gone if name is not None and name not in self.moved.values()]

    def differences(self) -> dict[str, trees.Entry | None]:
        """The files that differ from the snapshot's."""
        return {path: entry for path, entry in self._put.items() if entry != self.before(path)}

    def changes(self) -> FileChanges:
        """What is to be committed."""
        return {
            path: self._made.get(entry[1], entry) if entry is not None else None
            for path, entry in self.differences().items()
        }
