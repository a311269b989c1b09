"""Deleting a wiki in the browser, having it back, and deleting it for good."""

from __future__ import annotations

import re

import pytest

from robot.access import grant_role
from robot.deletion import deleted_wikis_of
from robot.model import Role, Scope
from robot.tokens import create_token
from robot.wikis import find_wiki_by_slug
from tests.robot.front_host import front_host
from tests.robot.small_host import ADDRESS, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
DELETE = "/app/wiki/notes/delete"


async def test_a_wiki_is_deleted_by_its_address_and_comes_back(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for page in ("settings", "export"):
        assert DELETE in await text_of(await ada.get(PLATFORM, f"/app/wiki/notes/{page}"))
    assert "For 30 days" in await text_of(await ada.get(PLATFORM, DELETE))
    wrong = await ada.post(PLATFORM, DELETE, form={"slug": "<note>"})
    assert wrong.status_code == 400
    assert 'value="&lt;note&gt;"' in await text_of(wrong)
    gone, _ = await ada.follow(await ada.post(PLATFORM, DELETE, form={"slug": " notes "}), PLATFORM)
    page = await text_of(gone)
    assert "Nobody reaches the wiki any more" in page
    assert f"/app/deleted/{wiki.id}/undelete" in page
    assert "You have no wiki now" in page
    for path in ("/app/wiki/notes", DELETE):
        assert (await ada.get(PLATFORM, path)).status_code == 404
    assert (await ada.post(PLATFORM, DELETE, form={"slug": "notes"})).status_code == 404  # pressed twice
    back, _ = await ada.follow(await ada.post(PLATFORM, f"/app/deleted/{wiki.id}/undelete"), PLATFORM)
    assert "The wiki is back" in await text_of(back)
    assert (await ada.post(PLATFORM, f"/app/deleted/{wiki.id}/undelete")).status_code == 404


async def test_a_deleted_wiki_is_nobody_elses_and_goes_for_good(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    assert (await eve.post(PLATFORM, DELETE, form={"slug": "notes"})).status_code == 403
    await ada.post(PLATFORM, DELETE, form={"slug": "notes"})
    place = f"/app/deleted/{wiki.id}"
    assert "deleted" not in (await text_of(await eve.get(PLATFORM, "/app/"))).lower()
    assert (await eve.get(PLATFORM, place)).status_code == 404
    for deed in ("undelete", "purge"):
        assert (await eve.post(PLATFORM, f"{place}/{deed}", form={"slug": "notes"})).status_code == 404
    assert "Delete for good" in await text_of(await ada.get(PLATFORM, place))
    assert (await ada.post(PLATFORM, f"{place}/purge", form={"slug": "other"})).status_code == 400
    assert host.data.wiki(wiki.id).root.exists()
    done, _ = await ada.follow(await ada.post(PLATFORM, f"{place}/purge", form={"slug": "notes"}), PLATFORM)
    assert "Deleted for good" in await text_of(done)
    assert not host.data.wiki(wiki.id).root.exists()
    assert deleted_wikis_of(host.db, host.ada) == []


@pytest.mark.parametrize("public", [False, True])
async def test_a_deleted_wiki_looks_like_one_that_never_was(host: SmallHost, public: bool) -> None:
    """At the front, with every credential that opened it; and opens again with the same after it came back."""
    wiki = await host.make_wiki("notes")
    if public:
        await host.db.write(lambda connection: connection.execute("UPDATE wikis SET visibility = 'public'"))
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE])
    origin, nowhere = ADDRESS.wiki_origin("notes"), ADDRESS.wiki_origin("nothing")
    ada = await host.signed_in(host.ada)
    async with front_host(host) as front:

        async def answers(at: str) -> list[tuple[int, str]]:
            found = []
            for token in (None, secret):
                async with front.client(at, token) as client:
                    for path in ("/api/v1/pages/Home", "/auth/start", "/mcp"):
                        answer = await client.get(path)
                        text = answer.text + answer.headers.get("location", "")
                        text = re.sub(r"[0-9a-f]{64}", "", text)  # each hand-off has a challenge of its own
                        found.append((answer.status_code, text.replace("nothing", "notes")))
            return found

        before = await answers(origin)
        assert before[3][0] == 200
        await ada.post(PLATFORM, DELETE, form={"slug": "notes"})
        assert find_wiki_by_slug(host.db, "notes") is None
        assert await answers(origin) == await answers(nowhere)
        await ada.post(PLATFORM, f"/app/deleted/{wiki.id}/undelete")
        assert [status for status, _ in await answers(origin)] == [status for status, _ in before]
