"""A wiki as a download: for whom, in which forms, and what becomes of one that nobody reads to its end."""

from __future__ import annotations

import io
import zipfile
from typing import cast

import pytest
import trio
import trio.testing

from proxy.asgi import App, Message
from robot.access import grant_role
from robot.account_export import AccountExports
from robot.audit import OPERATOR, list_deeds
from robot.exports import MAX_EXPORTS, Exports, Form
from robot.limits import Limited
from robot.model import Role
from robot.standing import suspend
from robot.web.downloads import Downloads
from tests.robot.import_site import PATIENCE_S, PLATFORM, Site, wiki_of
from tests.robot.small_host import ADDRESS, Browser


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
    accounts = AccountExports(site.host.db, ADDRESS, exports)
    app = Downloads(
        cast(App, None),
        db=site.host.db,
        sessions=site.host.sessions,
        exports=exports,
        accounts=accounts,
        limits=site.host.limits,
    )
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


async def test_exports_are_asked_for_by_people_and_not_without_end(site: Site) -> None:
    host, ada = site.host, await site.host.signed_in(site.host.ada)
    for path, instead in (("/app/wiki/notes/export/zip", "/app/wiki/notes/export"), ("/app/account/export", None)):
        picture = await site.send(ada, "GET", path, fetch={"site": "same-site", "dest": "image"})
        assert picture.status == 303, "as a wiki's page could have it"
        assert instead in (None, picture.headers["location"])
        assert (await site.send(ada, "GET", path, fetch={"site": "cross-site", "user": "?1"})).status == 200, "a link"
        assert (await site.send(ada, "GET", path, fetch={"site": "same-origin", "dest": "document"})).status == 200
    while not host.limits.take(Limited.EXPORT, host.ada.id):
        pass
    noted = len(await list_deeds(host.db, host.ada))
    refused = await site.send(ada, "GET", "/app/account/export")
    assert (refused.status, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert len(await list_deeds(host.db, host.ada)) == noted


async def test_who_is_kept_out_is_told_so(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    await suspend(site.host.db, site.host.ada, "Ask me.", by=OPERATOR)
    answer = await site.send(ada, "GET", "/app/wiki/notes/export/zip")
    assert (answer.status, "Ask me." in answer.text) == (403, True)
