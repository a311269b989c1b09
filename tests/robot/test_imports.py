"""Imports that are begun in the dashboard: who may, what is kept, what is shown, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.guard import BodyRefused, BodyTooLarge
from robot.access import grant_role
from robot.imports.sources import LocalFile, RemoteRepository, label_of
from robot.model import Role
from tests.robot.import_site import VAULT, Site, multipart, pages_of, until, wiki_of
from tests.robot.small_host import UPLOAD_BYTES, Browser, withdraw_role
from wikihost.content import Content
from wikihost.quota import Quota, write_quota


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


def test_labels_hold_no_secrets() -> None:
    assert label_of(RemoteRepository("https://user:secret@example.org/x.git?token=1")) == "example.org/x.git"
    assert label_of(LocalFile(Path("/tmp/upload"), "a\nb\u202e.zip")) == "a b .zip"
    assert label_of(RemoteRepository("https://[")) == "an address"
