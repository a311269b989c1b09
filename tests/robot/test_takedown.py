"""A wiki that the operator took down: gone for everybody, told to those who had it, kept sealed, and there again."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pyrage
import pytest
import trio
from click.testing import CliRunner, Result

from robot import sealed_copies
from robot.access import drop_role, grant_role, may_write_still
from robot.accounts import create_user
from robot.audit import OPERATOR
from robot.backup.sealing import unseal
from robot.cli import cli
from robot.deletion import (
    UNDELETE_S,
    delete_wiki_for_now,
    deleted_wikis_of,
    list_deleted_wikis,
    purge_wiki,
    undelete_wiki,
)
from robot.leaving import ask_to_leave, wikis_owned_alone
from robot.model import Role, Scope, Visibility, Wiki
from robot.sealed_copies import About, NotSealed, SealedCopies
from robot.standing import set_operator
from robot.takedown import Clearance, TakedownRefused, find_taken_down_at, put_up, take_down
from robot.tokens import create_token, verify_token
from robot.wikis import find_wiki, find_wiki_by_domain, list_kept_wikis, list_public_wikis, list_wikis, wikis_of
from tests.robot.front_host import front_host
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
WHY = "Somebody <else> holds the rights."
PASSPHRASE = "correct horse battery staple"
ROBOT = Path(__file__).parents[2] / "robot"


async def down(host: SmallHost, wiki: Wiki) -> Wiki:
    await take_down(host.db, wiki, WHY)
    found = find_taken_down_at(host.db, wiki.slug)
    assert found is not None
    return found


@pytest.fixture
async def eve(host: SmallHost) -> Browser:
    """An operator's browser."""
    await set_operator(host.db, host.eve, is_operator=True, by=OPERATOR)
    return await host.signed_in(host.eve)


def test_whoever_looks_a_wiki_up_asks_whether_it_is_in_service() -> None:
    """By the one condition, which stands in one place; others are about making, ending, counting and copying."""
    python = [path for path in ROBOT.rglob("*.py") if path.parent.name != "backup"]
    asks_by_itself = {path.name for path in python if "state = 'ready'" in path.read_text("utf-8")}
    assert asks_by_itself == {"wikis.py", "census.py", "deletion.py", "hosting.py"}


async def test_it_is_gone_for_every_question_and_comes_back_as_it_was(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await host.give_domain(wiki, "notes.example.org")
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE])

    async def found() -> list[bool]:
        return [
            find_wiki(host.db, wiki.id) is not None,
            find_wiki_by_domain(host.db, "notes.example.org") is not None,
            wikis_of(host.db, host.ada) != [],
            await list_wikis(host.db) != [],
            await list_public_wikis(host.db) != [],
            verify_token(host.db, secret, wiki.id) is not None,
            may_write_still(host.db, host.ada, wiki),
        ]

    assert set(await found()) == {True}
    taken_down = await down(host, wiki)
    assert set(await found()) == {False}
    assert [one.id for one in await list_kept_wikis(host.db)] == [wiki.id]
    await put_up(host.db, taken_down)
    assert set(await found()) == {True}
    rows = host.db.all("SELECT action, target, detail FROM audit WHERE actor_kind = 'operator' ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("wiki_taken_down", "Notes", WHY),
        ("wiki_put_up", "Notes", ""),
    ]


async def test_a_stranger_finds_what_is_where_no_wiki_is(host: SmallHost) -> None:
    """Whatever credential opened it, at the front, though anybody could read it."""
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE])
    origin, nowhere = ADDRESS.wiki_origin("notes"), ADDRESS.wiki_origin("nothing")
    await down(host, wiki)
    async with front_host(host) as front:

        async def answers(at: str) -> list[tuple[int, str]]:
            found = []
            for token in (None, secret):
                async with front.client(at, token) as client:
                    for path in ("/api/v1/pages/Home", "/auth/start", "/mcp", "/Home", "/llms.txt", "/robots.txt"):
                        answer = await client.get(path)
                        text = answer.text + answer.headers.get("location", "")
                        found.append((answer.status_code, re.sub(r"notes|nothing|[0-9a-f]{16,}", "", text)))
            return found

        assert await answers(origin) == await answers(nowhere)


async def test_whoever_has_a_role_is_told_and_strangers_are_not(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    reader = await create_user(host.db, "grace", "Grace Hopper")
    await grant_role(host.db, reader, wiki, Role.VIEWER)
    await down(host, wiki)
    handoff = f"/auth/handoff?wiki=notes&next=/&challenge={'a' * 64}"
    for person in (host.ada, reader):
        browser = await host.signed_in(person)
        for path in ("/app/wiki/notes", "/app/wiki/notes/settings", "/app/wiki/notes/export", handoff):
            answer = await browser.get(PLATFORM, path)
            page = await text_of(answer)
            assert answer.status_code == 403, path
            assert "Somebody &lt;else&gt; holds the rights." in page
            assert "write to the operator" in page
        assert "Taken down by the operator" in await text_of(await browser.get(PLATFORM, "/app/"))
    eve = await host.signed_in(host.eve)
    for path in ("/app/wiki/notes", handoff):
        here = await eve.get(PLATFORM, path)
        nowhere = await eve.get(PLATFORM, path.replace("notes", "nothing"))
        assert here.status_code == nowhere.status_code == 404
        assert await text_of(here) == await text_of(nowhere)


async def test_an_owner_neither_ends_it_nor_has_it_back(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await delete_wiki_for_now(host.db, wiki, OPERATOR)
    await down(host, wiki)  # also one that its owner has just deleted
    assert deleted_wikis_of(host.db, host.ada) == []
    assert await undelete_wiki(host.db, wiki.id, OPERATOR, owner=host.ada) is None
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, owner=host.ada) is None
    assert await undelete_wiki(host.db, wiki.id, OPERATOR) is not None
    assert find_wiki(host.db, wiki.id) is None
    assert not await delete_wiki_for_now(host.db, wiki, OPERATOR, owner=host.ada)
    # And it keeps nobody here.
    assert wikis_owned_alone(host.db, host.ada) == []
    await set_operator(host.db, host.eve, is_operator=True, by=OPERATOR)
    await ask_to_leave(host.db, host.ada)


async def test_what_its_owner_had_deleted_stays_until_the_operator_ends_it(host: SmallHost) -> None:
    """Else whoever expects to be taken down would only have to delete it, and wait."""
    wiki = await host.make_wiki("notes")
    await delete_wiki_for_now(host.db, wiki, OPERATOR)
    await down(host, wiki)
    due = time.time() + 2 * UNDELETE_S
    assert await list_deleted_wikis(host.db, due=due) == []
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, due=due) is None
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR) is not None


async def test_what_nobody_owns_any_more_stays_down(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    taken_down = await down(host, wiki)
    await host.db.write(lambda connection: drop_role(connection, host.ada.id, wiki.id))
    with pytest.raises(TakedownRefused, match="Nobody owns"):
        await put_up(host.db, taken_down)


async def test_its_worker_is_let_go_whoever_took_it_down(host: SmallHost) -> None:
    kept, wiki, gone = [], await host.make_wiki("notes"), await host.make_wiki("gone")

    async def let_go(wiki_id: str) -> None:
        kept.append(wiki_id)

    clearance = Clearance(host.db, lambda: [wiki.id, gone.id], let_go)
    await clearance.look()
    assert kept == []
    await down(host, wiki)
    await delete_wiki_for_now(host.db, gone, OPERATOR)
    await clearance.look()
    assert kept == [wiki.id, gone.id]


async def test_an_operator_takes_a_wiki_down_and_ends_it(
    host: SmallHost, eve: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_copies, "seal", lambda key, passphrase: key)  # takes a second, on purpose
    wiki = await host.make_wiki("notes")
    place, root = f"/app/admin/wikis/{wiki.id}", host.data.wiki(wiki.id).root

    async def press(deed: str, **form: str) -> tuple[int, str]:
        answer = await eve.post(PLATFORM, f"{place}/{deed}", form=form)
        if answer.status_code == 303:
            answer = await eve.get(PLATFORM, answer.headers["Location"])
            return 303, await text_of(answer)
        return answer.status_code, await text_of(answer)

    status, page = await press("purge", slug="notes")
    assert (status, "Take it down first" in page) == (409, True)
    for why, said in (("", "Say why"), ("x" * 301, "at most 300")):
        status, page = await press("take-down", why=why)
        assert (status, said in page) == (400, True)
    assert find_wiki(host.db, wiki.id) is not None
    status, page = await press("take-down", why=WHY)  # there is no passphrase: it is down all the same
    assert (status, "No sealed copy was kept" in page) == (409, True)
    assert find_wiki(host.db, wiki.id) is None
    (host.data.root / "passphrase").write_text(PASSPHRASE)
    status, page = await press("seal")
    assert (status, "A sealed copy of it is kept" in page) == (303, True)
    assert re.search(rf"notes-{wiki.id}-\d+T\d+Z", page)
    assert "taken down" in await text_of(await eve.get(PLATFORM, "/app/admin/wikis?only=taken-down"))
    status, page = await press("put-up")
    assert (status, "there again" in page) == (303, True)
    await take_down(host.db, wiki, WHY)
    status, page = await press("purge", slug="other")
    assert (status, "Type notes" in page, root.exists()) == (400, True, True)
    status, page = await press("purge", slug="notes")
    assert (status, "deleted for good" in page, root.exists()) == (303, True, False)
    assert host.db.all("SELECT 1 FROM wikis") == []
    rows = host.db.all("SELECT action FROM audit WHERE actor_name = 'Eve' AND actor_kind = 'operator' ORDER BY id")
    deeds = ["wiki_taken_down", "wiki_sealed", "wiki_put_up", "wiki_deleted", "wiki_purged"]
    assert [row["action"] for row in rows] == deeds


async def test_a_sealed_copy_opens_with_the_passphrase_and_nothing_else(host: SmallHost, tmp_path: Path) -> None:
    wiki = await host.make_wiki("notes")
    file = host.data.root / "passphrase"
    copies = SealedCopies(host.db, host.data, file)
    for held, why in (("short", "fewer than"), (None, "cannot be read")):
        file.unlink(missing_ok=True) if held is None else file.write_text(held)
        with pytest.raises(NotSealed, match=why):
            await copies.keep(wiki)
    with pytest.raises(NotSealed, match="set backup_passphrase_file"):
        await SealedCopies(host.db, host.data, None).keep(wiki)
    assert not host.data.sealed.exists()
    file.write_text(PASSPHRASE)
    place = await copies.keep(await down(host, wiki))
    assert copies.of(wiki) == [place.name]
    assert list(host.data.transfers.iterdir()) == []
    assert place.stat().st_mode & 0o777 == 0o700
    about = About.model_validate_json((place / "about.json").read_text("utf-8"))
    assert (about.wiki, about.name, about.why, about.by) == (wiki.id, "Notes", WHY, "The operator")
    for part in place.iterdir():
        assert b"Getting Started" not in part.read_bytes()
        assert part.stat().st_mode & 0o777 == 0o600
    sealed = (place / "key.age").read_bytes()
    key = pyrage.x25519.Identity.from_str(unseal(sealed, PASSPHRASE).decode().strip())
    bundle, damaged = tmp_path / "commits.bundle", tmp_path / "damaged.age"
    pyrage.decrypt_file(str(place / "commits.bundle.age"), str(bundle), [key])
    await trio.run_process(["git", "clone", "--quiet", bundle, tmp_path / "clone"])
    assert "Notes" in (tmp_path / "clone" / "Home.md").read_text("utf-8")
    flipped = bytearray((place / "commits.bundle.age").read_bytes())
    flipped[-1] ^= 1
    damaged.write_bytes(flipped)
    with pytest.raises(OSError, match="decryption"):
        pyrage.decrypt_file(str(damaged), str(tmp_path / "x"), [key])


def test_the_command_line_takes_down_and_puts_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_copies, "seal", lambda key, passphrase: key)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    environment = {
        "ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(tmp_path / "data"),
        "ROBOT_BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }  # fmt: skip

    def say(*words: str) -> Result:
        return CliRunner(env=environment).invoke(cli, ["wiki", *words])

    def taken_down() -> bool:
        return "taken down" in say("list").output

    assert say("create", "notes").exit_code == 0
    assert say("take-down", "notes").exit_code == 2  # without a reason
    done = say("take-down", "notes", "--why", "Spam.")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "data" / "sealed").is_dir()
    assert taken_down()
    assert say("delete", "notes", "--yes").exit_code == 1  # there is none for people
    assert say("put-up", "notes").exit_code == 0
    assert say("put-up", "notes").exit_code == 1
    assert not taken_down()
    del environment["ROBOT_BACKUP_PASSPHRASE_FILE"]
    unsealed = say("take-down", "notes", "--why", "Spam, again.")
    assert isinstance(unsealed.exception, sealed_copies.NotSealed)
    assert taken_down()
    ended = say("delete", "notes", "--for-good", "--yes")
    assert "Backups that have it" in ended.output
    assert say("list").output == ""
