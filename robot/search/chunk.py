"""A page to passages, along its sections. Pure.

Text is cut at headings; small neighbouring sections share a passage and long ones are cut between blocks, so a fence
or a table that fits stays whole. Passages do not overlap: an edit re-embeds what it touched and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from robot.search.values import BETWEEN_HEADINGS
from wikihost.headings import Anchors, block_tokens

# Part of every model id: raise it when the same page would be cut or prefixed differently.
CHUNKER_VERSION = 1

CountTokens = Callable[[str], int]

TARGET_TOKENS = 200
# With the prefix, and below the model's 256 because two more tokens mark the ends.
HARD_TOKENS = 250
PREFIX_TOKENS = 40
# A passage smaller than this says too little on its own; it is joined with a neighbour when both fit.
SMALL_TOKENS = 80
# Tokenizers take a long run without spaces (base64, say) for one unknown word; it counts by its length instead.
MOST_CHARS_PER_TOKEN = 10
# How many headings a section path shows, as clients of the API know it.
PATH_HEADINGS = 3

# Text is cut behind these. Chinese and Japanese sentences end without a space, and a closing quote goes with its own.
_SENTENCE = re.compile(r"[.!?]\s+|[。！？]+[”’」』）]*\s*")
_LINE = re.compile(r"\n")
_WORD = re.compile(r"\s+")
_PROSE = (_SENTENCE, _LINE, _WORD)
_ROWS = (_LINE, _WORD)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a page.

    `section_path` joins the headings above it, without the page's title; `embedded` is `text` with the prefix that
    says where it stands, and decides the content hash. `lines` are those of the body that it is from, counted from 0.
    """

    ordinal: int
    section: str
    section_path: str
    anchor: str
    text: str
    embedded: str
    lines: range


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    lines: range
    is_prose: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A block or some of one, with its size."""

    text: str
    tokens: int
    lines: range


@dataclass(frozen=True, slots=True)
class _Section:
    headings: tuple[str, ...]
    anchor: str
    blocks: tuple[_Block, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of one section (or several joined), with its size; `is_bare` when it is a heading and nothing else."""

    section: _Section
    text: str
    tokens: int
    lines: range
    is_bare: bool


def chunk_page(body: str, title: str, *, title_is_name: bool, count: CountTokens) -> list[Chunk]:
    """Cut a page's body (without frontmatter) into passages of about 200 tokens.

    `title_is_name` says that the title is only the last part of the path. Such a title stays out of the embedded text
    where the page begins with a heading to speak for it, so that a renamed page keeps its vectors.
    """

    def size(text: str) -> int:
        at_least = len(text) // MOST_CHARS_PER_TOKEN
        # It is cut, however many there are; and the tokenizer lets no other thread run until it has read all.
        return at_least if at_least > HARD_TOKENS else max(count(text), at_least)

    sections = list(_sections(body))
    names_itself = bool(sections) and bool(sections[0].headings)
    prefix_title = "" if title_is_name and names_itself else title
    pieces = [piece for section in sections for piece in _pieces(section, size)]
    chunks: list[Chunk] = []
    prefixes: dict[tuple[str, ...], str] = {}
    for piece in _joined(pieces):
        headings = piece.section.headings[:PATH_HEADINGS]
        if headings not in prefixes:
            prefixes[headings] = _prefix(prefix_title, headings, count)
        prefix = prefixes[headings]
        chunks.append(
            Chunk(
                ordinal=len(chunks),
                section=piece.section.headings[-1] if piece.section.headings else "",
                section_path=BETWEEN_HEADINGS.join(headings),
                anchor=piece.section.anchor,
                text=piece.text,
                embedded=f"{prefix}\n{piece.text}" if prefix else piece.text,
                lines=piece.lines,
            )
        )
    return chunks


def place(title: str, section_path: str) -> str:
    """`Title > H1 > H2` as people and agents see it; a top heading that repeats the title is not said twice."""
    if not section_path:
        return title
    first = section_path.split(BETWEEN_HEADINGS, 1)[0]
    return section_path if first.casefold() == title.casefold() else f"{title} > {section_path}"


def _sections(body: str) -> Iterator[_Section]:
    """Sections in reading order; text before the first heading has no headings. Sections without text are left out."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").split("\n")
    tokens = block_tokens("\n".join(lines))
    anchors = Anchors()
    # Anchors are counted for all headings, also those inside quotes and lists, which do not start a section.
    starts = [
        (token, anchors.of(tokens[index + 1].content) if token.type == "heading_open" else None)
        for index, token in enumerate(tokens)
        if token.type == "heading_open" or (token.level == 0 and token.map is not None and token.nesting >= 0)
    ]
    tops = [(token, heading) for token, heading in starts if token.level == 0]
    trail: list[tuple[int, str]] = []
    blocks: list[_Block] = []
    section = _Section((), "", ())
    if not tops:  # link definitions at most, which no reader sees, and which are found all the same
        whole = [_Block(text, at, is_prose=True) for text, at in _texts(lines, [0]) if text.strip()]
        yield from _if_any(section, whole)
        return
    texts = _texts(lines, [token.map[0] if token.map else 0 for token, _ in tops])
    for (token, heading), (text, at) in zip(tops, texts, strict=True):
        if heading is not None:
            yield from _if_any(section, blocks)
            blocks = []
            level = int(token.tag[1:])
            trail = [(above, name) for above, name in trail if above < level] + [(level, heading[0])]
            section = _Section(tuple(name for _, name in trail), heading[1], ())
        if text.strip():
            blocks.append(_Block(text, at, is_prose=token.type in ("paragraph_open", "blockquote_open")))
    yield from _if_any(section, blocks)


def _if_any(section: _Section, blocks: Sequence[_Block]) -> Iterator[_Section]:
    if blocks:
        yield replace(section, blocks=tuple(blocks))


def _texts(lines: Sequence[str], starts: Sequence[int]) -> Iterator[tuple[str, range]]:
    """The source from each block's start to the next, so that nothing between them (link definitions) is lost."""
    for index, start in enumerate(starts):
        first = 0 if index == 0 else start
        end = starts[index + 1] if index + 1 < len(starts) else len(lines)
        while first < end and not lines[first]:
            first += 1
        while first < end and not lines[end - 1]:
            end -= 1
        yield "\n".join(lines[first:end]), range(first, end)


def _pieces(section: _Section, count: CountTokens) -> Iterator[_Piece]:
    """One piece when the section fits, else blocks packed up to the target and the too long among them cut."""
    sized = [_Part(block.text, count(block.text), block.lines) for block in section.blocks]
    total = sum(part.tokens for part in sized)
    if total <= TARGET_TOKENS:
        lines = _across(sized[0].lines, sized[-1].lines)
        text = "\n\n".join(part.text for part in sized)
        yield _Piece(section, text, total, lines, is_bare=bool(section.headings) and len(sized) == 1)
        return
    fits = HARD_TOKENS - PREFIX_TOKENS
    parts = (
        part
        for block, whole in zip(section.blocks, sized, strict=True)
        for part in ([whole] if whole.tokens <= fits else _cut(whole, _PROSE if block.is_prose else _ROWS, count))
    )
    for part in _packed(parts, TARGET_TOKENS, "\n\n"):
        yield _Piece(section, part.text, part.tokens, part.lines, is_bare=False)


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Small neighbours of different sections as one piece, named for the first that has a text of its own."""
    joined: list[_Piece] = []
    previous: _Section | None = None
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and piece.section is not previous and _belong_together(last, piece):
            joined[-1] = _Piece(
                piece.section if last.is_bare else last.section,
                f"{last.text}\n\n{piece.text}",
                last.tokens + piece.tokens,
                _across(last.lines, piece.lines),
                last.is_bare and piece.is_bare,
            )
        else:
            joined.append(piece)
        previous = piece.section
    return joined


def _belong_together(one: _Piece, other: _Piece) -> bool:
    return one.tokens + other.tokens <= TARGET_TOKENS and min(one.tokens, other.tokens) < SMALL_TOKENS


def _cut(part: _Part, separators: Sequence[re.Pattern[str]], count: CountTokens) -> Iterator[_Part]:
    """What is too long on its own, cut at sentences, lines, words, and in the last resort anywhere."""
    if part.tokens <= TARGET_TOKENS:
        yield part
    elif separators:
        for packed in _packed(_split(part, separators[0].finditer(part.text), count), TARGET_TOKENS, ""):
            yield from _cut(packed, separators[1:], count)
    else:
        step = max(len(part.text) * TARGET_TOKENS // part.tokens, 1)
        for shorter in _split(part, re.finditer(f"(?s).{{{step}}}", part.text), count):
            # Where the text is denser than on average a part may still be too long, and is cut again.
            yield from _cut(shorter, (), count) if len(shorter.text) < len(part.text) else [shorter]


def _split(part: _Part, ends: Iterable[re.Match[str]], count: CountTokens) -> Iterator[_Part]:
    """The same text in parts, each up to the end of a match."""
    start, line = 0, part.lines.start
    for end in [*(match.end() for match in ends), len(part.text)]:
        if text := part.text[start:end]:
            breaks = text.count("\n")
            yield _Part(text, count(text), range(line, line + breaks + (not text.endswith("\n"))))
            start, line = end, line + breaks


def _packed(parts: Iterable[_Part], limit: int, joint: str) -> Iterator[_Part]:
    """Neighbours joined while their sizes add up to no more than `limit`."""
    group: list[_Part] = []
    size = 0
    for part in parts:
        if group and size + part.tokens > limit:
            yield _as_one(group, size, joint)
            group, size = [], 0
        group.append(part)
        size += part.tokens
    if group:
        yield _as_one(group, size, joint)


def _as_one(group: Sequence[_Part], size: int, joint: str) -> _Part:
    text = joint.join(part.text for part in group).rstrip(" ")
    return _Part(text, size, _across(group[0].lines, group[-1].lines))


def _across(first: range, last: range) -> range:
    return range(first.start, last.stop)


def _prefix(title: str, headings: Sequence[str], count: CountTokens) -> str:
    """`Title > H1 > H2`, kept short: inner headings go first, then the end of what is left."""
    path = BETWEEN_HEADINGS.join(headings)
    names = (place(title, path) if title else path).split(BETWEEN_HEADINGS)
    while count(BETWEEN_HEADINGS.join(names)) > PREFIX_TOKENS and len(names) > 2:
        names.pop(-2)
    short = BETWEEN_HEADINGS.join(names)
    while count(short) > PREFIX_TOKENS:
        short = short[: len(short) // 2].rstrip()
    return short
