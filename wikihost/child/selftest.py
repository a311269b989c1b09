"""Proof, at each start of the zygote, that one imported Otter Wiki can become another wiki and keep nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pygit2

from wikihost.child import otter
from wikihost.child.lifeline import die_with_parent
from wikihost.child.worker import settle
from wikihost.isolation.confinement import Confinement
from wikihost.layout import WikiHome
from wikihost.worker_protocol import Described, WorkerSpec

_PERSON = {
    "x-otterwiki-name": "Template",
    "x-otterwiki-email": "template@robot.invalid",
    "x-otterwiki-permissions": "READ WRITE UPLOAD ADMIN",
}
# A little of everything, so that the first view of the template loads what most pages need.
_MARKDOWN = """
Text, `code`, a [[Link]], a [link](/Home), a list:

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```python
x = 1
```
"""
# Those whose making is changed most, by what the storage knows.
_VIEWS_OF_OURS = ("/-/index", "/-/changelog", "/Binding/history", "/Home?edit", "/-/search?query=fork")
_PAGE = "# Binding\n\nThis page was saved after the fork.\n"


class BindingFailed(Exception):
    """The bound wiki and the template were not told apart."""


def load_template(scratch: Path) -> Any:
    """Import Otter Wiki on a wiki of one page in `scratch`, and view it once.

    The first view compiles templates and loads lexers; forked workers share them.
    """
    spec = _scratch_wiki(scratch, "template")
    server = otter.load(spec)
    otter.bind(server, spec)
    client = server.app.test_client()
    for path in ("/", "/-/changelog", "/Home?edit"):
        client.get(path, headers=_PERSON)
    with server.app.app_context():
        server.db.session.remove()
        server.db.engine.dispose()
    return server


def check_binding(server: Any, scratch: Path, confinement: Confinement | None) -> None:
    """Fork, bind to a second wiki, save through Otter Wiki, read back; the template must be unchanged.

    All of it as confined as a worker is, so that this tells whether Otter Wiki works so with what is installed here.

    Raises BindingFailed.
    """
    template = WikiHome(scratch / "template")
    before = _state(template)
    shutil.rmtree(scratch / "bound", ignore_errors=True)
    spec = _scratch_wiki(scratch, "bound")
    pid, me = 0, os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(me)
        try:
            settle(WikiHome(Path(spec.root)), confinement)
            _save_and_read_back(server, spec)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise BindingFailed("a forked Otter Wiki could not save a page in a second wiki")
    if _state(template) != before:
        raise BindingFailed("a save in a second wiki changed the template wiki")
    _check_saved(WikiHome(Path(spec.root)))
    shutil.rmtree(spec.root)


def _save_and_read_back(server: Any, spec: WorkerSpec) -> None:
    otter.bind(server, spec)
    client = server.app.test_client()
    saved = client.post("/Binding/save", data={"content": _PAGE, "commit": "Bound"}, headers=_PERSON)
    if saved.status_code != 302:
        raise BindingFailed(f"saving answered {saved.status_code}")
    page = client.get("/Binding", headers=_PERSON).get_data(as_text=True)
    if "saved after the fork" not in page or spec.described.site_name not in page:
        raise BindingFailed("the saved page does not show the bound wiki")
    if "Template page" in client.get("/Home", headers=_PERSON).get_data(as_text=True):
        raise BindingFailed("the template's page shows in the bound wiki")
    server.storage.catch_up_catalog()
    for path in _VIEWS_OF_OURS:
        view = client.get(path, headers=_PERSON)
        if view.status_code != 200 or "Binding" not in view.get_data(as_text=True):
            raise BindingFailed(f"{path} does not show the saved page")
    with server.app.app_context():
        server.db.session.add(server.Preferences(name="ROBOT_BINDING", value="bound"))
        server.db.session.commit()


def _check_saved(home: WikiHome) -> None:
    repository = pygit2.Repository(str(home.repo))
    blob = repository.revparse_single("HEAD:Binding.md")
    if not isinstance(blob, pygit2.Blob) or blob.data.decode() != _PAGE:
        raise BindingFailed("the saved page is not in the bound wiki's repository")
    with sqlite3.connect(home.wiki_db) as database:
        rows = database.execute("SELECT value FROM preferences WHERE name = 'ROBOT_BINDING'").fetchall()
    if rows != [("bound",)]:
        raise BindingFailed("a preference is not in the bound wiki's database")


def _scratch_wiki(scratch: Path, name: str) -> WorkerSpec:
    home = WikiHome(scratch / name)
    home.root.mkdir(parents=True)
    repository = pygit2.init_repository(str(home.repo), initial_head="main")
    (home.repo / "Home.md").write_text(f"# {name.title()} page\n{_MARKDOWN}")
    repository.index.add("Home.md")
    repository.index.write()
    someone = pygit2.Signature("Robot", "robot@robot.invalid")
    repository.create_commit("HEAD", someone, someone, "Start", repository.index.write_tree(), [])
    return WorkerSpec(
        wiki_id=name,
        root=str(home.root),
        described=Described(f"Robot {name} wiki", "", ""),
        probe_secret="",
        threads=1,
        max_upload_bytes=1_000_000,
        log_level="WARNING",
    )


def _state(home: WikiHome) -> tuple[str, str, bytes]:
    """All that a save may change: branch head, files, database."""
    head = str(pygit2.Repository(str(home.repo)).revparse_single("HEAD").id)
    files = " ".join(sorted(str(path) for path in home.repo.rglob("*.md")))
    return head, files, home.wiki_db.read_bytes()
