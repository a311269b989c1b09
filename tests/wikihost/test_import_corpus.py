"""The names corpus through an import: legal names come as they are, others by rule or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.names_corpus import LEGAL, REFUSED, SPELLINGS
from tests.wikihost.test_import_run import LIMITS, Stage, ignore
from tests.wikihost.wikis import ADA
from wikihost.errors import InvalidPageName
from wikihost.imports.archives import Archive
from wikihost.imports.run import Order, plan_import, run_import
from wikihost.imports.values import Choices, OnExisting, Report
from wikihost.names import name_of_file, parse_page_name

HIDDEN = {".hidden"}  # legal, and yet no page of a vault: programs keep their own things there
ENCODABLE = [name for name in REFUSED if name != "lone\ud800"]  # a zip's names are UTF-8


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.write()
    yield stage
    stage.content.close()


def text_of(name: str) -> str:
    """Something of its own for each name, without a link in it."""
    return name.encode().hex()


def archive(stage: Stage, names: list[str]) -> Path:
    """A zip with these very names, of which `zipfile` would change some."""
    place = stage.place / "source.zip"
    with zipfile.ZipFile(place, "w") as made:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = f"{name}.md"
            made.writestr(info, text_of(name))
    return place


def run(stage: Stage, names: list[str], existing: OnExisting = OnExisting.SKIP) -> Report:
    order = Order("source.zip", Choices(existing), LIMITS, ADA)
    with Archive(archive(stage, names), LIMITS) as source:
        planned = plan_import(stage.content, source, order, ignore)
        done = run_import(stage.content, stage.home, stage.place / "made", source, order, ignore)
    assert (planned.refused, planned.renamed, planned.hidden) == (done.refused, done.renamed, done.hidden)
    return done


def test_legal_names_come_and_go_as_they_are(stage: Stage, tmp_path: Path) -> None:
    names = [name for name in LEGAL if name not in HIDDEN]
    report = run(stage, [*names, *HIDDEN], OnExisting.REPLACE)
    assert (report.refused, report.renamed) == ([], [])
    assert sorted(report.hidden) == sorted(f"{name}.md" for name in HIDDEN)
    for name in names:
        assert stage.text(name) == text_of(name)
    assert {name_of_file(path) for path in stage.files()} == {*names, "Mine"}


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("corpus"))
    stage.write()
    yield stage
    stage.content.close()


@pytest.mark.parametrize("name", ENCODABLE, ids=ascii)
def test_a_name_that_is_refused_elsewhere_is_refused_or_gets_another(one_for_all: Stage, name: str) -> None:
    stage = one_for_all
    with pytest.raises(InvalidPageName):
        parse_page_name(name)
    before = stage.files()
    report = run(stage, [name], OnExisting.RENAME)
    new = stage.files() - before
    assert f"{name}.md" not in new
    for path in new:
        assert (found := name_of_file(path)) is not None
        assert parse_page_name(found) == found
    if "\\" in name and new:  # what Windows calls a folder is one
        assert new == {"back/slash.md"}
    elif new:
        assert [f"{moved.target}.md" for moved in report.renamed] == list(new)
        assert report.renamed[0].reason
    else:
        assert [refusal.reason for refusal in report.refused] or report.hidden


def test_all_of_them_together_lose_none(stage: Stage) -> None:
    names = [*(name for name in LEGAL if name not in HIDDEN), *ENCODABLE]
    report = run(stage, names, OnExisting.REPLACE)
    listed = len(report.created) + len(report.replaced) + len(report.refused) + len(report.hidden)
    hidden_twice = sum(name.casefold().startswith(".git/") for name in names) - 1
    assert listed + hidden_twice >= len(names)
    for name in LEGAL:
        assert name in HIDDEN or stage.text(name) == text_of(name)


@pytest.mark.parametrize(("stored", "other"), SPELLINGS.items(), ids=ascii)
def test_two_spellings_are_one_page(stage: Stage, stored: str, other: str) -> None:
    stage.write(stored, "mine")
    before = stage.files()
    assert list(run(stage, [other], OnExisting.SKIP).skipped) == [stored]
    assert list(run(stage, [other], OnExisting.REPLACE).replaced) == [stored]
    assert (stage.text(stored), stage.files()) == (text_of(other), before)
    report = run(stage, [other], OnExisting.RENAME)
    (new,) = stage.files() - before
    assert [f"{moved.target}.md" for moved in report.renamed] == [new]
    both = run(stage, [f"Both/{stored}", f"Both/{other}"])
    assert len(both.created) == 2
