"""Archives and folders as sources: nothing of a hostile one gets further than a line in the report."""

from __future__ import annotations

import errno
import os
import resource
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.wikihost.wikis import ADA, make_wiki
from wikihost import objects, trees
from wikihost.commits import commit_object
from wikihost.imports.archives import Archive
from wikihost.imports.commits import CommitFiles
from wikihost.imports.folders import Folder
from wikihost.imports.texts import read_text
from wikihost.imports.values import ImportRefused, SourceLimits, Unreadable
from wikihost.repo import Repository

LIMITS = SourceLimits(2 * 1024 * 1024, total_bytes=8 * 1024 * 1024, files=100)


def pack(place: Path, files: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(place, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return place


def test_a_zip(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", {"x.md": "x"}).read_bytes()
    files: dict[str, bytes | str] = {
        "a/b.md": "text",
        "Städte/Zürich.md": "ü",
        "folder/": "",
        "nested.zip": inner,
        ".git/config": "x",
    }
    with Archive(pack(tmp_path / "a.zip", files), LIMITS) as archive:
        assert list(archive.files) == ["a/b.md", "Städte/Zürich.md", "nested.zip"]
        assert archive.read("Städte/Zürich.md") == "ü".encode()
        assert archive.read("nested.zip") == inner
        assert list(archive.hidden) == [".git/"]
        assert not archive.refused


def test_names_that_are_utf8_without_saying_so_and_names_in_cp437(tmp_path: Path) -> None:
    place = pack(tmp_path / "a.zip", {"Zuerich1.md": "1", "Zuerich2.md": "2"})
    data = place.read_bytes()
    data = data.replace(b"Zuerich1.md", "Zürich1.md".encode()).replace(b"Zuerich2.md", b"Z\x81\x81rich2.md")
    place.write_bytes(data)
    with Archive(place, LIMITS) as archive:
        assert list(archive.files) == ["Zürich1.md", "Züürich2.md"]
        assert archive.read("Zürich1.md") == b"1"


def test_links_devices_and_locked_entries_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "a.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for name, kind in (("link.md", stat.S_IFLNK), ("fifo.md", stat.S_IFIFO), ("fine.md", stat.S_IFREG)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, "/etc/passwd")
        archive.writestr("locked.md", "x")
    data = bytearray(place.read_bytes())
    at = data.rindex(b"locked.md") - 46
    data[at + 8] |= 1
    place.write_bytes(data)
    with Archive(place, LIMITS) as found:
        assert list(found.files) == ["fine.md"]
        reasons = {refusal.source: refusal.reason for refusal in found.refused}
    assert "symbolic link" in reasons["link.md"]
    assert "no regular file" in reasons["fifo.md"]
    assert "encrypted" in reasons["locked.md"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(tmp_path: Path, method: int) -> None:
    with Archive(pack(tmp_path / "a.zip", {"a.md": "x" * 1000}, method), LIMITS) as archive:
        assert "unusual way" in archive.refused[0].reason


def test_bombs(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "ratio.bin": b"\0" * 1_900_000,
        "huge.bin": os.urandom(2_200_000),
        "fine.md": "x" * 50_000,
    }
    with Archive(pack(tmp_path / "a.zip", files), LIMITS) as archive:
        assert list(archive.files) == ["fine.md"]
        assert sorted(refusal.source for refusal in archive.refused) == ["huge.bin", "ratio.bin"]
    with pytest.raises(ImportRefused, match="larger than 8 MiB"):
        Archive(pack(tmp_path / "b.zip", {f"{number}.md": b"ab" * 500_000 for number in range(9)}), LIMITS)
    with pytest.raises(ImportRefused, match="more than 100 files"):
        Archive(pack(tmp_path / "c.zip", {f"{number}.md": "x" for number in range(101)}), LIMITS)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """David Fifield's bomb: many entries, one kernel; each of them is within every ratio."""
    place = pack(tmp_path / "a.zip", {"kernel.bin": os.urandom(100_000), "b": "x"}, zipfile.ZIP_STORED)
    data = place.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start : data.index(b"PK\x01\x02", start + 4)]
    directory = b"".join(entry.replace(b"kernel.bin", b"kernel%04d" % number) for number in range(90))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 90, 90, len(directory), start, 0)
    place.write_bytes(data[:start] + directory + tail)
    assert end > start
    with pytest.raises(ImportRefused, match="overlap"):
        Archive(place, LIMITS)


def test_a_size_that_is_a_lie_is_not_believed(tmp_path: Path) -> None:
    place = pack(tmp_path / "a.zip", {"lie.md": "x" * 100_000})
    data = bytearray(place.read_bytes())
    for magic, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(magic) + offset
        data[at : at + 4] = struct.pack("<L", 10)
    place.write_bytes(data)
    with Archive(place, LIMITS) as archive, pytest.raises(Unreadable, match="damaged"):
        archive.read("lie.md")


def test_a_directory_of_a_million_entries_is_not_read(tmp_path: Path) -> None:
    place = tmp_path / "a.zip"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 400_000
    place.write_bytes(directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(ImportRefused, match="too many files"):
        Archive(place, LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 1


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", b"PK\x03\x04" + b"x" * 200, b"hello" * 100])
def test_what_is_no_zip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ImportRefused):
        Archive(tmp_path / "a.zip", LIMITS)


def test_damaged_entries_are_found_when_they_are_read(tmp_path: Path) -> None:
    place = pack(tmp_path / "a.zip", {"a.md": os.urandom(5000)}, zipfile.ZIP_STORED)
    data = bytearray(place.read_bytes())
    data[2000] ^= 0xFF
    place.write_bytes(data)
    with Archive(place, LIMITS) as archive, pytest.raises(Unreadable, match="damaged"):
        archive.read("a.md")


def test_reading_a_large_entry_costs_no_more_than_its_size(tmp_path: Path) -> None:
    """In a process of its own: what is read is bounded by what the archive says, whatever it unpacks to."""
    pack(tmp_path / "a.zip", {"a.bin": os.urandom(1000) * 1500})
    code = (
        "import resource, sys; from pathlib import Path; from wikihost.imports.archives import Archive\n"
        "from wikihost.imports.values import SourceLimits\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with Archive(Path(sys.argv[1]), SourceLimits(2 << 20)) as a: assert len(a.read('a.bin')) == 1500000\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.zip")], check=True, timeout=60)


def test_a_folder_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    root = tmp_path / "vault"
    (root / ".obsidian").mkdir(parents=True)
    (root / ".obsidian" / "app.json").write_text("{}")
    (root / "a").mkdir()
    (root / "a" / "b.md").write_text("b")
    (root / "link.md").symlink_to("../secret.md")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "pipe.md")
    folder = Folder(root, LIMITS)
    assert list(folder.files) == ["a/b.md"]
    assert folder.read("a/b.md") == b"b"
    assert sorted(refusal.source for refusal in folder.refused) == ["link.md", "pipe.md", "up"]
    assert list(folder.hidden) == [".obsidian/"]
    (root / "a" / "b.md").unlink()
    (root / "a" / "b.md").symlink_to("../../secret.md")
    with pytest.raises(Unreadable):
        folder.read("a/b.md")


@pytest.mark.parametrize(
    ("data", "text", "noted"),
    [
        ("Zürich".encode(), "Zürich", False),
        ("\ufeffZürich".encode(), "Zürich", False),
        ("Zürich".encode("utf-16"), "Zürich", True),
        ("Zürich".encode("latin-1"), "Zürich", True),
        (b"", "", False),
    ],
)
def test_texts(data: bytes, text: str, noted: bool) -> None:
    found = read_text(data)
    assert (found.text, found.note is not None) == (text, noted)


@pytest.mark.parametrize("data", [b"a\0b", b"x" * 1_000_001, b"x" * 5_000_000])
def test_what_is_no_text(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_text(data)


@pytest.mark.parametrize(("width", "depth", "words"), [(10, 20, "200,000 files"), (2, 70, "64 parts")])
def test_a_tree_bomb_in_a_repository_is_seen_without_walking_it(
    tmp_path: Path, width: int, depth: int, words: str
) -> None:
    """A few hundred bytes of git objects can say 10^20 files, or as many empty folders."""
    repository = Repository(make_wiki(tmp_path / "wiki").repo)
    made = [trees.NewObject(b"tree", b"")]
    for _ in range(depth):
        below = (trees.DIRECTORY, made[-1].digest())
        made.append(trees.NewObject(b"tree", trees.encode_tree({b"d%d" % n: below for n in range(width)})))
    commit = commit_object(made[-1].digest(), (), ADA, "Bomb", when=1)
    objects.store_objects(repository.git, repository.git_dir, [*made, commit])
    with pytest.raises(ImportRefused, match=words):
        CommitFiles(repository, commit.digest().hex(), LIMITS)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "open" / "a.md").write_text("a")
    (tmp_path / "closed" / "b.md").write_text("b")
    scandir = os.scandir

    def refuse(folder: str) -> Iterator[os.DirEntry[str]]:
        if os.path.basename(folder) == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    folder = Folder(tmp_path, LIMITS)
    assert list(folder.files) == ["open/a.md"]
    assert [(refusal.source, refusal.reason) for refusal in folder.refused] == [
        ("closed", "It cannot be read: Permission denied.")
    ]
