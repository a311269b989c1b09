"""Text in scripts that put no spaces between words (Chinese, Japanese, Thai, …), or endings on them (Korean). Pure.

Such a run of characters is one word to FTS5. It is indexed, and looked for, by its pairs of characters: most words of
Chinese have two, which an index of three (FTS5's `trigram`) does not find.
"""

from __future__ import annotations

import re

SCRIPTS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\uac00-\ud7a3"  # Korean
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
RUN = re.compile(f"[{SCRIPTS}]+")
_MARKS = f"(?:(?!\\w)[{SCRIPTS}])*"
# From its beginning or not at all: a long word would be read anew from each of its letters.
_BESIDE = re.compile(f"(?<=[{SCRIPTS}])[a-zA-Z0-9]+|(?<![a-zA-Z0-9])[a-zA-Z0-9]++(?=[{SCRIPTS}])")


def is_unspaced(text: str) -> bool:
    """Whether at least a quarter of a text's letters are of such scripts: two of them say as much as a word."""
    letters = sum(map(str.isalnum, text))
    return 4 * sum(len(_letters(run)) for run in RUN.findall(text)) >= letters > 0


def pairs(run: str) -> list[str]:
    """The pairs of neighbouring letters in a run, which may be a single one; marks above and below do not count."""
    letters = _letters(run)
    return [letters] if len(letters) == 1 else [letters[at : at + 2] for at in range(len(letters) - 1)]


def indexed(text: str) -> str:
    """What stands in the index for the runs of a text: their pairs, each run's last letter, and words beside them."""
    runs = [_letters(run) for run in RUN.findall(text)]
    found = [run[at : at + 2] for run in runs for at in range(len(run))]
    return " ".join(found + _BESIDE.findall(text)) if found else ""


def expression(run: str) -> str:
    """For a run that stands in a text as it is, in the syntax of FTS5; empty where it has no letter."""
    found = pairs(run)
    if not found or not found[0]:
        return ""
    return f'"{" ".join(found)}"' + (" *" if len(found[0]) == 1 else "")


def pattern(text: str) -> str:
    """A regular expression for a text with such runs, wherever marks stand above or below its letters."""
    letters = [character for character in text if character.isalnum() or not RUN.match(character)]
    return "".join(re.escape(letter) + _MARKS for letter in letters)


def _letters(run: str) -> str:
    return "".join(filter(str.isalnum, run))
