"""Real fleets of real Otter Wikis, and how tests ask them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

import httpcore2
import trio

from wikihost import questions
from wikihost.fleet import Fleet, FleetOptions, HostedWiki, Worker
from wikihost.layout import DataDir
from wikihost.lifecycle import create_wiki
from wikihost.repo import Repository
from wikihost.values import Author

# Above what a loaded machine needs for anything here; a test that hangs fails instead.
PATIENCE_S = 60.0

ADA = Author("Ada Łukasz", "ada@example.org")
OWNER = {
    "x-otterwiki-name": "Ada Łukasz",
    "x-otterwiki-email": "ada@example.org",
    "x-otterwiki-permissions": "READ WRITE UPLOAD ADMIN",
}
READER = {"x-otterwiki-permissions": "READ"}


def hosted(root: Path, wiki_id: str = "", pages: Mapping[str, str] | None = None) -> HostedWiki:
    """A new wiki below `root`, by default named as it, ready to be woken."""
    wiki_id = wiki_id or root.name
    home = DataDir(root).wiki(wiki_id)
    pages = {"Home": "# Welcome home\n"} if pages is None else pages
    create_wiki(home, name=wiki_id, description="", author=ADA, pages=pages)
    return HostedWiki(wiki_id, home, f"Wiki {wiki_id}", "", f"http://robot.localhost:8080/app/wiki/{wiki_id}")


def repository(wiki: HostedWiki) -> Repository:
    return Repository(wiki.home.repo)


def text_at_head(wiki: HostedWiki, path: str) -> str | None:
    repo = repository(wiki)
    blob = repo.blob_of(repo.head(), path)
    return None if blob is None else repo.read_blob(blob).decode()


class Changes:
    """Hears which wikis changed."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.asked_by: list[str] = []

    def __call__(self, wiki_id: str, asked_by: str = "") -> None:
        self.heard.append(wiki_id)
        self.asked_by.append(asked_by)


@asynccontextmanager
async def running_fleet(
    run_dir: Path, options: FleetOptions | None = None, changes: Changes | None = None
) -> AsyncIterator[Fleet]:
    """A fleet that runs in the block, and is stopped after it within its promise."""
    fleet = Fleet(run_dir, options or FleetOptions(wake_timeout_s=PATIENCE_S), changes or Changes())
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        yield fleet
        nursery.cancel_scope.cancel()


class FleetInThread:
    """A running fleet that many tests share, in a Trio loop of its own. A woken worker stays awake to the end."""

    def __init__(self, run_dir: Path, answer: questions.Answer | None = None) -> None:
        self.changes = Changes()
        self._fleet = Fleet(run_dir, FleetOptions(wake_timeout_s=PATIENCE_S), self.changes)
        if answer is not None:
            self._fleet.answer_with(answer)
        self._thread = threading.Thread(target=trio.run, args=(self._run,))
        self._started = threading.Event()

    def __enter__(self) -> FleetInThread:
        self._thread.start()
        assert self._started.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        trio.from_thread.run_sync(self._nursery.cancel_scope.cancel, trio_token=self._token)
        self._thread.join()

    async def wake(self, wiki: HostedWiki) -> Worker:
        """Call from any other Trio loop."""
        start = partial(trio.from_thread.run, self._nursery.start, self._hold, wiki, trio_token=self._token)
        return await trio.to_thread.run_sync(start)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            await self._nursery.start(self._fleet.run)
            self._started.set()

    async def _hold(self, wiki: HostedWiki, *, task_status: trio.TaskStatus[Worker]) -> None:
        async with self._fleet.lease(wiki) as worker:
            task_status.started(worker)
            await trio.sleep_forever()


class Answer:
    """A worker's whole answer."""

    def __init__(self, response: httpcore2.Response) -> None:
        self.status = response.status
        self.headers = {name.decode().lower(): value.decode() for name, value in response.headers}
        self.text = response.content.decode("utf-8", "replace")


async def ask(
    worker: Worker,
    path: str,
    headers: Mapping[str, str] = OWNER,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    content_type: str = "application/x-www-form-urlencoded",
) -> Answer:
    """One request on a connection of its own; a form or body makes it a POST."""
    content = urlencode(form).encode() if form is not None else body
    lines = [("Host", "wiki.robot.localhost"), *headers.items()]
    if content is not None:
        lines.append(("Content-Type", content_type))
    encoded = [(name.encode(), value.encode()) for name, value in lines]
    method = "GET" if content is None else "POST"
    async with httpcore2.AsyncConnectionPool(uds=worker.socket_path) as pool:
        with trio.fail_after(PATIENCE_S):
            response = await pool.request(
                method, f"http://wiki.robot.localhost{path}", headers=encoded, content=content or b""
            )
    return Answer(response)


async def save(worker: Worker, page: str, text: str, headers: Mapping[str, str] = OWNER) -> Answer:
    return await ask(worker, f"/{quote(page)}/save", headers, form={"content": text, "commit": f"Save {page}"})


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what has no event to wait for; a test that waits in vain fails."""
    with trio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


def state_of(fleet: Fleet, wiki: HostedWiki) -> str:
    return next((row.state for row in fleet.status() if row.wiki_id == wiki.wiki_id), "unknown")


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A killed process is a zombie when its last thread is gone; its first thread may look like one earlier.
    return stat.rpartition(")")[2].split()[0] not in "ZX" or threads > 1


def children_of(pid: int) -> list[int]:
    """The running children of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if is_running(int(child))]
