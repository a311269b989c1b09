"""The platform as the front sees it, with uploads and downloads before it, and imports that are running."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from proxy.asgi import App, Message
from robot.account_export import AccountExports
from robot.exports import Exports
from robot.imports.jobs import Imports, Job
from robot.imports.sources import LocalFile
from robot.model import User, Wiki
from robot.web.downloads import Downloads
from robot.web.uploads import Uploads
from robot.wikis import find_wiki_by_slug
from tests.robot.small_host import ADDRESS, UPLOAD_BYTES, Browser, SmallHost
from wikihost.content import Content
from wikihost.imports.values import Choices

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
        self,
        user: Browser,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        pieces: int = 1,
        *,
        fetch: Mapping[str, str] | None = None,
    ) -> Answer:
        """`fetch` are what a browser says of where the request comes from (`Sec-Fetch-…`)."""
        cookies = "; ".join(f"{name}={value}" for name, value in user.jars.get(PLATFORM, {}).items())
        headers = [(b"host", b"wiki.test"), (b"cookie", cookies.encode())]
        headers += [(f"sec-fetch-{name}".encode(), value.encode()) for name, value in (fetch or {}).items()]
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


@asynccontextmanager
async def open_site(host: SmallHost) -> AsyncIterator[Site]:
    await host.make_wiki("notes")
    uploads = Uploads(
        cast(App, host.platform), db=host.db, sessions=host.sessions, imports=host.imports, max_bytes=UPLOAD_BYTES
    )
    exports = Exports(host.contents, host.data)
    accounts = AccountExports(host.db, ADDRESS, exports)
    app = Downloads(uploads, db=host.db, sessions=host.sessions, exports=exports, accounts=accounts, limits=host.limits)
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
