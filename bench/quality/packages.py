"""Descriptions of the installed Debian packages as a wiki, asked for by their synopses."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from bench.quality.documents import plain
from bench.quality.values import Collection, Place, Question, QuestionSet, in_chance_order, merged

STATUS = Path("/var/lib/dpkg/status")

SHORTEST_WORDS = 25
# Binary packages of one source often share their text.
MOST_OF_A_SOURCE = 3

_FIELD = re.compile(r"^(Package|Source|Status): (\S+)", re.MULTILINE)
_DESCRIPTION = re.compile(r"^Description: (.+)\n((?: .*\n?)+)", re.MULTILINE)
_INDENT = re.compile(r"^ (?:\.$)?", re.MULTILINE)


def packages(most: int) -> Collection | None:
    """One set of questions; a page for each package."""
    if not STATUS.exists():
        return None
    found: dict[str, tuple[str, str]] = {}
    sources, seen = Counter[str](), set[str]()
    for entry in STATUS.read_text("utf-8", "replace").split("\n\n"):
        fields: dict[str, str] = dict(_FIELD.findall(entry))
        description = _DESCRIPTION.search(entry)
        if fields.get("Status") != "install" or description is None:
            continue
        text = _INDENT.sub("", description[2]).strip()
        source = fields.get("Source", fields["Package"])
        if len(text.split()) < SHORTEST_WORDS or text in seen or sources[source] == MOST_OF_A_SOURCE:
            continue
        seen.add(text)
        sources[source] += 1
        found[fields["Package"]] = (description[1], text)
    chosen = in_chance_order(found)[:most]
    asked = [Question(found[name][0], frozenset({Place(f"Packages/{name}")})) for name in chosen]
    questions = QuestionSet("packages", "a package's synopsis → its description", "the synopsis", "en", merged(asked))
    return Collection("packages", {f"Packages/{name}": plain(found[name][1]) for name in chosen}, (questions,))
