"""What a page's Markdown says of itself: frontmatter, links, words. Pure, and never raises."""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Any

import yaml

from wikihost.headings import Heading, headings

MAX_FRONTMATTER_CHARACTERS = 65_536
# Of a page's body: the catalog is not kept waiting for the headings of an absurd one.
MAX_OUTLINED_CHARACTERS = 262_144
_MAX_YAML_DEPTH = 20
_MAX_YAML_NODES = 10_000  # aliases let a few lines stand for billions of values

# libyaml recurses in C without a limit: some thousand nested brackets or dashes end the process.
_MAX_NESTING_FOR_LIBYAML = 400
_NESTING = re.compile(r"[\[{]|[-?:](?=\s)")


def keep_merge_keys(_loader: Any, node: yaml.MappingNode) -> None:
    """In place of PyYAML's `flatten_mapping`: `<<` is a key like any other.

    What merge keys copy multiplies with each level, before anybody could count it: 500 bytes fill the memory.
    """
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            key.tag = "tag:yaml.org,2002:str"


def _without_merging(loader: type[Any]) -> type[Any]:
    return type(loader.__name__, (loader,), {"flatten_mapping": keep_merge_keys})


_PythonLoader = _without_merging(yaml.SafeLoader)
_FastLoader = _without_merging(getattr(yaml, "CSafeLoader", yaml.SafeLoader))

_FRONTMATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_BACKTICKS = re.compile(r"(?<![\\`])`+")
_WIKILINK = re.compile(r"\[\[([^\[\]\n]+)\]\]")
_LINK_NAME = re.compile(r"\s*/*(.*?)\s*")  # group 1: the name alone


@dataclass(frozen=True, slots=True)
class Outline:
    """All that the catalog wants of a page."""

    title: str
    frontmatter: Mapping[str, Any] | None
    category: str | None
    tags: tuple[str, ...]
    body: str
    headings: tuple[Heading, ...]
    links: tuple[str, ...]
    words: int


def outline(name: str, text: str) -> Outline:
    """Read a page whole; `name` is its page name."""
    frontmatter, body = split_frontmatter(text)
    return Outline(
        title=page_title(name, frontmatter),
        frontmatter=frontmatter,
        category=_as_text(frontmatter.get("category")) if frontmatter else None,
        tags=_tags(frontmatter.get("tags")) if frontmatter else (),
        body=body,
        headings=tuple(headings(body[:MAX_OUTLINED_CHARACTERS])),
        links=tuple(wikilinks(body)),
        words=len(body.split()),
    )


def page_title(name: str, frontmatter: Mapping[str, Any] | None) -> str:
    """The frontmatter's title, else the last part of the name."""
    title = _as_text(frontmatter.get("title")) if frontmatter else None
    return title or name.rpartition("/")[2]


def split_frontmatter(text: str) -> tuple[dict[str, Any] | None, str]:
    """The frontmatter as JSON-safe values and the body. Broken or absent: None and the whole text."""
    match = _FRONTMATTER.match(text)
    if match is None or len(match[1]) > MAX_FRONTMATTER_CHARACTERS:
        return None, text
    parsed = _load_yaml(match[1])
    if not isinstance(parsed, dict):
        return None, text
    return parsed, text[match.end() :]


def wikilinks(body: str) -> list[str]:
    """Names that the page links to with `[[Name]]` or `[[shown|Name]]`, each once, in order.

    Code spans and fences hold no links. A leading slash and an `#anchor` are no part of the name.
    """
    found = (_link_target(match[1]) for _, match in _links(body))
    return list(dict.fromkeys(target for target in found if target))


def retarget_links(text: str, is_meant: Callable[[str], bool], new: str) -> str:
    """The page's text (frontmatter and all) with every link to a name that `is_meant` going to `new`.

    What is shown and the `#anchor` stay as they are, and so does all that is no link.
    """
    _, body = split_frontmatter(text)
    start = len(text) - len(body)
    kept: list[str] = []
    position = 0
    for offset, match in _links(body):
        if not is_meant(_link_target(match[1])):
            continue
        name = _LINK_NAME.fullmatch(match[1].rpartition("|")[2].partition("#")[0])
        if name is None:
            continue
        link_start = start + offset + match.start(1) + match[1].rfind("|") + 1
        kept += [text[position : link_start + name.start(1)], new]
        position = link_start + name.end(1)
    return "".join([*kept, text[position:]])


def text_outside_code(body: str, mark: str) -> Iterator[tuple[int, str]]:
    """Runs of the body that hold `mark`, with their offsets: none of a fence, and code spans masked by backticks."""
    if mark not in body:
        return
    for offset, block in _blocks_outside_fences(body):
        if mark in block:
            yield offset, _mask_code_spans(block)


def _links(body: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Each link outside code, and the offset that its match counts from; code spans are masked in it."""
    for offset, block in text_outside_code(body, "[["):
        for match in _WIKILINK.finditer(block):
            yield offset, match


def _link_target(inside: str) -> str:
    target = inside.rpartition("|")[2].partition("#")[0].strip().lstrip("/").removesuffix(".md")
    return unicodedata.normalize("NFC", target)


def _lines_outside_fences(body: str) -> Iterator[tuple[int, str]]:
    fence = ""
    for number, line in enumerate(body.splitlines()):
        match = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence:
            # Closed by at least as many of the same character and nothing else on the line (CommonMark 4.5).
            if match and match[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif match:
            fence = match[1]
        else:
            yield number, line


def _blocks_outside_fences(body: str) -> Iterator[tuple[int, str]]:
    """Runs of lines without a blank line or a fence between, with their offsets: a code span cannot leave one."""
    starts = list(accumulate(map(len, body.splitlines(keepends=True)), initial=0))
    first = previous = -1
    for number, line in _lines_outside_fences(body):
        if number != previous + 1 or not line.strip():
            if first >= 0:
                yield starts[first], body[starts[first] : starts[previous + 1]]
            first = number
        elif first < 0:
            first = number
        previous = number
    if first >= 0:
        yield starts[first], body[starts[first] : starts[previous + 1]]


def _mask_code_spans(block: str) -> str:
    """The block, as long as before, with backticks in place of each code span."""
    if "`" not in block:
        return block
    runs = [(match.start(), match.end()) for match in _BACKTICKS.finditer(block)]
    # The next run of each length, seen from the end: one pass, however many runs never close.
    closing: list[int | None] = [None] * len(runs)
    last_of_length: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        closing[index] = last_of_length.get(length)
        last_of_length[length] = index
    kept: list[str] = []
    position = index = 0
    while index < len(runs):
        close = closing[index]
        if close is not None:
            start, end = runs[index][0], runs[close][1]
            kept += [block[position:start], "`" * (end - start)]
            position = end
            index = close
        index += 1
    kept.append(block[position:])
    return "".join(kept)


def _load_yaml(source: str) -> Any:
    nesting = sum(1 for _ in _NESTING.finditer(source))
    loader = _FastLoader if nesting <= _MAX_NESTING_FOR_LIBYAML else _PythonLoader
    try:
        return _json_value(yaml.load(source, loader), 0, [_MAX_YAML_NODES])  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError):
        # Constructors of dates, numbers and sets raise their own errors on odd input.
        return None


def _json_value(value: Any, depth: int, nodes_left: list[int]) -> Any:
    """Plain JSON values: dates as ISO text, what JSON cannot say as text. ValueError when too deep or too many."""
    nodes_left[0] -= 1
    if depth > _MAX_YAML_DEPTH or nodes_left[0] < 0:
        raise ValueError("frontmatter is too large")
    match value:
        case None | bool():
            return value
        case str():
            return _encodable(value)
        case int():
            return value if value.bit_length() <= 64 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case dict():
            return {_encodable(str(key)): _json_value(item, depth + 1, nodes_left) for key, item in value.items()}
        case list() | tuple():
            return [_json_value(item, depth + 1, nodes_left) for item in value]
        case set():
            return sorted((_json_value(item, depth + 1, nodes_left) for item in value), key=str)
        case _:
            return str(value)


def _encodable(text: str) -> str:
    """The text without lone surrogates, which YAML's escapes can make and nothing can store."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_text(value: Any) -> str | None:
    """A scalar as one line of text; None for lists, mappings and nothing."""
    if value is None or isinstance(value, (list, dict)):
        return None
    return " ".join(str(value).split()) or None


def _tags(value: Any) -> tuple[str, ...]:
    """Tags of a list, or of a string with commas; each once, in order."""
    items = value if isinstance(value, list) else str(value).split(",") if value is not None else []
    if isinstance(value, dict):
        return ()
    texts = (_as_text(item) for item in items)
    return tuple(dict.fromkeys(text for text in texts if text))
