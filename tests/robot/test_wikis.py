from __future__ import annotations

import sys
import textwrap

import pytest
import trio

from robot.access import grant_role
from robot.hosting import ABANDONED_AFTER_S, create_hosted_wiki, finish_interrupted
from robot.model import Role, Scope, User, Visibility, Wiki
from robot.ownership import TooManyWikis
from robot.tokens import create_token, verify_token
from robot.wikis import (
    FREED_SLUG_REST_S,
    InvalidWiki,
    check_slug,
    find_slug_objection,
    find_wiki,
    find_wiki_by_slug,
    list_public_wikis,
    list_wikis,
    wikis_of,
)
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost, end_for_good
from wikihost.quota import Quota


@pytest.mark.parametrize("slug", ["abc", "a1-b2", "0ab", "a" * 30, "xn-a", "modern", "wikis", "helper", "my-admin"])
def test_fit_addresses(slug: str) -> None:
    assert check_slug(slug) == slug


# fmt: off
RESERVED = [
    "admin", "api", "app", "assets", "auth", "billing", "blog", "dev", "docs", "ftp", "git", "help", "imap", "mail",
    "mcp", "ns1", "ns2", "null", "oauth", "pop", "smtp", "ssh", "static", "status", "support", "undefined", "user",
    "vpn", "wiki", "www",
]
ALIKE = ["adm1n", "admln", "adrnin", "he1p", "0auth", "vvww", "w-w-w", "rnail", "wi-k1"]
# fmt: on


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "a",
        "ab",
        "a" * 31,
        "-ab",
        "ab-",
        "Abc",
        "a_c",
        "_abc",
        "a.c",
        "äbc",
        "abc\n",
        "xn--abc",
        "ns",
        *RESERVED,
        *ALIKE,
    ],
)
def test_unfit_addresses(slug: str) -> None:
    with pytest.raises(InvalidWiki) as caught:
        check_slug(slug)
    assert caught.value.field == "slug"


async def test_a_new_wiki_is_a_row_a_role_and_a_repository_with_pages(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    assert find_wiki(host.db, wiki.id) == wiki == find_wiki_by_slug(host.db, "notes")
    assert "notes" not in wiki.id
    assert wikis_of(host.db, host.ada) == [(wiki, Role.OWNER)]
    assert wikis_of(host.db, host.eve) == []
    git_log = ["git", "-C", str(host.data.wiki(wiki.id).repo), "log", "--format=%an <%ae>"]
    log = await trio.run_process(git_log, capture_stdout=True)
    assert log.stdout == b"Ada Lovelace <ada@users.wiki.test>\n"
    home = await host.contents.run(wiki, lambda content: content.read_page("Home"))
    assert "Notes" in home.text


async def test_lists(host: SmallHost) -> None:
    public = await host.make_wiki("bbb", visibility=Visibility.PUBLIC)
    private = await host.make_wiki("aaa")
    unlisted = await host.make_wiki("ccc", visibility=Visibility.UNLISTED)
    assert await list_wikis(host.db) == [private, public, unlisted]
    assert await list_public_wikis(host.db) == [public]


async def test_a_taken_address_is_refused_and_nothing_is_left(host: SmallHost) -> None:
    await host.make_wiki("notes")
    with pytest.raises(InvalidWiki, match="taken"):
        await host.make_wiki("notes", host.eve)
    assert len(list(host.data.wikis.iterdir())) == 1


async def test_of_two_who_want_an_address_at_once_one_has_it(host: SmallHost) -> None:
    refused = []

    async def make(owner: User) -> None:
        try:
            await host.make_wiki("notes", owner)
        except InvalidWiki as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(make, host.ada)
        nursery.start_soon(make, host.eve)
    assert refused == ["The address notes is taken."]
    assert len(await list_wikis(host.db)) == len(list(host.data.wikis.iterdir())) == 1


async def test_the_limit_counts_owned_wikis_only(host: SmallHost) -> None:
    async def make(owner: User, slug: str) -> Wiki:
        return await create_hosted_wiki(
            host.db,
            host.data,
            owner,
            slug=slug,
            name="N",
            description="",
            visibility=Visibility.PRIVATE,
            domain=ADDRESS.domain,
            quota=Quota(),
            limit=1,
        )

    wiki = await make(host.ada, "one")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    await make(host.eve, "two")
    with pytest.raises(TooManyWikis, match="You own 1 wikis, and this host allows 1"):
        await make(host.eve, "three")


async def test_a_deleted_wiki_is_gone_with_its_tokens_and_its_address_rests(host: SmallHost) -> None:
    old = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, old, "t", [Scope.WRITE])
    clock = FakeClock()
    await end_for_good(host, old, clock=clock)
    assert find_wiki_by_slug(host.db, "notes") is None
    assert find_wiki(host.db, old.id) is None
    assert verify_token(host.db, secret, old.id) is None
    assert not host.data.wiki(old.id).root.exists()

    assert "rests for 30 days" in (find_slug_objection(host.db, "notes", host.eve, clock=clock) or "")
    assert find_slug_objection(host.db, "notes", host.ada, clock=clock) is None
    clock.now += FREED_SLUG_REST_S + 1
    assert find_slug_objection(host.db, "notes", host.eve, clock=clock) is None


async def test_an_address_given_again_shows_nothing_of_the_old_wiki(host: SmallHost) -> None:
    old = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, old, "t", [Scope.WRITE])
    await end_for_good(host, old)
    new = await host.make_wiki("notes")
    assert new.id != old.id
    assert verify_token(host.db, secret, new.id) is None
    assert host.data.wiki(new.id).root != host.data.wiki(old.id).root


async def test_a_disk_that_refuses_leaves_no_trace(host: SmallHost) -> None:
    host.data.wikis.parent.mkdir(exist_ok=True)
    host.data.wikis.write_text("a file where the directory should be")
    with pytest.raises(Exception, match=r".") as caught:
        await host.make_wiki("notes")
    assert "storage" in getattr(caught.value, "code", "")
    assert host.db.all("SELECT * FROM wikis") == []
    host.data.wikis.unlink()
    await host.make_wiki("notes")


KILLED = """
    import os, signal, sys, trio
    from pathlib import Path
    from robot import deletion, hosting
    from robot.accounts import find_user_by_name
    from robot.audit import ROBOT
    from robot.db import Database
    from robot.model import Visibility
    from robot.wikis import find_wiki_by_slug
    from wikihost.layout import DataDir
    from wikihost.quota import Quota
    root, fatal = Path(sys.argv[1]), sys.argv[2]
    real = getattr(hosting, fatal)
    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(hosting, fatal, die)
    async def main():
        data = DataDir(root)
        db = Database.open(data.robot_db)
        if fatal == "_forget":
            victim = find_wiki_by_slug(db, "victim")
            await deletion.delete_wiki_for_now(db, victim, ROBOT)
            await deletion.purge_wiki(db, data, victim.id, ROBOT)
        await hosting.create_hosted_wiki(
            db, data, find_user_by_name(db, "ada"), slug="fresh", name="Fresh", description="",
            visibility=Visibility.PUBLIC, domain="wiki.test", quota=Quota(),
        )
    trio.run(main)
"""


@pytest.mark.parametrize("fatal", ["create_wiki", "_set_ready", "_forget"])
async def test_killed_halfway_nothing_is_visible_and_the_start_cleans_up(host: SmallHost, fatal: str) -> None:
    await host.make_wiki("victim")
    program = textwrap.dedent(KILLED)
    command = [sys.executable, "-c", program, str(host.data.root), fatal]
    killed = await trio.run_process(command, check=False, capture_stderr=True)
    assert killed.returncode == -9, killed.stderr
    visible = {wiki.slug for wiki in await list_wikis(host.db)}
    assert visible == (set() if fatal == "_forget" else {"victim"})
    assert find_wiki_by_slug(host.db, "fresh") is None

    later = FakeClock()  # far enough for the abandoned row to count as abandoned
    assert len(await finish_interrupted(host.db, host.data, clock=later)) == 1
    assert len(host.db.all("SELECT id FROM wikis")) == len(visible)
    assert {path.name for path in host.data.wikis.iterdir()} == {wiki.id for wiki in await list_wikis(host.db)}
    await host.make_wiki("fresh")


async def test_an_abandoned_creation_keeps_its_address_for_minutes_only(host: SmallHost) -> None:
    """Also when no start comes by that would clean it up."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(host.data.root), "_set_ready"]
    assert (await trio.run_process(command, check=False, capture_stderr=True)).returncode == -9
    with pytest.raises(InvalidWiki, match="taken"):
        await host.make_wiki("fresh")
    age = "UPDATE wikis SET created_at = created_at - ? WHERE slug = 'fresh'"
    await host.db.write(lambda connection: connection.execute(age, (ABANDONED_AFTER_S + 1,)))
    made = await host.make_wiki("fresh")
    assert await finish_interrupted(host.db, host.data) != []
    assert {path.name for path in host.data.wikis.iterdir()} == {made.id}
