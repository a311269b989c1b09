"""Texts under headings as wikis: each text is a page of its own without its heading, by which it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.quality.documents import Section, html_sections, is_chinese, manual_sections, plain, rendered_manual
from bench.quality.manuals import MANUALS
from bench.quality.values import Collection, Place, Question, QuestionSet, in_chance_order, merged

DOCUMENTATION = Path("/usr/share/doc")

SHORTEST_CHARACTERS, SHORTEST_CHINESE_CHARACTERS = 150, 50


def frequently_asked(most: int) -> Collection | None:
    """The questions that Python, Debian and Perl are asked most often, with few words of their answers in them."""
    html = {
        "Python": sorted(DOCUMENTATION.glob("python3.*/html/faq/*.html")),
        "Debian": sorted(DOCUMENTATION.glob("debian/FAQ/*.en.html")),
    }
    manuals = [file for number in range(1, 10) if (file := MANUALS / f"man1/perlfaq{number}.1.gz").exists()]
    sections = {name: [section for file in files for section in html_sections(file)] for name, files in html.items()}
    sections["Perl"] = [section for file in manuals for section in manual_sections(rendered_manual(file))]
    asked = {
        f"{name}/Answer {number}": section
        for name, each in sections.items()
        for number, section in enumerate(each)
        if section.heading.endswith("?")
    }
    return _headed("faq", "a question of a person → its answer", "en", asked, most)


def handbook(folder: str, language: str, most: int) -> Collection | None:
    """The sections of the Debian handbook that are in this language, asked for by headings of two words or more."""
    files = sorted((DOCUMENTATION / "debian-handbook/html" / folder).glob("*.html"))
    asked = {
        f"Handbook/Section {number}": section
        for number, section in enumerate(section for file in files for section in html_sections(file))
        if (is_chinese(section.heading) and is_chinese(section.text))
        or (language != "zh" and len(section.heading.split()) >= 2)
    }
    return _headed(f"handbook-{language}", "a heading → the text under it", language, asked, most)


def _headed(name: str, kind: str, language: str, asked: Mapping[str, Section], most: int) -> Collection | None:
    least = SHORTEST_CHINESE_CHARACTERS if language == "zh" else SHORTEST_CHARACTERS
    chosen = [page for page in in_chance_order(asked) if len(asked[page].text) >= least][:most]
    questions = [Question(asked[page].heading, frozenset({Place(page)})) for page in chosen]
    sets = (QuestionSet(name, kind, "the heading", language, merged(questions)),)
    return Collection(name, {page: plain(asked[page].text) for page in chosen}, sets) if chosen else None
