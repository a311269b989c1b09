"""Where backups go: a directory and an S3-compatible service, and each way in which they fail."""

from __future__ import annotations

import random
import re
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import localbucket
import pytest
from click.testing import CliRunner

from robot.backup.destinations import open_store
from robot.backup.directory import DirectoryStore
from robot.backup.journal import begin_row, last_good
from robot.backup.manifest import RUNS, list_backups, manifest_name, new_run, read_manifest, write_manifest
from robot.backup.store import NotStored, Store, StoreError, StoreFailed, StoreFull, StoreRefused, StoreUnreachable
from robot.cli import _sentence, cli
from robot.clock import wall_clock
from tests.processes import small_disk
from tests.robot.backup_stage import BackupStage, put_together, run
from tests.robot.small_host import SmallHost

KEY = "AKIAOURS"
LARGE_BYTES = 9 * 1024 * 1024  # more than one part of an upload


@pytest.fixture
def stage(host: SmallHost, tmp_path: Path) -> BackupStage:
    root = tmp_path / "backups"
    root.mkdir()
    return BackupStage(host, root)


@dataclass
class Service:
    """A small S3 service. `refuses` answers every request of a kind with an error of S3: (status, code)."""

    buckets: Path
    refuses: dict[str, tuple[int, str]]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service(tmp_path / "s3", {})
    (made.buckets / "backups").mkdir(parents=True)

    class Handler(localbucket.S3Handler):  # type: ignore[misc]  # it has no types
        data_root = made.buckets

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _dispatch(self, action: Callable[[str, str], None]) -> None:
            status, code = made.refuses.get(self.command, (0, ""))
            if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                status, code = 403, "InvalidAccessKeyId"
            if status:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._send_error(localbucket.S3Error(localbucket.HTTPStatus(status), code, "No."))
            else:
                super()._dispatch(action)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(1024 * 1024)


def breaking(size: int) -> Iterator[bytes]:
    yield bytes(size)
    raise RuntimeError("git died")


def names(store: Store) -> list[str]:
    return sorted(stored.name for stored in store.list(""))


def test_both_kinds_of_places_do_the_same(tmp_path: Path, service: Service) -> None:
    (tmp_path / "place").mkdir()
    for address in (str(tmp_path / "place"), "s3://backups/some/prefix"):
        store = open_store(address)
        assert store.address == address
        store.put("runs/a/x", [b"one ", b"two"])
        store.put("runs/a/large", (bytes([number]) * 1024 * 1024 for number in range(9)))
        store.put("runs/ab/x", [])
        store.put("runs/a/x", [b"three"])
        assert {stored.name: stored.bytes for stored in store.list("runs/a/")} == {
            "runs/a/x": 5,
            "runs/a/large": LARGE_BYTES,
        }
        assert b"".join(store.get("runs/a/x")) == b"three"
        assert b"".join(store.get("runs/a/large")) == b"".join(bytes([n]) * 1024 * 1024 for n in range(9))
        assert b"".join(store.get("runs/ab/x")) == b""
        for size in (10, LARGE_BYTES):
            with pytest.raises(RuntimeError, match="git died"):
                store.put("runs/a/broken", breaking(size))
        with pytest.raises(NotStored):
            list(store.get("runs/a/broken"))
        store.delete("runs/a/broken")
        store.delete("runs/a/large")
        assert names(store) == ["runs/a/x", "runs/ab/x"]
        store.delete("runs/ab/x")
        assert list(store.list("none/")) == []
    assert not (tmp_path / "place" / "runs" / "ab").exists()
    assert not [*(service.buckets / localbucket.UPLOADS_DIR).glob("*")]


async def test_a_backup_at_an_s3_service(stage: BackupStage, service: Service, tmp_path: Path) -> None:
    wiki = await stage.host.make_wiki("notes")
    store = open_store("s3://backups/robot")
    await stage.take(store=store)
    stage.save(wiki, "Home.md", "# Second\n")
    stage.save(wiki, "film.bin", random.randbytes(LARGE_BYTES))
    second = (await stage.take(store=store)).manifest
    assert read_manifest(store, list_backups(store)[-1]) == second
    repository = put_together(store, second, wiki, tmp_path / "made")
    assert run("git", "-C", str(repository), "show", "HEAD:Home.md") == "# Second"


def test_an_s3_service_that_fails_says_what_to_do(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot.backup.s3._RETRIES", 0)
    store = open_store("s3://backups")
    for status, code, failure in (
        (403, "AccessDenied", StoreRefused),
        (507, "InsufficientStorage", StoreFull),
        (400, "XMinioStorageFull", StoreFull),
        (503, "SlowDown", StoreUnreachable),
        (400, "EntityTooSmall", StoreFailed),
    ):
        service.refuses["PUT"] = (status, code)
        with pytest.raises(failure, match=code):
            store.put("x", [b"one"])
    with pytest.raises(StoreFailed, match="no bucket nowhere"):
        list(open_store("s3://nowhere/x").list(""))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHERS")
    with pytest.raises(StoreRefused, match="AWS_SECRET_ACCESS_KEY") as refused:
        list(open_store("s3://backups").list(""))
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreUnreachable, match="AWS_ENDPOINT_URL"):
        list(open_store("s3://backups").list(""))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreRefused, match="Set AWS_SECRET_ACCESS_KEY"):
        open_store("s3://backups")


def test_what_is_no_place() -> None:
    for address in ("https://example.org/backups", "s3://Bad_Bucket", "s3://backups/a b", "s3://"):
        with pytest.raises(StoreFailed, match="no place for backups"):
            open_store(address)
    with pytest.raises(StoreFailed, match="AWS_SECRET_ACCESS_KEY") as refused:
        open_store("s3://key:marked@backups")
    assert "marked" not in str(refused.value)


def test_a_disk_is_full_also_when_the_rest_of_a_file_is_written(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises(StoreFull, match="make room there"):
            DirectoryStore(tmp_path).put("runs/x", (bytes(1000) for _ in range(100)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not any((tmp_path / "runs").iterdir())


async def test_a_full_disk_leaves_the_last_backup_and_room_for_the_next(stage: BackupStage, tmp_path: Path) -> None:
    wiki = await stage.host.make_wiki("notes")
    with small_disk(tmp_path / "disk", 1) as disk:
        store = DirectoryStore(disk)
        first = (await stage.take(store=store)).manifest
        kept = names(store)
        head = stage.save(wiki, "film.bin", random.randbytes(2 * 1024 * 1024))
        with pytest.raises(StoreFull, match="make room there"):
            await stage.take(store=store)
        assert "is full" in stage.last_row().problem
        good = last_good(stage.host.db)
        assert good is not None
        assert good.id == first.id
        assert list_backups(store) == [first.id]
        run("mount", "-o", "remount,size=8m", str(disk))
        second = (await stage.take(store=store)).manifest
        assert set(names(store)) == {*kept, *second.files, manifest_name(second.id)}
        repository = put_together(store, second, wiki, tmp_path / "made")
        assert run("git", "-C", str(repository), "rev-parse", "HEAD") == head

        run("mount", "-o", "remount,ro", str(disk))
        with pytest.raises(StoreRefused, match="Read-only"):
            await stage.take(store=store)
    with pytest.raises(StoreUnreachable, match="mount what belongs there"):
        await stage.take(store=DirectoryStore(tmp_path / "not mounted"))
    assert "mount what belongs there" in stage.last_row().problem


class Dying(DirectoryStore):
    """Dies of something that nobody handles, at the moment when a file of that name would be written."""

    def __init__(self, root: Path, ending: str) -> None:
        super().__init__(root)
        self._ending = ending

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        if name.endswith(self._ending):
            next(iter(pieces), None)
            raise StoreFailed("The place broke off.")
        super().put(name, pieces)


@pytest.mark.parametrize("ending", ["commits.bundle", ".json"])
async def test_a_broken_off_backup_is_none_and_the_next_clears_it_away(stage: BackupStage, ending: str) -> None:
    await stage.host.make_wiki("notes")
    with pytest.raises(StoreFailed):
        await stage.take(store=Dying(stage.root, ending))
    assert list_backups(stage.store) == []
    assert last_good(stage.host.db) is None
    manifest = (await stage.take()).manifest
    assert set(names(stage.store)) == {*manifest.files, manifest_name(manifest.id)}


async def test_what_a_killed_backup_left_is_none_and_goes(stage: BackupStage) -> None:
    """Killed at once, it says nothing: the row has no end, files are half written, the manifest is a draft."""
    await stage.host.make_wiki("notes")
    dead, others = new_run(wall_clock()), new_run(wall_clock() - 5)
    begin_row(stage.host.db, dead, stage.store.address, wall_clock())
    stage.store.put(f"{RUNS}{dead}/wikis/w_1/commits.bundle.unfinished", [b"half"])
    stage.store.put(f"{manifest_name(dead)}.unfinished", [b"{"])
    of_others = [f"{RUNS}{others}/robot.db.gz", "notes.txt", "runs/mine"]
    for name in of_others:
        stage.store.put(name, [b"not ours"])
    left = stage.host.data.transfers / f"backup-{dead}" / "robot.db"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert list_backups(stage.store) == []
    manifest = (await stage.take()).manifest
    assert set(names(stage.store)) == {*manifest.files, manifest_name(manifest.id), *of_others}
    assert not left.parent.exists()


async def test_each_host_has_a_place_of_its_own(stage: BackupStage) -> None:
    manifest = (await stage.take()).manifest
    others = manifest.model_copy(update={"id": new_run(wall_clock() + 1), "domain": "wiki.elsewhere.example"})
    write_manifest(stage.store, others)
    with pytest.raises(StoreRefused, match=r"has backups of wiki\.elsewhere\.example"):
        await stage.take()


async def test_a_manifest_that_cannot_be_read_stops_nothing_but_removing(stage: BackupStage) -> None:
    manifest = (await stage.take()).manifest
    stage.store.put(manifest_name(new_run(wall_clock() + 1)), [b"{"])
    again = await stage.take()
    assert {*manifest.files, *again.manifest.files} < set(names(stage.store))
    assert any("damaged" in warning for warning in stage.heard.warnings)


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.nice", lambda more: more)
    monkeypatch.setenv("ROBOT_DATA", str(tmp_path / "data"))
    (tmp_path / "backups").mkdir()

    def say(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["backup", *words], standalone_mode=False)
        assert done.exception is None or isinstance(done.exception, Exception)
        return done.exit_code, done.output if done.exception is None else _sentence(done.exception) or ""

    assert say() == (1, "Say where to: `robot backup DEST`, or set backup_destination.")
    assert "is in the data directory" in say(str(tmp_path / "data/backups"))[1]
    monkeypatch.setenv("ROBOT_BACKUP_DESTINATION", str(tmp_path / "backups"))
    code, said = say()
    assert code == 0
    assert re.search(r": 0 wikis, (\d\.\d KiB) new of \1, \d", said)
    assert "It has all that was written before 20" in said
    code, said = say(str(tmp_path / "missing"))
    assert code == 1
    assert "mount what belongs there" in said


def test_check_says_what_a_backup_would_fail_of(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("short\n")

    def check(*settings: str) -> str:
        file = tmp_path / "robot.toml"
        file.write_text("\n".join([f'data = "{tmp_path / "data"}"', 'embedding_model = "none"', "port = 1", *settings]))
        return CliRunner().invoke(cli, ["--config", str(file), "check"]).output

    assert "\nbackup: nowhere; set backup_destination" in check()
    failing = check('backup_destination = "/not/mounted"', f'backup_passphrase_file = "{passphrase}"')
    assert "\nproblem: backup_destination /not/mounted is no directory" in failing
    assert "\nproblem: The passphrase in" in failing


def test_errors_of_places_are_sentences() -> None:
    assert _sentence(NotStored("runs/x", "s3://b")) == "There is no runs/x at s3://b."
    assert issubclass(StoreFull, StoreError)
