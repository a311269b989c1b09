"""What an owner decides on the settings page: who may, what it changes, and that nothing typed is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from robot.access import grant_role
from robot.in_force import put_decisions_in_force
from robot.model import Role, Visibility, Wiki
from robot.quotas import set_quota
from robot.wikis import find_wiki, find_wiki_by_slug
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of
from wikihost.quota import MIB, Quota, how_full, read_quota
from wikihost.quota import Usage as Held

PLATFORM = ADDRESS.platform_origin
SETTINGS = "/app/wiki/notes/settings"
GUIDANCE = "One page a bird.\n\n  Latin names in *italics*.\nÄndere nichts unter `Archiv/`."
FORM = {
    "name": "New name",
    "description": "Now about birds.",
    "guidance": GUIDANCE,
    "visibility": "unlisted",
    "git": "on",
}


async def test_an_owner_changes_the_settings(host: SmallHost) -> None:
    made = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    page = await text_of(await ada.get(PLATFORM, SETTINGS))
    assert 'value="Notes"' in page
    assert "About things.</textarea>" in page
    saved, _ = await ada.follow(await ada.post(PLATFORM, SETTINGS, form=FORM), PLATFORM)
    page = await text_of(saved)
    assert "saved, and in force" in page
    assert 'value="New name"' in page
    wiki = find_wiki(host.db, made.id)
    assert wiki is not None
    assert (wiki.name, wiki.description, wiki.visibility) == ("New name", "Now about birds.", Visibility.UNLISTED)
    assert (wiki.git_enabled, wiki.slug, wiki.guidance) == (True, "notes", GUIDANCE)
    assert f"{GUIDANCE}</textarea>" in page
    await ada.post(PLATFORM, SETTINGS, form=FORM | {"visibility": "public"})
    assert "New name" in await text_of(await Browser(host).get(PLATFORM, "/"))


async def test_what_cannot_be_saved_is_shown_as_it_was_typed(host: SmallHost) -> None:
    made = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    bad = {"name": " ", "description": 'x" <b>' * 100, "guidance": "</textarea>" * 400, "visibility": "secret"}
    answer = await ada.post(PLATFORM, SETTINGS, form=bad)
    page = await text_of(answer)
    assert answer.status_code == 400
    assert page.count('class="problem"') == 4
    assert "&lt;/textarea&gt;" * 400 in page
    assert "x&#34; &lt;b&gt;" in page
    assert 'name="git" value="on">' in page
    assert "Nothing was saved yet" in page
    assert find_wiki_by_slug(host.db, "notes") == made


async def test_guidance_is_kept_in_lines_and_bounded(host: SmallHost) -> None:
    made = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for sent, kept in (
        ("\r\n  first \r\n\tsecond\r\n\r\n", "  first\n    second"),
        ("x" * 4_000, "x" * 4_000),
        (" \r\n ", ""),
    ):
        assert (await ada.post(PLATFORM, SETTINGS, form=FORM | {"guidance": sent})).status_code == 303
        wiki = find_wiki(host.db, made.id)
        assert wiki is not None
        assert wiki.guidance == kept
    for wrong in ("x" * 4_001, "a\x00b", "bidi \u202e"):
        answer = await ada.post(PLATFORM, SETTINGS, form=FORM | {"guidance": wrong})
        assert answer.status_code == 400
        assert "Guidance has at most 4,000" in await text_of(answer)


async def test_every_page_of_a_frozen_wiki_says_so(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    paths = [f"/app/wiki/notes{tab}" for tab in ("", "/agents", "/export", "/settings")]
    for is_frozen in (False, True):
        if is_frozen:
            await freeze(host, wiki)
        for path in paths:
            page = await text_of(await ada.get(PLATFORM, path))
            assert ("Read-only by the operator" in page) is is_frozen, path
            assert ("/app/wiki/notes/import" in page) is not is_frozen, path
    assert 'value="write"' not in await text_of(await ada.get(PLATFORM, "/app/wiki/notes/agents"))


async def freeze(host: SmallHost, wiki: Wiki) -> None:
    def update(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE wikis SET frozen_at = 1 WHERE id = ?", (wiki.id,))

    await host.db.write(update)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
async def test_settings_are_for_owners(host: SmallHost, role: Role) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, role)
    eve = await host.signed_in(host.eve)
    assert (await eve.get(PLATFORM, SETTINGS)).status_code == 403
    assert (await eve.post(PLATFORM, SETTINGS, form=FORM)).status_code == 403
    assert SETTINGS not in await text_of(await eve.get(PLATFORM, "/app/wiki/notes"))
    assert find_wiki_by_slug(host.db, "notes") == wiki
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    assert SETTINGS in await text_of(await eve.get(PLATFORM, "/app/wiki/notes"))
    assert (await eve.post(PLATFORM, SETTINGS, form=FORM)).status_code == 303


async def test_nobody_changes_settings_signed_out(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    for method in ("GET", "POST"):
        answer = await Browser(host).visit(method, PLATFORM, SETTINGS, form=FORM if method == "POST" else None)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/auth/login")
    assert find_wiki_by_slug(host.db, "notes") == wiki


async def test_the_clone_line_is_there_while_git_is_on(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    line = "git clone https://notes.wiki.test/.git notes"
    for git in ("on", ""):
        await ada.post(PLATFORM, SETTINGS, form={name: FORM[name] for name in FORM if git or name != "git"})
        for path in ("/app/wiki/notes", "/app/wiki/notes/agents"):
            assert (line in await text_of(await ada.get(PLATFORM, path))) is bool(git), path


async def hold(host: SmallHost, wiki: Wiki, pages: int, mebibytes: int) -> str:
    """The overview, when the wiki may hold so much."""
    await set_quota(host.db, host.data, wiki, Quota(), pages=pages, size_bytes=mebibytes * MIB)
    return await text_of(await (await host.signed_in(host.ada)).get(PLATFORM, "/app/wiki/notes"))


async def test_people_see_how_much_room_there_is(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    page = await hold(host, wiki, 1_000, 2)
    assert 'aria-label="Pages: 4 of 1,000"' in page
    assert "of 2.0 MiB" in page
    assert "full" not in page
    assert '<b class="bad">full</b>' in await hold(host, wiki, 4, 2)
    assert "over quota" in await hold(host, wiki, 3, 2)
    assert page.count("<meter") == 2
    assert '<b class="bad">over quota</b>' in await hold(host, wiki, 0, 0)


def test_how_full_a_wiki_is_in_words() -> None:
    quota = Quota(100, 1_000)
    for held, words in (
        (Held(89, 899), ""), (Held(90, 0), "nearly full"), (Held(0, 900), "nearly full"), (Held(100, 0), "full"),
        (Held(0, 1_000), "full"), (Held(101, 0), "over quota"), (Held(100, 1_001), "over quota"),
    ):  # fmt: skip
        assert how_full(held, quota) == words
    assert how_full(Held(0, 0), Quota(0, 0)) == "full"


async def test_a_quota_is_granted_taken_back_and_follows_the_hosts_default(host: SmallHost) -> None:
    notes, other = await host.make_wiki("notes"), await host.make_wiki("other")
    place = host.data.wiki(notes.id).quota
    changed = await set_quota(host.db, host.data, notes, Quota(), pages=7, size_bytes=None)
    assert find_wiki(host.db, notes.id) == changed
    assert read_quota(place) == Quota(7, Quota().size_bytes)
    lower = Quota(50, 60)
    await put_decisions_in_force(host.db, host.data, lower)
    assert read_quota(place) == Quota(7, 60)
    assert read_quota(host.data.wiki(other.id).quota) == lower
    await set_quota(host.db, host.data, changed, lower, pages=None, size_bytes=None)
    assert read_quota(place) == lower


async def test_the_start_mends_a_quota_that_cannot_be_read_and_goes_on_after_what_it_cannot(host: SmallHost) -> None:
    broken, gone, last = [await host.make_wiki(slug) for slug in ("aaa", "bbb", "ccc")]
    host.data.wiki(broken.id).quota.write_bytes(b"{")
    host.data.wiki(gone.id).root.rename(Path(f"{host.data.wiki(gone.id).root}-away"))
    host.data.wiki(last.id).quota.unlink()  # from before there were quotas
    await put_decisions_in_force(host.db, host.data, Quota(9, 9))
    assert read_quota(host.data.wiki(broken.id).quota) == read_quota(host.data.wiki(last.id).quota) == Quota(9, 9)
