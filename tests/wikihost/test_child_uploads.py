"""Files that a browser uploads or renames: the rule for their names is that of all doors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wikihost.fleets import FleetInThread, ask, hosted, repository
from tests.wikihost.test_child_pages import multipart
from tests.wikihost.wikis import assert_sound
from wikihost.content import Content
from wikihost.fleet import HostedWiki

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetInThread]:
    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run") as running:
        yield running


def files(wiki: HostedWiki) -> set[str]:
    repo = repository(wiki)
    return {path for path, _ in repo.files(repo.head())}


async def test_names_that_no_file_may_have(fleet: FleetInThread, tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    worker = await fleet.wake(wiki)
    for name in ("x.md", "X.MD", ".gitattributes", ".git", "-x", "x.", "x\x85y", "n" * 256, "..", "a/../../x"):
        body, kind = multipart("file", name, b"data")
        sent = await ask(worker, "/Home/attachments", body=body, content_type=kind)
        assert sent.status < 500, name
        assert files(wiki) <= {"Home.md", "Home/x", "Home/git", "Home/gitattributes", "Home/xy"}, name
    body, kind = multipart("file", "good name.bin", b"data")
    assert (await ask(worker, "/Home/attachments", body=body, content_type=kind)).status == 302
    for name in ("x.md", "-x", ".gitattributes", "x\x85y", "../../x"):
        sent = await ask(worker, "/Home/attachment/good name.bin".replace(" ", "%20"), form={"new_filename": name})
        assert sent.status < 500, name
        assert "Home/good name.bin" in files(wiki), name
    assert_sound(wiki.home)


@pytest.mark.parametrize("size", [10 * MIB, 10 * MIB + 1])
async def test_ten_mebibytes_and_one_byte_more(fleet: FleetInThread, tmp_path: Path, size: int) -> None:
    """What the API takes in one piece is no limit here: a person may upload what a request may hold."""
    wiki, data = hosted(tmp_path), bytes(size)
    body, kind = multipart("file", "large.bin", data)
    worker = await fleet.wake(wiki)
    assert (await ask(worker, "/Home/attachments", body=body, content_type=kind)).status == 302
    content = Content(wiki.home)
    assert content.read_blob(content.find_attachment("Home", "large.bin").blob) == data
    content.close()
    shown = await ask(worker, "/Home/large.bin")
    assert (shown.status, shown.headers["content-length"]) == (200, str(size))
