"""The documents keep their promises: links lead somewhere, settings and verbs are all named."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from robot.cli import VERBS
from robot.rest.app import OPERATIONS
from robot.rest.openapi import document
from robot.settings import Settings

ROOT = Path(__file__).parent.parent
MOST_TOKENS_TO_LIST = 12_000
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text("utf-8"))
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_names_in_tables_and_text_exist(document: Path) -> None:
    named = re.findall(r"`((?:robot|wikihost|proxy|systemd)/[\w./-]*)`", document.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    example = (ROOT / "systemd" / "robot.toml.example").read_text("utf-8")
    named = set(re.findall(r"^#?\s?([a-z_]+) = ", example, re.MULTILINE))
    assert named == set(Settings.model_fields)


def test_the_page_on_the_api_is_current() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "make_api_page.py"))["render"]
    current = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert render(document(OPERATIONS)) == current, "run `make docs`"


def test_the_page_on_agents_is_current() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "make_agents_page.py"))["render"]
    page = (ROOT / "docs" / "agents.md").read_text("utf-8")
    assert render() == page, "run `make docs`"
    size = re.search(r"about ([0-9,]+) tokens to list", page)
    assert size is not None
    assert int(size[1].replace(",", "")) <= MOST_TOKENS_TO_LIST


@pytest.mark.parametrize("page", ["agents.md", "api.md"])
def test_its_own_contents_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    heads = {head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert [target for target in re.findall(r"\]\(#([^)]+)\)", text) if target not in heads] == []


def test_every_verb_has_a_module() -> None:
    modules = {path.stem.strip("_").replace("_", "-") for path in (ROOT / "robot" / "commands").glob("*.py")}
    assert modules - {"init", "opened", "running-host"} == set(VERBS)
