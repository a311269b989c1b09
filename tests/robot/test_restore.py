"""A backup becomes a host again, and whatever is damaged in one has a name."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from robot.access import grant_role
from robot.audit import ROBOT
from robot.backup.directory import DirectoryStore
from robot.backup.manifest import FORMAT, NoManifest, StoredFile, write_manifest
from robot.backup.pieces import BackupDamaged, Pieces, Source, open_source
from robot.backup.proving import Findings, prove
from robot.backup.report import By, print_out
from robot.backup.restoring import NoRoom, restore_host
from robot.backup.sealing import CannotSeal
from robot.backup.store import Store
from robot.clock import moment
from robot.datadir import prepare
from robot.db import Database
from robot.deletion import delete_wiki_for_now
from robot.model import Role, Scope
from robot.signin.keys import load_session_key
from robot.tokens import create_token, verify_token
from tests.robot.backup_stage import PASSPHRASE, BackupStage
from tests.robot.small_host import SmallHost, small_host
from tests.wikihost.wikis import ADA, assert_sound, refs_of
from wikihost.content import Content
from wikihost.layout import DataDir


def silent(done: int, total: int) -> None:
    pass


async def back_up(host: SmallHost, place: Path, passphrase: str | None = None) -> Source:
    return Source(DirectoryStore(place), (await BackupStage(host, place).take(passphrase=passphrase)).manifest)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    prepare(DataDir(tmp_path / "data"))
    (tmp_path / "backup").mkdir()
    async with small_host(tmp_path / "data") as made:
        yield made


def write(host: SmallHost, wiki_id: str, name: str) -> None:
    with closing(Content(host.data.wiki(wiki_id))) as content:
        content.write_page(name, f"About {name}.\n", base=None, author=ADA)


def check(source: Source, scratch: Path, passphrase: str | None = None) -> Findings:
    scratch.mkdir()
    return prove(source, scratch, passphrase, silent)


async def test_a_host_is_as_it_was(host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    gone = await host.make_wiki("gone")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    secret, _ = await create_token(host.db, host.ada, wiki, "laptop", {Scope.READ})
    host.data.wiki(wiki.id).session_key.write_bytes(b"signs notices")
    await back_up(host, tmp_path / "backup")
    write(host, wiki.id, "Ferry")  # so that the next one is an increment
    await delete_wiki_for_now(host.db, gone, ROBOT)
    source = await back_up_unsealed(host, tmp_path / "backup", monkeypatch)
    there = DataDir(tmp_path / "there")

    keys = restore_host(source, there, PASSPHRASE, silent)

    assert keys is not None
    with closing(Database.open(there.robot_db)) as db:
        assert verify_token(db, secret, wiki.id) == verify_token(host.db, secret, wiki.id) is not None
    for each in (wiki, gone):
        home = there.wiki(each.id)
        assert refs_of(home) == refs_of(host.data.wiki(each.id))
        assert_sound(home)
    assert there.wiki(wiki.id).session_key.read_bytes() == b"signs notices"
    assert {key.name: key.read_bytes() for key in there.keys.iterdir()} == {
        key.name: key.read_bytes() for key in host.data.keys.iterdir()
    }
    assert sorted(path.name for path in there.root.iterdir()) == ["keys", "robot.db", "robot.lock", "wikis"]
    readable = [path for path in (there.robot_db, *there.keys.iterdir()) if path.stat().st_mode & 0o077]
    assert readable == []

    findings = check(source, tmp_path / "scratch", PASSPHRASE)
    assert findings.is_good, findings.damage
    assert (findings.wikis, findings.commits, findings.pages, findings.people) == (2, 3, 9, 2)
    said = print_out(source, findings, By("1", "machine", moment(0), 1.5))
    assert "2 of 2 restored and sound" in said
    assert said.endswith("This backup can be restored.")


async def test_without_the_passphrase_all_but_the_keys_comes_back(
    host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(sealed: bytes, passphrase: str) -> bytes:
        raise CannotSeal("The passphrase does not open it.")

    await host.make_wiki("notes")
    source = await back_up_unsealed(host, tmp_path / "backup", monkeypatch)
    monkeypatch.setattr("robot.backup.restoring.unseal", fail)
    with pytest.raises(CannotSeal):
        restore_host(source, DataDir(tmp_path / "wrong"), "some other passphrase", silent)
    assert [path.name for path in (tmp_path / "wrong").iterdir()] == ["robot.lock"]
    assert restore_host(source, DataDir(tmp_path / "there"), None, silent) is None
    assert list((tmp_path / "there" / "keys").iterdir()) == []
    assert check(source, tmp_path / "scratch").is_good
    (damage,) = check(source, tmp_path / "scratch2", "some other passphrase").damage
    assert damage.endswith("keys.age: The passphrase does not open it.")


async def back_up_unsealed(host: SmallHost, place: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A backup with keys that are not sealed: that takes a second each time, and is tested with backups."""
    load_session_key(host.data.keys)
    monkeypatch.setattr("robot.backup.taking.seal", lambda data, passphrase: data)
    monkeypatch.setattr("robot.backup.restoring.unseal", lambda data, passphrase: data)
    return await back_up(host, place, PASSPHRASE)


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x20
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


async def test_each_damaged_piece_is_named(host: SmallHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for slug in ("notes", "other"):
        wiki = await host.make_wiki(slug)
        with closing(sqlite3.connect(host.data.wiki(wiki.id).wiki_db)) as db:
            db.execute("CREATE TABLE preferences (name)")
    place = tmp_path / "backup"
    source = await back_up_unsealed(host, place, monkeypatch)
    assert len(source.manifest.files) == 6
    ways: list[Callable[[Path], object]] = [flip, cut, Path.unlink]
    for number, name in enumerate(source.manifest.files):
        file = place / name
        whole = file.read_bytes()
        ways[number % 3](file)
        findings = check(source, tmp_path / f"scratch {number}")
        assert [damage for damage in findings.damage if name in damage], (name, findings.damage)
        assert findings.wikis >= 1  # the other one was looked at
        assert "damaged in 1 place." in print_out(source, findings, By("1", "machine", moment(0), 1))
        if number < len(ways):
            with pytest.raises(BackupDamaged, match=name):
                restore_host(source, DataDir(tmp_path / "there"), PASSPHRASE, silent)
            assert [path.name for path in (tmp_path / "there").iterdir()] == ["robot.lock"]
        file.write_bytes(whole)


async def test_a_manifest_that_was_changed_is_none(host: SmallHost, tmp_path: Path) -> None:
    place = tmp_path / "backup"
    source = await back_up(host, place)
    file = place / "manifests" / f"{source.manifest.id}.json"
    whole = file.read_bytes()
    flip(file)
    with pytest.raises(NoManifest, match="damaged"):
        open_source(source.store, None)
    file.write_bytes(whole.replace(b'"domain": "wiki.test"', b'"domain": "wiki.tesu"'))
    with pytest.raises(NoManifest, match="damaged"):
        open_source(source.store, None)
    said = json.loads(whole)
    file.write_text(json.dumps({**said, "format": FORMAT + 1}))
    with pytest.raises(NoManifest, match="newer robot"):
        open_source(source.store, None)
    file.unlink()
    with pytest.raises(NoManifest, match="no finished backup"):
        open_source(source.store, None)


class Forged:
    """A store in which one file is another."""

    def __init__(self, store: Store, name: str, data: bytes) -> None:
        self._store, self._name, self._data = store, name, data

    def __getattr__(self, method: str) -> Any:
        return getattr(self._store, method)

    def get(self, name: str) -> Iterator[bytes]:
        return iter([self._data]) if name == self._name else self._store.get(name)


def forged(source: Source, change: Callable[[sqlite3.Connection], object]) -> Source:
    """The same backup with another database, of which the manifest knows."""
    name = source.manifest.robot_db
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(gzip.decompress(b"".join(source.store.get(name))))
        change(db)
        packed = gzip.compress(db.serialize())
    stored = StoredFile(bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
    files = {**source.manifest.files, name: stored}
    return Source(Forged(source.store, name, packed), source.manifest.model_copy(update={"files": files}))


async def test_a_database_that_says_something_else_is_found(host: SmallHost, tmp_path: Path) -> None:
    await host.make_wiki("notes")
    place = tmp_path / "backup"
    source = await back_up(host, place)

    lacking = forged(source, lambda db: db.execute("DELETE FROM users WHERE name = 'eve'"))
    (damage,) = check(lacking, tmp_path / "1").damage
    assert damage == "robot.db: table users has 1 rows, and the manifest says 2"
    newer = forged(source, lambda db: db.execute("PRAGMA user_version = 99"))
    assert "newer robot" in check(newer, tmp_path / "2").damage[0]
    with pytest.raises(Exception, match="newer robot"):
        restore_host(newer, DataDir(tmp_path / "there"), None, silent)
    foreign = forged(source, lambda db: db.execute("PRAGMA application_id = 7"))
    assert "not a database of robot" in check(foreign, tmp_path / "3").damage[0]
    elsewhere = source.manifest.model_copy(update={"wikis": ()})
    assert "no copy of it" in "\n".join(check(Source(source.store, elsewhere), tmp_path / "4").damage)
    far = source.manifest.model_copy(update={"schema_version": 99})
    write_manifest(source.store, far)
    with pytest.raises(NoManifest, match="schema 99"):
        open_source(source.store, far.id)


async def test_too_little_room_is_seen_first(host: SmallHost, tmp_path: Path) -> None:
    source = await back_up(host, tmp_path / "backup")
    name = source.manifest.robot_db
    huge = source.manifest.files[name].model_copy(update={"bytes": 10**18})
    source = Source(source.store, source.manifest.model_copy(update={"files": {name: huge}}))
    with pytest.raises(NoRoom, match="MiB free"):
        restore_host(source, DataDir(tmp_path / "there"), None, silent)
    with pytest.raises(NoRoom):
        check(source, tmp_path / "scratch")


def test_what_packs_well_is_not_unpacked_in_one_go(tmp_path: Path) -> None:
    """Somebody's draft of many like letters is in a backup, too."""
    size_bytes = 64 * 1024 * 1024
    packed = gzip.compress(bytes(size_bytes), 9)
    (tmp_path / "wiki.db.gz").write_bytes(packed)
    said = StoredFile(bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
    pieces = Pieces(DirectoryStore(tmp_path), {"wiki.db.gz": said})
    tracemalloc.start()
    try:
        pieces.take_unpacked("wiki.db.gz", tmp_path / "wiki.db")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "wiki.db").stat().st_size == size_bytes
    assert most < 8 * 1024 * 1024
