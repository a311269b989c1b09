"""Pictures that are small to send and huge to show: a worker neither fills the memory with them nor hangs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest

from tests.wikihost.fleets import READER, FleetInThread, ask, hosted
from wikihost.content import Content
from wikihost.fleet import HostedWiki, Worker
from wikihost.values import Author

MIB = 1024 * 1024
ADA = Author("Ada", "ada@example.org")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="30000"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


def png(width: int, height: int) -> bytes:
    """A black picture, one bit for each pixel (PNG, section 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, line = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def photo(width: int, height: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "teal").save(buffer, kind)
    return buffer.getvalue()


def with_files(root: Path, files: dict[str, bytes]) -> HostedWiki:
    wiki = hosted(root)
    content = Content(wiki.home)
    for name, data in files.items():
        content.write_attachment("Home", name, data, author=ADA)
    content.close()
    return wiki


def peak_bytes(worker: Worker) -> int:
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def test_what_cannot_be_scaled_is_sent_as_it_is(fleet: FleetInThread, tmp_path: Path) -> None:
    files = {
        "bomb.png": png(30_000, 30_000),
        "small.png": png(8, 8),
        "tall.png": png(1, 100_000),
        "broken.png": b"\x89PNG\r\n\x1a\nnothing",
        "cut.png": photo(200, 200, "PNG")[:100],
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "drawing.svg": SVG,
    }
    asked = [(name, "thumbnail") for name in files if name not in ("small.png", "tall.png")] + [
        ("bomb.png", "size=30000"),
        ("small.png", "width=30000&height=30000"),
        ("small.png", "width=-1"),
        ("small.png", "height=0"),
        ("small.png", "width=9999999999999999999999"),
        ("tall.png", "width=2000"),
    ]
    worker = await fleet.wake(with_files(tmp_path, files))
    assert (await ask(worker, "/Home", READER)).status == 200
    before = peak_bytes(worker)
    for name, query in asked:
        shown = await ask(worker, f"/Home/{name}?{query}", READER)
        assert (shown.status, shown.headers.get("content-length")) == (200, str(len(files[name]))), (name, query)
        assert "sandbox" in shown.headers["content-security-policy"]
    assert peak_bytes(worker) - before < 30 * MIB
    assert (await ask(worker, "/Home", READER)).status == 200


async def test_a_photograph_is_scaled(fleet: FleetInThread, tmp_path: Path) -> None:
    files = {f"photo.{kind.lower()}": photo(4000, 3000, kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")}
    worker = await fleet.wake(with_files(tmp_path, files))
    for name, data in files.items():
        for query in ("thumbnail", "width=400"):
            shown = await ask(worker, f"/Home/{name}?{query}", READER)
            assert (shown.status, int(shown.headers["content-length"]) < len(data)) == (200, True), (name, query)
