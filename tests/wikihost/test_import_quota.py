"""An import and the wiki's quota: the report says what the writer will say, and too much changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.wikihost.test_import_run import LIMITS, Stage, ignore
from tests.wikihost.wikis import ADA, git
from wikihost.errors import QuotaExceeded
from wikihost.imports.archives import Archive
from wikihost.imports.run import Order, plan_import, run_import
from wikihost.imports.values import Choices, LinkStyle, OnExisting, Report
from wikihost.quota import Quota, Usage, write_quota
from wikihost.usage import Ledger

Files = Mapping[str, bytes | str]

VAULT: Files = {
    "Start.md": "[[Plan|the plan]] ![[shot.png|200]]",
    "Work/Plan.md": "Back to [[Start]].",
    "files/shot.png": b"\x89PNG" * 20,
    "files/unused.pdf": b"pdf",
    "Mine.md": "not mine",
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.write("Mine", "mine, and long\n" * 9)
    yield stage
    stage.content.close()


def held(stage: Stage) -> Usage:
    """Counted anew, whatever was kept."""
    with stage.content.snapshot() as snapshot:
        return Ledger(stage.place / "none").usage(snapshot.repository, snapshot.head)


def limit(stage: Stage, pages: int = 1_000, size_bytes: int = 1_000_000) -> None:
    write_quota(stage.home.quota, Quota(pages, size_bytes))


def look(stage: Stage, files: Files, existing: OnExisting, style: LinkStyle = LinkStyle.AUTO) -> Report:
    with Archive(stage.archive(files), LIMITS) as source:
        return plan_import(stage.content, source, Order("source.zip", Choices(existing, style), LIMITS, ADA), ignore)


def assert_refused(stage: Stage, files: Files, existing: OnExisting, style: LinkStyle = LinkStyle.AUTO) -> str:
    """The report says so, and so does the import, which leaves nothing behind; the sentence."""
    before, objects = stage.content.head(), sorted(stage.home.git_dir.rglob("*"))
    report = look(stage, files, existing, style)
    order = Order("source.zip", Choices(existing, style), LIMITS, ADA)
    with Archive(stage.archive(files), LIMITS) as source, pytest.raises(QuotaExceeded) as refused:
        run_import(stage.content, stage.home, stage.place / "made", source, order, ignore)
    assert report.no_room == str(refused.value)
    assert stage.content.head() == before
    assert sorted(stage.home.git_dir.rglob("*")) == objects
    assert not (stage.place / "made").exists()
    assert git(stage.home, "status", "--porcelain", "--untracked-files=all") == ""
    return report.no_room


@pytest.mark.parametrize("style", [LinkStyle.OBSIDIAN, LinkStyle.OTTER])
@pytest.mark.parametrize("existing", OnExisting)
def test_one_page_or_one_byte_too_much_is_said_before_and_just_enough_goes_in(
    stage: Stage, tmp_path: Path, existing: OnExisting, style: LinkStyle
) -> None:
    other = Stage(tmp_path / "other")
    other.write("Mine", "mine, and long\n" * 9)
    other.run(VAULT, existing, style)
    after = held(other)
    other.content.close()

    limit(stage, pages=after.pages - 1)
    sentence = assert_refused(stage, VAULT, existing, style)
    assert f"would have {after.pages} pages, and it may have {after.pages - 1}" in sentence
    assert "ask the operator" in sentence
    limit(stage, size_bytes=after.size_bytes - 1)
    sentence = assert_refused(stage, VAULT, existing, style)
    assert f"This needs {after.size_bytes - held(stage).size_bytes:,} bytes more" in sentence
    limit(stage, after.pages, after.size_bytes)
    assert stage.run(VAULT, existing, style).no_room == ""
    assert held(stage) == after


def test_what_shrinks_a_wiki_that_is_over_its_quota_goes_in(stage: Stage) -> None:
    limit(stage, pages=1, size_bytes=1)
    assert list(stage.run({"Mine.md": "less"}, OnExisting.REPLACE).replaced) == ["Mine"]
    assert_refused(stage, {"Mine.md": "more than that"}, OnExisting.REPLACE)
    assert_refused(stage, {"Mine.md": "", "New.md": ""}, OnExisting.REPLACE)


def test_what_is_there_already_needs_no_room(stage: Stage) -> None:
    stage.run(VAULT, OnExisting.REPLACE)
    full = held(stage)
    limit(stage, full.pages, full.size_bytes)
    assert not stage.run(VAULT, OnExisting.REPLACE).changes_something
    assert not stage.run(VAULT, OnExisting.SKIP).changes_something
