"""A person's own data as one zip."""

from __future__ import annotations

import io
import json
import zipfile

from robot.access import grant_role
from robot.account_export import AccountExports
from robot.accounts import change_display_name
from robot.audit import OPERATOR
from robot.exports import Exports
from robot.model import Role, Scope
from robot.signin.identities import link_identity
from robot.signin.providers import Identity
from robot.standing import suspend
from robot.tokens import create_token
from tests.robot.import_site import Site, wiki_of
from tests.robot.small_host import ADDRESS, Browser
from wikihost.content import Content
from wikihost.values import Author

EXPORT = "/app/account/export"
AUTHOR = Author("Ada", "ada@users.wiki.test")


async def test_my_data_is_one_zip_with_the_wikis_that_i_own_and_no_secret(site: Site) -> None:
    host, notes = site.host, await wiki_of(site)
    hers = await host.make_wiki("hers", host.eve)
    await grant_role(host.db, host.ada, hers, Role.EDITOR)
    secret, _ = await create_token(host.db, host.ada, notes, "Laptop", [Scope.WRITE])
    await link_identity(host.db, host.ada, Identity("atproto", "did:plc:abc", "ada.example", "Ada"))
    await change_display_name(host.db, host.ada, "Ada Byron")
    ada = await host.signed_in(host.ada)
    answer = await site.send(ada, "GET", EXPORT)
    assert answer.headers["content-disposition"].startswith('attachment; filename="ada-')
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        texts = {name: archive.read(name) for name in archive.namelist()}
    told = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    with zipfile.ZipFile(io.BytesIO(texts.pop("wikis/notes.zip"))) as archive:
        assert archive.testzip() is None
        assert "Home.md" in archive.namelist()
    assert set(texts) == {"README.txt", *told}  # nothing of the wiki of others
    assert told["account.json"]["user_name"] == "ada"
    assert [one["id"] for one in told["identities.json"]] == ["did:plc:abc"]
    assert len(told["sessions.json"]) == 1
    assert [(one["name"], one["wiki"]) for one in told["agents.json"]] == [("Laptop", "notes")]
    assert [(one["address"], one["role"]) for one in told["roles.json"]] == [
        ("https://hers.wiki.test", "editor"), ("https://notes.wiki.test", "owner"),
    ]  # fmt: skip
    assert ("display_name_changed", "Ada Byron") in [(one["what"], one["target"]) for one in told["deeds.json"]]
    cookies = ada.jars[ADDRESS.platform_origin].values()
    assert not [one for one in (secret, *cookies) if one.encode() in b"".join(texts.values())]


async def test_a_wiki_that_cannot_be_read_is_named_and_spoils_nothing_else(site: Site) -> None:
    host, notes = site.host, await wiki_of(site)
    await host.make_wiki("another")
    (host.data.wiki(notes.id).git_dir / "HEAD").write_text("garbage")
    host.contents.close_all()
    answer = await site.send(await host.signed_in(host.ada), "GET", EXPORT)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert "notes" in archive.read("problems.txt").decode()
        with zipfile.ZipFile(io.BytesIO(archive.read("wikis/another.zip"))) as inner:
            assert inner.testzip() is None


async def test_only_the_person_gets_it(site: Site) -> None:
    answer = await site.send(Browser(site.host), "GET", EXPORT)
    assert (answer.status, answer.headers["location"]) == (303, "/auth/login?next=%2Fapp%2Faccount%2Fexport")
    ada = await site.host.signed_in(site.host.ada)
    await suspend(site.host.db, site.host.ada, "", by=OPERATOR)
    assert (await site.send(ada, "GET", EXPORT)).status == 403


async def test_no_piece_is_large_however_large_the_wiki_is(site: Site) -> None:
    host, notes = site.host, await wiki_of(site)
    data = bytes(range(256)) * 8_192  # 2 MiB, and packed already by the names

    def attach(content: Content) -> None:
        for number in range(4):
            content.write_attachment("Home", f"{number}.zip", data, author=AUTHOR)

    await host.contents.change(notes, attach)
    sizes: list[int] = []

    async def write(piece: bytes) -> None:
        sizes.append(len(piece))

    await AccountExports(host.db, ADDRESS, Exports(host.contents, host.data)).stream(host.ada, write)
    assert sum(sizes) > 8 * 2**20
    assert max(sizes) < 2**20
