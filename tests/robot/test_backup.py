"""Backups of a host: what is in them, what the next one adds, and what becomes of wikis that change meanwhile."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from robot.backup import wiki_copy
from robot.backup.directory import DirectoryStore
from robot.backup.journal import BackupRunning, last_good, only_backup
from robot.backup.manifest import NoManifest, parse_manifest
from robot.backup.sealing import CannotSeal, fingerprint, read_passphrase, unseal
from tests.robot.backup_stage import (
    PASSPHRASE,
    BackupStage,
    copy_of,
    database_of,
    fetch,
    put_together,
    rows,
    run,
)
from tests.robot.small_host import SmallHost, end_for_good
from tests.wikihost.wikis import git


@pytest.fixture
def stage(host: SmallHost, tmp_path: Path) -> BackupStage:
    root = tmp_path / "backups"
    root.mkdir()
    return BackupStage(host, root)


def note(path: Path, text: str) -> None:
    """Otter Wiki keeps something in its database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS preferences (name TEXT)")
        connection.execute("INSERT INTO preferences VALUES (?)", (text,))


async def test_what_was_written_before_the_mark_is_in(stage: BackupStage, tmp_path: Path) -> None:
    """Somebody writes whenever the clock is looked at: the mark may not come after the copy that it speaks of."""
    first, written = 1_800_000_000, 0

    def clock() -> float:
        nonlocal written
        written += 1
        with closing(sqlite3.connect(stage.host.data.robot_db)) as connection, connection:
            connection.execute("INSERT INTO alerts VALUES (?, 0, 0, '', '')", (f"write {written}",))
        return first + written

    manifest = (await stage.take(clock=clock)).manifest
    copy = database_of(stage.store, manifest, manifest.robot_db, tmp_path / "copy.db")
    kept = {name for (name,) in rows(copy, "SELECT name FROM alerts")}
    before = int(manifest.mark_at.timestamp()) - first
    assert 1 <= before < written
    assert kept >= {f"write {number}" for number in range(1, before + 1)}


async def test_everything_that_is_not_derived_is_in_a_backup(stage: BackupStage, tmp_path: Path) -> None:
    host = stage.host
    wiki = await host.make_wiki("notes")
    head = stage.save(wiki, "Home/plan.png", b"\x89PNG")
    note(stage.home(wiki).wiki_db, "sidebar")
    stage.home(wiki).session_key.write_bytes(b"secret of a wiki")
    host.data.keys.mkdir()
    (host.data.keys / "session.pem").write_bytes(b"secret of the host")
    taken = await stage.take(passphrase=PASSPHRASE)
    (manifest,) = stage.manifests()
    assert manifest == taken.manifest
    assert manifest.needed() == manifest.files.keys()

    repository = put_together(stage.store, manifest, wiki, tmp_path / "made")
    assert run("git", "-C", str(repository), "rev-parse", "HEAD") == head == copy_of(manifest, wiki).head
    assert copy_of(manifest, wiki).commits == 2
    wiki_db = copy_of(manifest, wiki).wiki_db
    assert wiki_db
    assert rows(database_of(stage.store, manifest, wiki_db, tmp_path / "w.db"), "SELECT * FROM preferences") == [
        ("sidebar",)
    ]
    robot_db = database_of(stage.store, manifest, manifest.robot_db, tmp_path / "r.db")
    assert rows(robot_db, "SELECT id FROM wikis") == [(wiki.id,)]
    assert manifest.rows["users"] == 2

    assert manifest.sealed_keys
    sealed = fetch(stage.store, manifest, manifest.sealed_keys)
    with tarfile.open(fileobj=io.BytesIO(unseal(sealed, PASSPHRASE))) as keys:
        assert keys.getnames() == ["keys/session.pem", f"wikis/{wiki.id}/session.key"]
    with pytest.raises(CannotSeal, match="passphrase"):
        unseal(sealed, "another sentence altogether")

    again = (await stage.take(passphrase=PASSPHRASE)).manifest
    assert again.sealed_keys == manifest.sealed_keys
    row = last_good(host.db)
    assert row is not None
    assert (row.id, row.wikis, row.size_bytes) == (again.id, 1, again.size_bytes)
    assert not any(stage.host.data.transfers.iterdir())


async def test_keys_are_left_out_aloud(stage: BackupStage, tmp_path: Path) -> None:
    assert (await stage.take()).manifest.sealed_keys is None
    assert any("Keys are left out" in warning for warning in stage.heard.warnings)
    short = tmp_path / "passphrase"
    short.write_text("hunter2\n")
    with pytest.raises(CannotSeal, match="fewer than 16"):
        read_passphrase(short)
    with pytest.raises(CannotSeal, match="cannot be read"):
        read_passphrase(tmp_path / "missing")


async def test_the_next_backup_writes_only_what_is_new(stage: BackupStage, tmp_path: Path) -> None:
    resting = await stage.host.make_wiki("resting")
    wiki = await stage.host.make_wiki("busy")
    note(stage.home(resting).wiki_db, "sidebar")
    first = (await stage.take()).manifest
    # Enough that two more bundles are not larger than the first.
    stage.save(wiki, "Home.md", "# Second\n")
    second = (await stage.take()).manifest
    assert copy_of(second, resting) == copy_of(first, resting)
    assert copy_of(second, wiki).bundles[:-1] == copy_of(first, wiki).bundles
    head = stage.save(wiki, "Home.md", "# Third\n")
    third = (await stage.take()).manifest
    assert len(copy_of(third, wiki).bundles) == 3
    repository = put_together(stage.store, third, wiki, tmp_path / "made")
    assert run("git", "-C", str(repository), "rev-parse", "HEAD") == head
    unchanged = (await stage.take()).manifest
    assert unchanged.wikis == third.wikis
    assert {name for name in unchanged.files if unchanged.id in name} == {unchanged.robot_db}


async def test_a_long_chain_begins_anew(stage: BackupStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wiki_copy, "LONGEST_CHAIN", 2)
    wiki = await stage.host.make_wiki("notes")
    await stage.take()
    for number in range(2):
        stage.save(wiki, "Home.md", f"# {number}\n")
        manifest = (await stage.take()).manifest
    assert len(copy_of(manifest, wiki).bundles) == 1
    put_together(stage.store, manifest, wiki, tmp_path / "made")

    stage.save(wiki, "Large.md", "".join(f"{number * number}\n" for number in range(9_000)))
    assert len(copy_of((await stage.take()).manifest, wiki).bundles) == 2
    monkeypatch.setattr(wiki_copy, "LONGEST_CHAIN", 30)
    stage.save(wiki, "Home.md", "# What was added outgrew what was there.\n")
    assert len(copy_of((await stage.take()).manifest, wiki).bundles) == 1


async def test_history_that_was_rewritten_leaves_with_the_old_bundles(stage: BackupStage, tmp_path: Path) -> None:
    wiki = await stage.host.make_wiki("notes")
    secret = stage.save(wiki, "Secret.md", "hunter2\n")
    await stage.take()
    home = stage.home(wiki)
    git(home, "reset", "--quiet", "--hard", "HEAD~1")
    git(home, "commit", "--quiet", "--allow-empty", "-m", "Instead")
    manifest = (await stage.take()).manifest
    repository = put_together(stage.store, manifest, wiki, tmp_path / "made")
    assert run("git", "-C", str(repository), "rev-parse", "HEAD") == git(home, "rev-parse", "HEAD")
    assert secret not in run("git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch-check")

    git(home, "reset", "--quiet", "--hard", "HEAD~1")  # back to what every backup has: nothing to write but that
    back = put_together(stage.store, (await stage.take()).manifest, wiki, tmp_path / "back")
    assert run("git", "-C", str(back), "rev-parse", "HEAD") == git(home, "rev-parse", "HEAD")


async def test_odd_wikis(stage: BackupStage, tmp_path: Path) -> None:
    empty = await stage.host.make_wiki("empty")
    home = stage.home(empty)
    git(home, "update-ref", "-d", "refs/heads/main")
    odd = await stage.host.make_wiki("odd")
    stage.save(odd, "Städte/Zürich –\u00a050% $HOME `x`.md", "# Ja\n")
    git(stage.home(odd), "tag", "-a", "-m", "A tag", "ünï-$x")
    git(stage.home(odd), "branch", "--", "side/été")
    manifest = (await stage.take()).manifest
    assert (copy_of(manifest, empty).head, copy_of(manifest, empty).bundles) == (None, ())
    repository = put_together(stage.store, manifest, odd, tmp_path / "made")
    assert run("git", "-C", str(repository), "show-ref") == git(stage.home(odd), "show-ref")

    git(stage.home(odd), "tag", "-a", "-m", "Another, and no new commit", "later")
    again = put_together(stage.store, (await stage.take()).manifest, odd, tmp_path / "again")
    assert run("git", "-C", str(again), "show-ref") == git(stage.home(odd), "show-ref")
    assert manifest.problems == {}


class Meanwhile(DirectoryStore):
    """Does something before the first bundle is written."""

    def __init__(self, root: Path, deed: Callable[[], object]) -> None:
        super().__init__(root)
        self._deed: Callable[[], object] | None = deed

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        if self._deed is not None and name.endswith(".bundle"):
            deed, self._deed = self._deed, None
            deed()
        super().put(name, pieces)


async def test_wikis_that_come_and_go_in_the_middle(stage: BackupStage, tmp_path: Path) -> None:
    """The first in the order of ids is copied when the other ends for good and a third one comes."""
    host = stage.host
    first, second = sorted([await host.make_wiki("one"), await host.make_wiki("two")], key=lambda wiki: wiki.id)
    stage.save(first, "Home.md", "# Before\n")

    async def deed() -> None:
        stage.save(first, "Home.md", "# After heads were read: in the next backup\n")
        await end_for_good(host, second)
        await host.make_wiki("three")

    store = Meanwhile(stage.root, lambda: trio.from_thread.run(deed))
    manifest = (await stage.take(store=store)).manifest
    assert [copy.id for copy in manifest.wikis] == [first.id]
    assert manifest.problems == {}
    robot_db = database_of(stage.store, manifest, manifest.robot_db, tmp_path / "r.db")
    assert rows(robot_db, "SELECT id FROM wikis") == [(first.id,)]
    assert rows(robot_db, "SELECT * FROM grants WHERE wiki_id != (SELECT id FROM wikis)") == []
    assert rows(robot_db, "SELECT * FROM backups") == []
    put_together(stage.store, manifest, first, tmp_path / "made")


async def test_a_broken_wiki_is_named_and_keeps_its_last_copy(stage: BackupStage, tmp_path: Path) -> None:
    host = stage.host
    broken, whole = await host.make_wiki("broken"), await host.make_wiki("whole")
    first = (await stage.take()).manifest
    head = stage.save(broken, "Home.md", "# Lost\n")
    (stage.home(broken).git_dir / "objects" / head[:2] / head[2:]).unlink()
    stage.save(whole, "Home.md", "# Saved\n")
    odd = await host.make_wiki("odd")
    stage.home(odd).wiki_db.write_bytes(b"no database" * 1000)
    manifest = (await stage.take()).manifest
    assert set(manifest.problems) == {broken.id, odd.id}
    assert "wiki.db" in manifest.problems[odd.id]
    assert {copy.id for copy in manifest.wikis} == {broken.id, whole.id}
    assert manifest.needed() == manifest.files.keys()
    assert "The wiki broken" in manifest.problems[broken.id]
    assert copy_of(manifest, broken) == copy_of(first, broken)
    put_together(stage.store, manifest, whole, tmp_path / "made")
    assert "The wiki broken" in stage.last_row().problem
    good = last_good(host.db)
    assert good is not None
    assert good.id == first.id


async def test_what_the_destination_lost_is_written_again(stage: BackupStage, tmp_path: Path) -> None:
    wiki = await stage.host.make_wiki("notes")
    note(stage.home(wiki).wiki_db, "sidebar")
    first = (await stage.take()).manifest
    for name in copy_of(first, wiki).names:
        stage.store.delete(name)
    second = (await stage.take()).manifest
    assert not set(copy_of(second, wiki).names) & set(first.files)
    put_together(stage.store, second, wiki, tmp_path / "made")


async def test_one_backup_at_a_time(stage: BackupStage) -> None:
    with only_backup(stage.host.data), pytest.raises(BackupRunning, match="under way"):
        await stage.take()
    await stage.take()


def test_a_fingerprint_tells_other_keys_and_other_passphrases_apart() -> None:
    marks = [fingerprint(b"keys", "one"), fingerprint(b"keys", "another"), fingerprint(b"new keys", "one")]
    assert len({*marks, fingerprint(b"keys", "one")}) == 3


def test_manifests_of_others_are_refused_in_a_sentence() -> None:
    for text, sentence in (
        (b'{"format": 99}', "newer robot"),
        (b"{}", "damaged"),
        (b'{"format": 1, "wikis": ', "damaged"),
    ):
        with pytest.raises(NoManifest, match=sentence):
            parse_manifest(text, "This backup")
