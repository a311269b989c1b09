"""A disk that fills up while people save: a clear page, and nothing half-written."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.wikihost.fleets import ask, hosted, running_fleet, save, text_at_head
from tests.wikihost.wikis import assert_sound
from wikihost.fleet import Worker

# Above what git's small objects take, below a page of random-looking text.
LIMIT_BYTES = 64 * 1024


def fill_the_disk(worker: Worker, limit_bytes: int = LIMIT_BYTES) -> None:
    """From now on the worker cannot write a file beyond the limit: write(2) fails, as on a full disk."""
    _, most = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (limit_bytes, most))


def free_the_disk(worker: Worker) -> None:
    _, most = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (most, most))


def incompressible(size: int) -> str:
    state = 1
    words: list[str] = []
    while 11 * len(words) < size:
        state = state * 6364136223846793005 % 2**64 + 1
        words.append(f"{state:x}")
    return " ".join(words) + "\n"


async def test_a_save_on_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    wiki, text = hosted(tmp_path), incompressible(300_000)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        fill_the_disk(worker)
        refused = await save(worker, "Home", text)
        assert (refused.status, "disk is full" in refused.text) == (507, True)
        assert text_at_head(wiki, "Home.md") == "# Welcome home\n"
        assert "Welcome home" in (await ask(worker, "/Home")).text
        assert_sound(wiki.home)
        # What fits still works, and so does everything once there is room.
        assert (await save(worker, "Small", "fits\n")).status == 302
        free_the_disk(worker)
        assert (await save(worker, "Home", text)).status == 302
    assert text_at_head(wiki, "Home.md") == text
    assert_sound(wiki.home)


async def test_an_upload_on_a_full_disk_leaves_no_part_of_it(tmp_path: Path) -> None:
    wiki, data = hosted(tmp_path), incompressible(300_000).encode()
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="data.txt"\r\n\r\n'
    kind = "multipart/form-data; boundary=frontier"
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        fill_the_disk(worker)
        refused = await ask(worker, "/Home/attachments", body=head + data + b"\r\n--frontier--\r\n", content_type=kind)
        assert refused.status == 507
        assert "data.txt" not in (await ask(worker, "/Home/attachments")).text
    assert_sound(wiki.home)


async def test_pages_are_read_on_a_full_disk(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        fill_the_disk(worker, limit_bytes=0)
        for path in ("/Home", "/-/index", "/-/changelog", "/Home/history"):
            assert (await ask(worker, path)).status == 200, path
        refused = await ask(worker, "/Home/draft", form={"content": "x", "revision": ""})
        assert (refused.status, "disk is full" in refused.text) == (507, True)
        assert (await save(worker, "Home", "x\n")).status == 507
        free_the_disk(worker)
        assert (await save(worker, "Home", "x\n")).status == 302
    assert_sound(wiki.home)
