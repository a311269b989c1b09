"""Whatever is done through whichever door, a catalog that followed it all says what one built anew says."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from otterwiki.gitstorage import StorageError

from tests.wikihost.test_catalog import rebuilt, some_text, synced
from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost import objects, trees
from wikihost.catalog import Catalog
from wikihost.child.storage import RobotStorage
from wikihost.commits import commit_object
from wikihost.content import Content
from wikihost.errors import ContentError
from wikihost.layout import WikiHome
from wikihost.names import name_of_file
from wikihost.pushed import check_push
from wikihost.repo import Repository
from wikihost.transfer import close_transfer, open_transfer

NAMES = ["Home", "P 1", "P_1", "P 2", "F/1", "F/1/Below", "F", "Ü/ß", "C# notes", "New 1", "New 2"]
EDITOR = ("Bo", "bo@users.example")
STEPS = 40


class Doors:
    """One wiki as core and as a worker have it open."""

    def __init__(self, home: WikiHome, transfers: Path, chance: random.Random) -> None:
        self.home = home
        self.content = Content(home)
        self.storage = RobotStorage(str(home.repo))
        self._transfers = transfers
        self._chance = chance
        self._pushes = 0

    def some_name(self) -> str:
        return self._chance.choice(NAMES)

    def write(self) -> None:
        name, text = self.some_name(), some_text(self._chance)
        rows = {page.path: page for page in self.content.list_pages()}
        base = self.content.read_page(name).revision if name in rows else None
        self.content.write_page(name, text, base=base, author=ADA)

    def edit(self) -> None:
        page = self.content.read_page(self.some_name())
        self.content.edit_page(page.path, base=page.revision, old="alpha", new="beta [[P 1]]", author=ADA)

    def rename(self) -> None:
        redirect = self._chance.random() < 0.5
        self.content.rename_page(self.some_name(), self.some_name(), redirect=redirect, author=ADA)

    def delete(self) -> None:
        self.content.delete_page(self.some_name(), author=ADA)

    def attach(self) -> None:
        self.content.write_attachment(self.some_name(), "f.bin", self._chance.randbytes(9), author=ADA)

    def save_in_browser(self) -> None:
        self.storage.store(f"{self.some_name()}.md", some_text(self._chance), "Save", EDITOR)

    def rename_in_browser(self) -> None:
        try:
            self.storage.rename(f"{self.some_name()}.md", f"{self.some_name()}.md", "Move", EDITOR)
        finally:
            self.storage.release()

    def delete_in_browser(self) -> None:
        name = self.some_name()
        self.storage.delete([f"{name}.md", name], "Delete", EDITOR)

    def revert_in_browser(self) -> None:
        revisions = git(self.home, "rev-list", "-8", "HEAD").split()
        self.storage.revert(self._chance.choice(revisions), "Revert", EDITOR)

    def push(self) -> None:
        """A few commits, or two lines of them with a merge."""
        self._pushes += 1
        transfer = open_transfer(self.home, self._transfers / str(self._pushes))
        repository = Repository(transfer.root)
        made: list[trees.NewObject] = []

        def commit(*parents: str) -> str:
            files: dict[str, trees.Entry | None] = {}
            for _ in range(self._chance.randrange(1, 4)):
                blob = trees.NewObject(b"blob", some_text(self._chance).encode())
                made.append(blob)
                files[f"{self.some_name()}.md"] = self._chance.choice([None, (trees.FILE, blob.digest())])
            tree, new = trees.replace_files(repository.read_tree, repository.tree_of(parents[0]), files)
            done = commit_object(tree, parents, ADA, "Pushed", when=int(time.time()) - self._chance.randrange(999))
            objects.store_objects(repository.git, transfer.git_dir, [*made, *new, done])
            return done.digest().hex()

        tip = commit(transfer.head)
        if self._chance.random() < 0.5:
            tip = commit(tip, commit(transfer.head))
        check_push(repository, transfer.head, tip, max_file_bytes=10_000)
        self.content.take_in(transfer.objects, onto=transfer.head, new=tip)
        repository.git.free()
        close_transfer(transfer.root)

    def move_back_by_hand(self) -> None:
        """As an operator may, with a plain git on the machine: to this, readers see no fast-forward."""
        git(self.home, "reset", "-q", "--hard", git(self.home, "rev-list", "-2", "HEAD").split()[-1])

    def step(self) -> str:
        ways: list[Callable[[], None]] = [
            self.write,
            self.edit,
            self.rename,
            self.delete,
            self.attach,
            self.save_in_browser,
            self.rename_in_browser,
            self.delete_in_browser,
            self.revert_in_browser,
            self.push,
        ]
        way = self._chance.choice([*ways, *ways, self.move_back_by_hand])
        with suppress(ContentError, StorageError):  # what cannot be done is refused, and changes nothing
            way()
            return way.__name__
        return ""


@pytest.mark.parametrize("seed", range(4))
def test_all_views_agree(tmp_path: Path, seed: int) -> None:
    home = make_wiki(tmp_path / "wiki", {"Home": "home\n", "P 1": "alpha [[Home]]\n", "F/1": "alpha\n"})
    doors = Doors(home, tmp_path / "transfers", random.Random(seed))
    lazy, done = Catalog(home), set()  # looked at now and then, as by a worker of a wiki that sleeps
    for number in range(STEPS):
        done.add(doors.step())
        listed = {page.path for page in doors.content.list_pages()}
        files = git(home, "ls-tree", "-r", "-z", "--name-only", "HEAD").strip("\0").split("\0")
        assert listed == {name for file in files if (name := name_of_file(file))}
        if number % 9 == 0:
            synced(home, lazy)
    assert len(done) > 6
    followed = synced(home, lazy)
    doors.content.write_page("Last", "x", base=None, author=ADA)
    assert_sound(home)
    assert followed != synced(home)
    followed = synced(home, lazy)
    lazy.close()
    doors.content.close()
    assert followed == rebuilt(home)
