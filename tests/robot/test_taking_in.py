"""One wiki of a backup, or a copy of one, as a wiki of this host: who is in it, who may read, and what stays behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from robot.access import grant_role
from robot.accounts import create_user
from robot.audit import OPERATOR, AuditAction, Entry, list_entries
from robot.backup.cloning import clone_wiki
from robot.backup.directory import DirectoryStore
from robot.backup.pieces import BackupDamaged, Source
from robot.backup.report import of_taken_in
from robot.backup.taking_in import NotInBackup, TakenIn, take_in, wiki_in_backup
from robot.datadir import prepare
from robot.domains.claims import find_claim
from robot.freezing import freeze
from robot.members import list_members
from robot.model import Role, Scope, User, Visibility, Wiki
from robot.quotas import set_quota
from robot.signin.identities import link_identity
from robot.signin.providers import Identity
from robot.tokens import create_token, list_tokens
from robot.wikis import InvalidWiki, change_wiki, find_wiki_by_slug
from tests.robot.backup_stage import BackupStage
from tests.robot.small_host import ADDRESS, SmallHost, end_for_good, small_host
from tests.wikihost.wikis import ADA, assert_sound, refs_of
from wikihost.content import Content
from wikihost.layout import DataDir
from wikihost.quota import Quota, read_quota


async def back_up(host: SmallHost, place: Path, passphrase: str | None = None) -> Source:
    return Source(DirectoryStore(place), (await BackupStage(host, place).take(passphrase=passphrase)).manifest)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    prepare(DataDir(tmp_path / "data"))
    (tmp_path / "backup").mkdir()
    async with small_host(tmp_path / "data") as made:
        yield made


async def restore(
    host: SmallHost, source: Source, slug: str, *, beside: str | None = None, owner: User | None = None
) -> TakenIn:
    """As `robot restore --wiki` does."""
    scratch = host.data.transfers / "restore"
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "robot.db").unlink(missing_ok=True)
    with wiki_in_backup(source, slug, scratch) as (belongings, kept):
        done = Entry(AuditAction.WIKI_RESTORED, OPERATOR, target=belongings.wiki.name, detail=source.manifest.id)
        return await take_in(
            host.db, host.data, belongings, kept, done, beside=beside, owner=owner, usual=Quota(50, 1_000_000)
        )


async def make_rich_wiki(host: SmallHost) -> Wiki:
    """A wiki of Ada's with everything that an owner and the operator can decide about one."""
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    await create_token(host.db, host.ada, wiki, "laptop", {Scope.READ})
    await host.give_domain(wiki, "notes.example.com")
    await change_wiki(
        host.db,
        wiki,
        name="Our notes",
        description="About ferries.",
        guidance="Be brief.",
        visibility=Visibility.PUBLIC,
        git_enabled=False,
        by=OPERATOR,
    )
    await set_quota(host.db, host.data, wiki, Quota(), pages=77, size_bytes=None)
    found = find_wiki_by_slug(host.db, "notes")
    assert found is not None
    return found


async def test_a_wiki_that_was_deleted_is_as_it_was(host: SmallHost, tmp_path: Path) -> None:
    wiki = await make_rich_wiki(host)
    claim = find_claim(host.db, wiki)
    refs = refs_of(host.data.wiki(wiki.id))
    await freeze(host.db, host.data, wiki)
    source = await back_up(host, tmp_path / "backup")
    await end_for_good(host, wiki)

    made = (await restore(host, source, "notes")).wiki

    here = find_wiki_by_slug(host.db, "notes")
    assert here is not None
    assert here.id == made.id != wiki.id
    assert (here.name, here.description, here.guidance) == ("Our notes", "About ferries.", "Be brief.")
    assert (here.visibility, here.git_enabled, here.quota_pages) == (Visibility.PUBLIC, False, 77)
    assert here.is_frozen
    assert here.created == wiki.created
    members = {member.user.name: member.role for member in await list_members(host.db, here)}
    assert members == {"ada": Role.OWNER, "eve": Role.VIEWER}
    assert list_tokens(host.db, here) == []
    asked_for = find_claim(host.db, here)
    assert asked_for is not None
    assert claim is not None
    assert (asked_for.domain, asked_for.challenge, asked_for.verified) == (claim.domain, claim.challenge, None)
    home = host.data.wiki(here.id)
    assert refs_of(home) == refs
    assert_sound(home)
    assert home.frozen.exists()
    assert read_quota(home.quota) == Quota(77, 1_000_000)
    (entry,) = await list_entries(host.db, here, limit=5)
    assert (entry.entry.action, entry.entry.detail) == (AuditAction.WIKI_RESTORED, source.manifest.id)


async def test_beside_the_present_one_only_its_owners_are_in_it(host: SmallHost, tmp_path: Path) -> None:
    wiki = await make_rich_wiki(host)
    source = await back_up(host, tmp_path / "backup")
    with closing(Content(host.data.wiki(wiki.id))) as content:
        content.write_page("Later", "After the backup.\n", base=None, author=ADA)
    with pytest.raises(InvalidWiki, match="is taken"):
        await restore(host, source, "notes")

    made = await restore(host, source, "notes", beside="notes-then")

    assert (made.wiki.slug, made.wiki.visibility) == ("notes-then", Visibility.PRIVATE)
    assert [(user.name, role) for user, role in made.members] == [("ada", Role.OWNER)]
    assert find_claim(host.db, made.wiki) is None
    assert find_claim(host.db, wiki) is not None
    assert not (host.data.wiki(made.wiki.id).repo / "Later.md").exists()
    said = of_taken_in(made, ADDRESS)
    assert said.startswith("Our notes is at https://notes-then.wiki.test, private.\n  owner: ada\n  left out, viewer")


async def test_people_are_known_again_by_what_they_sign_in_with(
    host: SmallHost, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    did = Identity("atproto", "did:plc:ada", "ada.test", "Ada")
    await link_identity(host.db, host.ada, did)
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    source = await back_up(host, tmp_path / "backup")
    async with small_host(tmp_path_factory.mktemp("elsewhere")) as other:
        # Those who are called so there are other people.
        countess = await create_user(other.db, "countess", "Ada Lovelace")
        await link_identity(other.db, countess, did)

        made = await restore(other, source, "notes")

        assert [(user.name, role) for user, role in made.members] == [("countess", Role.OWNER)]
        assert [member.name for member in made.left_out] == ["eve"]
        named = await restore(other, source, "notes", beside="notes-two", owner=other.eve)
        assert [(user.name, role) for user, role in named.members] == [("eve", Role.OWNER), ("countess", Role.OWNER)]


async def test_where_none_of_its_owners_is_the_operator_owns_it(host: SmallHost, tmp_path: Path) -> None:
    wiki = await host.make_wiki("notes")
    source = await back_up(host, tmp_path / "backup")
    await end_for_good(host, wiki)
    await host.db.write(lambda db: db.execute("DELETE FROM users WHERE id = ?", (host.ada.id,)))
    await host.db.write(lambda db: db.execute("DELETE FROM freed_slugs"))
    made = await restore(host, source, "notes")
    assert [(user.name, role) for user, role in made.members] == [("keeper", Role.OWNER)]


async def test_what_cannot_be_restored_leaves_nothing(host: SmallHost, tmp_path: Path) -> None:
    wiki = await host.make_wiki("notes")
    source = await back_up(host, tmp_path / "backup")
    with pytest.raises(NotInBackup, match="no wiki other"):
        await restore(host, source, "other")
    with pytest.raises(InvalidWiki):
        await restore(host, source, "notes", beside="No Address")
    (bundle,) = source.manifest.wikis[0].bundles
    (tmp_path / "backup" / bundle).write_bytes(b"# v2 git bundle\n")
    with pytest.raises(BackupDamaged, match=r"commits\.bundle"):
        await restore(host, source, "notes", beside="notes-then")
    assert [home.name for home in host.data.wikis.iterdir()] == [wiki.id]
    assert find_wiki_by_slug(host.db, "notes-then") is None


async def test_a_clone_has_all_of_the_moment_and_goes_its_own_way(host: SmallHost) -> None:
    wiki = await make_rich_wiki(host)
    made = (await clone_wiki(host.db, host.data, wiki, "notes-copy", owner=host.eve, usual=Quota())).wiki
    home = host.data.wiki(made.id)
    assert refs_of(home) == refs_of(host.data.wiki(wiki.id))
    assert made.guidance == "Be brief."
    members = {member.user.name: member.role for member in await list_members(host.db, made)}
    assert members == {"ada": Role.OWNER, "eve": Role.OWNER}
    with closing(Content(home)) as content:
        content.write_page("Later", "Only here.\n", base=None, author=ADA)
    assert refs_of(home) != refs_of(host.data.wiki(wiki.id))
    (entry,) = await list_entries(host.db, made, limit=5)
    assert (entry.entry.action, entry.entry.detail) == (AuditAction.WIKI_CLONED, "notes")
    assert list(host.data.transfers.iterdir()) == []


async def test_what_was_taken_down_stays_so_at_whatever_address(host: SmallHost, tmp_path: Path) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await host.db.write(
        lambda db: db.execute(
            "UPDATE wikis SET taken_down_at = 5, taken_down_why = 'A court.' WHERE id = ?", (wiki.id,)
        )
    )
    made = await restore(host, await back_up(host, tmp_path / "backup"), "notes", beside="notes-then")
    row = host.db.one("SELECT taken_down_at, taken_down_why FROM wikis WHERE id = ?", (made.wiki.id,))
    assert row is not None
    assert tuple(row) == (5, "A court.")
