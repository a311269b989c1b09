"""Manual pages and HTML as sections of plain text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup, Tag  # type: ignore[import-untyped]

_SECTION_INDENT, _SUBSECTION_INDENT, _TEXT_INDENT = 0, 3, 7
_DASH = re.compile(r"\s[-–—]+\s")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+(?=[A-ZÄÖÜ\"'(`])|(?<=[。！？])")
_NUMBER = re.compile(r"^(?:(?:Chapter|Kapitel|Appendix|Anhang)\s)?(?:\d+|[A-Z])(?:\.\d+)*\.\s+|^第 \d+ 章 ")
_LIKE_A_HEADING = re.compile(r"^ {0,3}(?=#|=+$|-+$)", re.MULTILINE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = (*_HEADINGS, "p", "pre", "li", "dt", "dd", "td")


@dataclass(frozen=True, slots=True)
class Option:
    """`tag` is the option as the page names it."""

    tag: str
    description: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its level from 1, and the blocks under it, none of its subsections'."""

    level: int
    heading: str
    blocks: Sequence[str | Option]

    @property
    def characters(self) -> int:
        return sum(len(block) if isinstance(block, str) else len(block.description) for block in self.blocks)

    @property
    def text(self) -> str:
        return "\n\n".join(block for block in self.blocks if isinstance(block, str))


class PageText:
    """A page in the making, which knows the line that it is at."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, block: str) -> int:
        """Put a block at the end; the number of its first line, from 1."""
        first = len(self._lines) + 1
        self._lines += [*block.split("\n"), ""]
        return first

    def __str__(self) -> str:
        return "\n".join(self._lines)


def plain(text: str) -> str:
    """Text whose lines Markdown does not take for headings."""
    return _LIKE_A_HEADING.sub(r"\\\g<0>", text)


def is_chinese(text: str) -> bool:
    """Whether a good part of the text is in Chinese."""
    return len(_CHINESE.findall(text)) > len(text) // 4


def rendered_manual(file: Path) -> str:
    """A manual page as `man` shows it, in lines so long that paragraphs stay whole; empty where it cannot."""
    if shutil.which("man") is None:
        return ""
    shown = subprocess.run(
        ["man", "--no-hyphenation", "--no-justification", "--local-file", str(file)],
        env=os.environ | {"MANWIDTH": "9000", "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MAN_KEEP_FORMATTING": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def manual_sections(rendered: str) -> list[Section]:
    """The sections of a rendered manual page, subsections at level 3; the first of them is its NAME."""
    lines = rendered.strip("\n").split("\n")[1:-1]  # without header and footer
    sections: list[Section] = []
    body: list[str] = []
    level, heading = 0, ""
    for line in (*lines, "END"):
        indent = len(line) - len(line.lstrip())
        if not line.strip() or indent not in {_SECTION_INDENT, _SUBSECTION_INDENT}:
            body.append(line)
            continue
        if heading:
            sections.append(Section(level, heading, list(_manual_blocks(body))))
        level, heading, body = (2 if indent == _SECTION_INDENT else 3), line.strip(), []
    return sections


def one_liner(name: Section) -> str:
    """What the NAME section says behind the dash; empty where there is none, or more than one."""
    first = name.text.split("\n")
    parts = _DASH.split(first[0], maxsplit=1) if len(first) == 1 else []
    return parts[1].strip() if len(parts) == 2 else ""


def _manual_blocks(lines: Sequence[str]) -> Iterator[str | Option]:
    """Paragraphs, and the options among them with what is said of each."""
    paragraph: list[str] = []
    for line in (*lines, ""):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield _manual_block(paragraph)
            paragraph = []


def _manual_block(paragraph: Sequence[str]) -> str | Option:
    stripped = [line.strip() for line in paragraph]
    indent = len(paragraph[0]) - len(paragraph[0].lstrip())
    if not stripped[0].startswith("-") or indent < _TEXT_INDENT:
        return "\n".join(stripped)
    tag, _, beside = stripped[0].partition("  ")
    return Option(tag, " ".join([beside, *stripped[1:]]).strip())


def html_sections(file: Path) -> list[Section]:
    """The sections of an HTML page in reading order, headings without their numbers."""
    text = file.read_text("utf-8", "replace")
    soup = BeautifulSoup(text, "xml" if text.startswith("<?xml") else "lxml")
    for link in soup.select("a.headerlink, .sphinxsidebar, nav"):
        link.decompose()
    sections: list[Section] = []
    blocks: list[str | Option] = []
    for element in soup.find_all(_BLOCKS):
        if not isinstance(element, Tag):
            continue
        if element.name in _HEADINGS:
            blocks = []
            heading = _NUMBER.sub("", _flat(element.get_text()).removesuffix("¶"))
            sections.append(Section(int(element.name[1]), heading, blocks))
        elif not element.find_parent(_BLOCKS) and (shown := element.get_text().strip()):
            blocks.append(f"```\n{shown}\n```" if element.name == "pre" else _flat(shown))
    return sections


def first_sentence(text: str) -> tuple[str, str]:
    """The first sentence of a text, and the rest."""
    parts = _SENTENCE_END.split(text.strip(), maxsplit=1)
    return parts[0].strip(), parts[1].strip() if len(parts) == 2 else ""


def _flat(text: str) -> str:
    return " ".join(text.split())
