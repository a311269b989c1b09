"""Imports that are begun in the dashboard: who may, what waits for whom, what is kept, and what is written."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from proxy.asgi import App, Message
from proxy.guard import BodyRefused, BodyTooLarge
from robot.access import grant_role, withdraw_role
from robot.exports import MAX_EXPORTS, Exports, Form
from robot.hosting import delete_hosted_wiki
from robot.imports import jobs
from robot.imports.jobs import Imports, Job, Stage, TooManyImports
from robot.imports.sources import LocalFile, RemoteRepository, label_of
from robot.model import Role, User, Wiki
from robot.web.downloads import Downloads
from robot.web.uploads import Uploads
from robot.wikis import find_wiki_by_slug
from tests.robot.small_host import ADDRESS, UPLOAD_BYTES, Browser, SmallHost
from wikihost.content import Content
from wikihost.imports.values import Choices
from wikihost.lifecycle import delete_wiki
from wikihost.quota import Quota, write_quota

PLATFORM = ADDRESS.platform_origin
PATIENCE_S = 20


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


VAULT = zipped({"New.md": "See [[Old]].", "-odd <b>.md": "x", "../up.md": "x", ".obsidian/a": "x"})


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """The platform as the front sees it, uploads and downloads before it, its imports running."""

    host: SmallHost
    app: App

    async def send(
        self, user: Browser, method: str, path: str, body: bytes = b"", content_type: str = "", pieces: int = 1
    ) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in user.jars.get(PLATFORM, {}).items())
        headers = [(b"host", b"wiki.test"), (b"cookie", cookies.encode())]
        if body:
            headers += [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "http_version": "1.1",
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        size = max(1, -(-len(body) // pieces))
        left = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        sent: list[Message] = []

        async def receive() -> Message:
            if left:
                return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
            await trio.sleep_forever()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        head = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:]))

    async def upload(
        self, user: Browser, data: bytes, name: str = "vault.zip", pieces: int = 3, /, **fields: str
    ) -> Answer:
        body, kind = multipart({"existing": "skip", "links": "auto", "url": ""} | fields, name, data)
        return await self.send(user, "POST", "/app/wiki/notes/import", body, kind, pieces)

    async def wait(self, user: Browser, path: str) -> str:
        """The page of an import once it does not reload itself any more."""
        since = time.monotonic()
        while 'http-equiv="refresh"' in (page := (await self.send(user, "GET", path)).text):
            assert time.monotonic() - since < PATIENCE_S
            await trio.to_thread.run_sync(time.sleep, 0.01)
        return page

    def spooled(self) -> list[Path]:
        return sorted(self.host.data.transfers.glob("import-*"))


def multipart(fields: Mapping[str, str], name: str, data: bytes) -> tuple[bytes, str]:
    parts = [f'--B\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return "".join(parts).encode() + head.encode() + data + b"\r\n--B--\r\n", "multipart/form-data; boundary=B"


@pytest.fixture
async def site(host: SmallHost) -> AsyncIterator[Site]:
    await host.make_wiki("notes")
    uploads = Uploads(
        cast(App, host.platform), db=host.db, sessions=host.sessions, imports=host.imports, max_bytes=UPLOAD_BYTES
    )
    exports = Exports(host.contents, host.data)
    app = Downloads(uploads, db=host.db, sessions=host.sessions, exports=exports)
    async with running(host.imports):
        yield Site(host, app)


@asynccontextmanager
async def running(imports: Imports) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(imports.run)
        yield
        nursery.cancel_scope.cancel()


async def wiki_of(site: Site) -> Wiki:
    wiki = find_wiki_by_slug(site.host.db, "notes")
    assert wiki is not None
    return wiki


async def pages_of(site: Site) -> set[str]:
    def read(content: Content) -> set[str]:
        return {page.path for page in content.list_pages()}

    return await site.host.contents.run(await wiki_of(site), read)


async def test_an_upload_is_looked_at_then_confirmed(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    heard: list[str] = []

    def hear(wiki_id: str) -> None:
        heard.append(wiki_id)

    site.host.contents.subscribe(hear)
    begun = await site.upload(ada, VAULT, "my <vault>.zip")
    assert begun.status == 303
    path = begun.headers["location"]
    page = await site.wait(ada, path)
    assert "What would be done" in page
    assert "my &lt;vault&gt;.zip" in page
    assert "-odd &lt;b&gt;.md" in page
    assert "<b>.md" not in page
    assert "Its path leaves the folder" in page
    assert "New" not in await pages_of(site)
    assert len(site.spooled()) == 1
    assert site.spooled()[0].stat().st_mode & 0o077 == 0
    assert not heard

    assert (await site.send(ada, "POST", f"{path}/confirm")).status == 303
    page = await site.wait(ada, path)
    assert "What was done" in page
    assert {"New", "odd <b>"} <= await pages_of(site)
    assert heard == [(await wiki_of(site)).id]
    await until(lambda: not site.spooled())
    await site.send(ada, "POST", f"{path}/confirm")  # a second click does nothing

    def last(content: Content) -> tuple[str, str]:
        commit = content.history("New", 1)[0]
        return commit.author, commit.email

    assert await site.host.contents.run(await wiki_of(site), last) == ("Ada Lovelace", "ada@users.wiki.test")


async def test_an_import_without_room_waits_for_it(site: Site) -> None:
    ada, wiki = await site.host.signed_in(site.host.ada), await wiki_of(site)
    quota = site.host.data.wiki(wiki.id).quota
    write_quota(quota, Quota(pages=1))
    path = (await site.upload(ada, VAULT)).headers["location"]
    page = await site.wait(ada, path)
    for _ in ("looked at", "tried"):
        assert "What would be done" in page
        assert "There is no room for this import" in page
        assert "and it may have 1: remove pages" in page
        assert (await site.send(ada, "GET", path)).status == 413
        await site.send(ada, "POST", f"{path}/confirm")
        page = await site.wait(ada, path)
        assert "New" not in await pages_of(site)
    write_quota(quota, Quota())
    await site.send(ada, "POST", f"{path}/confirm")
    assert "What was done" in await site.wait(ada, path)
    assert (await site.send(ada, "GET", path)).status == 200
    assert "New" in await pages_of(site)
    await until(lambda: not site.spooled())


async def test_only_who_may_write_imports(site: Site) -> None:
    eve = await site.host.signed_in(site.host.eve)
    stranger = Browser(site.host)
    for path in ("/app/wiki/notes/import", "/app/wiki/notes/import/0123456789abcdef"):
        assert (await site.send(stranger, "GET", path)).status == 303
        assert (await site.send(eve, "GET", path)).status == 404
    assert (await site.upload(stranger, VAULT)).status == 303
    assert (await site.upload(eve, VAULT)).status == 404
    await grant_role(site.host.db, site.host.eve, await wiki_of(site), Role.VIEWER)
    assert (await site.upload(eve, VAULT)).status == 403
    assert (await site.send(eve, "GET", "/app/wiki/notes/import")).status == 403
    assert "/notes/import" not in (await site.send(eve, "GET", "/app/wiki/notes")).text
    assert not site.spooled()


async def test_an_import_is_its_beginners_and_ends_with_their_role(site: Site) -> None:
    wiki = await wiki_of(site)
    await grant_role(site.host.db, site.host.eve, wiki, Role.EDITOR)
    ada, eve = await site.host.signed_in(site.host.ada), await site.host.signed_in(site.host.eve)
    path = (await site.upload(eve, VAULT)).headers["location"]
    await site.wait(eve, path)
    for method, other in (("GET", path), ("POST", f"{path}/confirm"), ("POST", f"{path}/drop")):
        assert (await site.send(ada, method, other)).status == 404
    await site.host.make_wiki("other", site.host.eve)
    assert (await site.send(eve, "POST", path.replace("notes", "other") + "/confirm")).status == 404
    await withdraw_role(site.host.db, site.host.eve, wiki)
    assert (await site.send(eve, "POST", f"{path}/confirm")).status == 404
    assert "New" not in await pages_of(site)


async def test_an_import_can_be_dropped(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    path = (await site.upload(ada, VAULT)).headers["location"]
    await site.wait(ada, path)
    assert (await site.send(ada, "POST", f"{path}/drop")).status == 303
    assert (await site.send(ada, "GET", path)).status == 404
    await until(lambda: not site.spooled())


async def test_forms_that_cannot_be_used(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    for fields, words in (
        ({"url": ""}, "Choose a file"),
        ({"url": "http://example.org/x.git"}, "begins with https://"),
        ({"url": "ext::sh -c id"}, "begins with https://"),
        ({"url": "https://example.org", "existing": "never"}, "answers that the form offers"),
    ):
        answer = await site.upload(ada, b"", "", 1, **fields)
        assert (answer.status, words in answer.text) == (400, True), words
    answer = await site.upload(ada, VAULT, url="https://example.org/x.git")
    assert "not both" in answer.text
    assert not site.spooled()


async def test_an_address_inside_is_refused_on_its_page(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    begun = await site.upload(ada, b"", "", url="https://127.0.0.1/notes.git")
    page = await site.wait(ada, begun.headers["location"])
    assert "not on the public internet" in page
    begun = await site.upload(ada, b"", "", url="https://[::1")
    assert "not an address that can be asked" in await site.wait(ada, begun.headers["location"])


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"PKnonsense", "not a zip"), (b"hello", "neither a zip"), (b"<mediawiki xmlns=x>", "MediaWiki")],
)
async def test_files_that_cannot_be_imported(site: Site, data: bytes, words: str) -> None:
    ada = await site.host.signed_in(site.host.ada)
    page = await site.wait(ada, (await site.upload(ada, data)).headers["location"])
    assert words in page
    await until(lambda: not site.spooled())


async def test_uploads_are_bounded_and_nothing_of_a_refused_one_stays(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    with pytest.raises(BodyTooLarge):
        await site.upload(ada, b"x" * (UPLOAD_BYTES + 1), "vault.zip", 40)
    with pytest.raises(BodyRefused, match="too long"):
        await site.upload(ada, VAULT, url="https://" + "x" * 5000)
    body, kind = multipart({}, "a.zip", VAULT)
    for cut in (body[:-8], body[: len(body) // 2], b"no form at all"):
        with pytest.raises(BodyRefused, match="cannot be read"):
            await site.send(ada, "POST", "/app/wiki/notes/import", cut, kind)
    many, kind = multipart({f"f{number}": "x" for number in range(20)}, "a.zip", VAULT)
    with pytest.raises(BodyRefused, match="cannot be read"):
        await site.send(ada, "POST", "/app/wiki/notes/import", many, kind)
    assert not site.spooled()


async def test_a_file_arrives_whole_however_it_is_cut(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    for pieces in (1, 7, 400):
        page = await site.wait(ada, (await site.upload(ada, VAULT, "vault.zip", pieces)).headers["location"])
        assert "What would be done" in page


async def begin(host: SmallHost, wiki: Wiki, user: User) -> Job:
    root = host.imports.new_root()
    root.mkdir(parents=True)
    (root / "upload").write_bytes(VAULT)
    return host.imports.begin(user, wiki, LocalFile(root / "upload", "vault.zip"), Choices(), root)


async def settled(job: Job) -> None:
    await until(lambda: not job.stage.is_busy)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what threads do, whatever the clock of the test says."""
    since = time.monotonic()
    while not is_so():
        assert time.monotonic() - since < PATIENCE_S
        await trio.to_thread.run_sync(time.sleep, 0.01)


async def test_a_fourth_import_takes_the_place_of_the_oldest(site: Site) -> None:
    wiki, begun = await wiki_of(site), []
    for _ in range(4):
        begun.append(await begin(site.host, wiki, site.host.ada))
        await settled(begun[-1])
    imports = site.host.imports
    assert [imports.find(site.host.ada, wiki, job.id) is not None for job in begun] == [False, True, True, True]


async def test_imports_at_work_are_counted(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")

    async def stuck(*arguments: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(jobs, "prepare", stuck)
    with pytest.raises(TooManyImports, match="starting"):
        await begin(host, wiki, host.ada)
    async with running(host.imports):
        found = [await begin(host, wiki, host.ada) for _ in range(3)]
        with pytest.raises(TooManyImports, match="three imports"):
            await begin(host, wiki, host.ada)
        await begin(host, wiki, host.eve)
        host.imports.drop(found[0])
        await begin(host, wiki, host.ada)
    assert all(job.stage is Stage.LOOKING for job in found)
    # The next run of the part knows that nobody works on them any more.
    async with running(host.imports):
        assert found[1].stage is Stage.FAILED
        assert "begin again" in found[1].problem


async def test_what_nobody_confirms_is_swept(host: SmallHost, mock_clock: trio.testing.MockClock) -> None:
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)
        assert job.stage is Stage.READY
        mock_clock.jump(jobs.KEPT_S - 1)
        await trio.testing.wait_all_tasks_blocked()
        assert host.imports.find(host.ada, wiki, job.id) is job
        mock_clock.jump(120)
        await until(lambda: not job.root.exists())
        assert host.imports.find(host.ada, wiki, job.id) is None


async def test_a_dropped_import_at_work_writes_nothing(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)

        def dropped_meanwhile(at: Job, done: int, total: int) -> None:
            trio.from_thread.run_sync(host.imports.drop, at)
            trio.from_thread.check_cancelled()

        monkeypatch.setattr(jobs, "_tell", dropped_meanwhile)
        host.imports.confirm(job)
        await until(lambda: not job.root.exists())

    def read(content: Content) -> set[str]:
        return {page.path for page in content.list_pages()}

    assert "New" not in await host.contents.run(wiki, read)


async def test_downloads(site: Site) -> None:
    ada, eve = await site.host.signed_in(site.host.ada), await site.host.signed_in(site.host.eve)
    for form in Form:
        path = f"/app/wiki/notes/export/{form}"
        assert (await site.send(eve, "GET", path)).status == 404
        answer = await site.send(ada, "GET", path)
        assert answer.status == 200
        assert answer.headers["content-disposition"].startswith('attachment; filename="notes-')
        assert answer.headers["x-content-type-options"] == "nosniff"
        if form is Form.BUNDLE:
            assert answer.body.startswith(b"# v2 git bundle\n")
        else:
            with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
                assert archive.testzip() is None
                assert ("Home.md" if form is Form.ZIP else "pages/Home.html") in archive.namelist()
    await grant_role(site.host.db, site.host.eve, await wiki_of(site), Role.VIEWER)
    assert (await site.send(eve, "GET", "/app/wiki/notes/export/zip")).status == 200
    assert (await site.send(eve, "GET", "/app/wiki/notes/export")).status == 200
    assert (await site.send(ada, "GET", "/app/wiki/notes/export/tar")).status == 404
    assert (await site.send(Browser(site.host), "GET", "/app/wiki/notes/export/zip")).status in (303, 404)
    assert not list(site.host.data.transfers.iterdir())


@pytest.mark.parametrize("form", [Form.ZIP, Form.BUNDLE])
async def test_an_export_ends_when_its_reader_leaves(site: Site, form: Form) -> None:
    """One that stalled in the middle has its turn taken from it, and nothing of it stays."""
    wiki, exports = await wiki_of(site), Exports(site.host.contents, site.host.data)
    app = Downloads(cast(App, None), db=site.host.db, sessions=site.host.sessions, exports=exports)
    ada = await site.host.signed_in(site.host.ada)
    cookies = "; ".join(f"{name}={value}" for name, value in ada.jars[PLATFORM].items())
    scope = {"method": "GET", "path": f"/app/wiki/notes/export/{form}", "headers": [(b"cookie", cookies.encode())]}
    stalled, sent = trio.Event(), []

    async def receive() -> Message:
        await stalled.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            stalled.set()
            await trio.sleep_forever()

    with trio.fail_after(PATIENCE_S):
        await app(scope, receive, send)
        assert len(sent) == 2
        whole: list[bytes] = []

        async def write(piece: bytes) -> None:
            whole.append(piece)

        for _ in range(MAX_EXPORTS + 1):
            await exports.stream(wiki, form, write)
    assert not list(site.host.data.transfers.glob("*"))


async def test_imports_that_are_over_stand_in_nobodys_way(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        done = [await begin(host, wiki, host.ada) for _ in range(2)]
        for job in done:
            await settled(job)
        with pytest.raises(TooManyImports, match="Many people"):
            await begin(host, wiki, host.eve)
        host.imports.confirm(done[0])
        await until(lambda: done[0].stage is Stage.DONE)
        await begin(host, wiki, host.eve)
    assert host.imports.find(host.ada, wiki, done[0].id) is None
    assert host.imports.find(host.ada, wiki, done[1].id) is not None


@pytest.mark.parametrize("when", ["before", "while"])
async def test_a_wiki_that_is_deleted_meanwhile_does_not_come_back(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    wiki = await host.make_wiki("notes")
    home = host.data.wiki(wiki.id)
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)
        if when == "before":
            await delete_hosted_wiki(host.db, host.data, wiki)
        else:
            monkeypatch.setattr(jobs, "_tell", lambda job, done, total: delete_wiki(home))
        host.imports.confirm(job)
        await settled(job)
    assert job.stage is Stage.FAILED
    assert "Something broke" not in job.problem
    assert not home.root.exists()
    assert not list(host.data.transfers.iterdir())


def test_labels_hold_no_secrets() -> None:
    assert label_of(RemoteRepository("https://user:secret@example.org/x.git?token=1")) == "example.org/x.git"
    assert label_of(LocalFile(Path("/tmp/upload"), "a\nb\u202e.zip")) == "a b .zip"
    assert label_of(RemoteRepository("https://[")) == "an address"
