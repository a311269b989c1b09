"""Every way in which a wiki is changed, as a function on one wiki that all tests of faults start from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.wikihost.wikis import ADA, make_wiki
from wikihost import objects, trees
from wikihost.child.storage import RobotStorage
from wikihost.commits import commit_object
from wikihost.content import Content
from wikihost.imports.folders import Folder
from wikihost.imports.run import Order, run_import
from wikihost.imports.values import Choices, OnExisting, SourceLimits
from wikihost.layout import DataDir, WikiHome
from wikihost.repo import Repository
from wikihost.transfer import open_transfer
from wikihost.values import Author

EDITOR = ("Ada", "ada@users.example")
PAGES = {
    "Home": "# Home\n\nSee [[Plan]] and [[Deep/Page]].\n",
    "Plan": "---\ntags: [x]\n---\n# Plan\n\nBack to [[Home]], and on to [[Plan]].\n",
    "Deep/Page": "# Deep\n\n[[Plan|the plan]]\n",
    "Log": "one\n",
}
_PICTURE = bytes(range(256)) * 8
_VAULT = {"Home.md": b"[[Note]]", "Deep/Note.md": b"![[shot.png]]", "files/shot.png": _PICTURE}


@dataclass(frozen=True, slots=True)
class Stage:
    """A wiki, and beside it the objects of a push that waits to be taken in, and a folder to be imported."""

    root: Path
    pushed: str

    @property
    def home(self) -> WikiHome:
        return DataDir(self.root).wiki("w1")

    @property
    def head(self) -> str:
        return Repository(self.home.repo).head()

    @property
    def tree(self) -> bytes:
        """What the wiki holds at its head."""
        repository = Repository(self.home.repo)
        return repository.tree_of(repository.head())

    def copy(self, root: Path) -> Stage:
        shutil.copytree(self.root, root)
        return Stage(root, self.pushed)


def make_stage(root: Path) -> Stage:
    home = make_wiki(DataDir(root).wiki("w1").root, PAGES)
    content = Content(home)
    content.write_attachment("Plan", "picture.png", _PICTURE, author=ADA)
    content.write_page("Log", "two\n", base=content.read_page("Log").revision, author=ADA)
    content.close()
    transfer = open_transfer(home, DataDir(root).transfers / "t1")
    repository = Repository(transfer.root)
    blob = trees.NewObject(b"blob", b"# Pushed\n")
    entries = {"Pushed.md": (trees.FILE, blob.digest()), "Log.md": None, "Deep/Page.md": (trees.FILE, blob.digest())}
    tree, made = trees.replace_files(repository.read_tree, repository.tree_of(transfer.head), entries)
    commit = commit_object(tree, (transfer.head,), ADA, "Pushed", when=1_800_000_000)
    objects.store_objects(repository.git, transfer.git_dir, [blob, *made, commit])
    repository.git.free()
    for path, data in _VAULT.items():
        (root / "vault" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "vault" / path).write_bytes(data)
    return Stage(root, commit.digest().hex())


def create(stage: Stage) -> None:
    content = Content(stage.home)
    content.write_page("New/Deeper/Page", "# New\n\n[[Home]]\n", base=None, author=ADA)


def update(stage: Stage) -> None:
    content = Content(stage.home)
    content.write_page("Home", "# Home\n\nChanged.\n", base=content.read_page("Home").revision, author=ADA)


def rename(stage: Stage) -> None:
    Content(stage.home).rename_page("Plan", "Plans/Of old", author=ADA)


def attach(stage: Stage) -> None:
    Content(stage.home).write_attachment("Plan", "picture.png", _PICTURE[::-1], author=ADA)


def delete(stage: Stage) -> None:
    Content(stage.home).delete_page("Plan", author=ADA)


def take_in(stage: Stage) -> None:
    content = Content(stage.home)
    objects = DataDir(stage.root).transfers / "t1" / ".git" / "objects"
    content.take_in(objects, onto=content.head(), new=stage.pushed, pushed_by=ADA)


def import_files(stage: Stage) -> None:
    """Pages and files of a folder, one of them in place of a page that is there."""
    limits, home = SourceLimits(1024 * 1024), stage.home
    order = Order("vault", Choices(OnExisting.REPLACE), limits, ADA)
    source, place = Folder(stage.root / "vault", limits), DataDir(stage.root).transfers / "import-1" / "made"
    content = Content(home)
    run_import(content, home, place, source, order, lambda done, total: None)


def browser_save(stage: Stage) -> None:
    RobotStorage(str(stage.home.repo)).store("Home.md", "# Saved in a browser\n", "Save", EDITOR)


def browser_upload(stage: Stage) -> None:
    storage = RobotStorage(str(stage.home.repo))
    storage.stage_upload(str(stage.home.repo / "Home" / "file.bin"), _PICTURE)
    storage.commit("Home/file.bin", "Upload", EDITOR)


def browser_rename(stage: Stage) -> None:
    storage = RobotStorage(str(stage.home.repo))
    storage.rename("Plan.md", "Schedule.md", no_commit=True, author=EDITOR)
    storage.rename("Plan", "Schedule", no_commit=True, author=EDITOR)
    storage.update("Home.md", "# Home\n\nSee [[Schedule]].\n")
    storage.commit(["Plan.md", "Schedule.md", "Home.md"], "Rename", EDITOR, no_add=True)


def browser_delete(stage: Stage) -> None:
    RobotStorage(str(stage.home.repo)).delete(["Plan.md", "Plan"], "Delete", EDITOR)


def browser_revert(stage: Stage) -> None:
    storage = RobotStorage(str(stage.home.repo))
    storage.revert(Repository(stage.home.repo).head(), "Revert", EDITOR)


WRITE_PATHS: dict[str, Callable[[Stage], None]] = {
    work.__name__: work
    for work in (
        create,
        update,
        rename,
        attach,
        delete,
        take_in,
        import_files,
        browser_save,
        browser_upload,
        browser_rename,
        browser_delete,
        browser_revert,
    )
}
SOMEBODY = Author("Bo", "bo@users.example")
