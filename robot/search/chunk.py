"""A page to passages, along its sections. Pure.

Text is cut at headings; small neighbouring sections share a passage and long ones are cut between blocks, so a fence
or a table that fits stays whole. Passages do not overlap: an edit re-embeds what it touched and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wikihost.headings import Anchors, block_tokens

if TYPE_CHECKING:
    from markdown_it.token import Token

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

_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+")
_LINE = re.compile(r"(?<=\n)")
_WORD = re.compile(r"(?<=\s)(?=\S)")
_PROSE = (_SENTENCE, _LINE, _WORD)
_ROWS = (_LINE, _WORD)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a page.

    `section_path` joins the headings above it, without the page's title; `embedded` is `text` with the prefix that
    says where it stands, and decides the content hash.
    """

    ordinal: int
    section: str
    section_path: str
    anchor: str
    text: str
    embedded: str


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    is_prose: bool


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
    is_bare: bool


def chunk_page(body: str, title: str, *, title_is_name: bool, count: CountTokens) -> list[Chunk]:
    """Cut a page's body (without frontmatter) into passages of about 200 tokens.

    `title_is_name` says that the title is only the last part of the path. Such a title stays out of the embedded text
    where the page begins with a heading to speak for it, so that a renamed page keeps its vectors.
    """

    def size(text: str) -> int:
        return max(count(text), len(text) // MOST_CHARS_PER_TOKEN)

    sections = list(_sections(body))
    names_itself = bool(sections) and bool(sections[0].headings)
    prefix_title = "" if title_is_name and names_itself else title
    pieces = [piece for section in sections for piece in _pieces(section, size)]
    chunks: list[Chunk] = []
    for piece in _joined(pieces):
        headings = piece.section.headings[:PATH_HEADINGS]
        prefix = _prefix(prefix_title, headings, count)
        chunks.append(
            Chunk(
                ordinal=len(chunks),
                section=piece.section.headings[-1] if piece.section.headings else "",
                section_path=" > ".join(headings),
                anchor=piece.section.anchor,
                text=piece.text,
                embedded=f"{prefix}\n{piece.text}" if prefix else piece.text,
            )
        )
    return chunks


def place(title: str, section_path: str) -> str:
    """`Title > H1 > H2` as people and agents see it; a top heading that repeats the title is not said twice."""
    if not section_path:
        return title
    first = section_path.split(" > ", 1)[0]
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
    for (token, heading), text in zip(tops, _texts(lines, [token for token, _ in tops]), strict=True):
        if heading is not None:
            yield from _if_any(section, blocks)
            blocks = []
            level = int(token.tag[1:])
            trail = [(above, name) for above, name in trail if above < level] + [(level, heading[0])]
            section = _Section(tuple(name for _, name in trail), heading[1], ())
        if text.strip():
            blocks.append(_Block(text, is_prose=token.type in ("paragraph_open", "blockquote_open")))
    yield from _if_any(section, blocks)


def _if_any(section: _Section, blocks: Sequence[_Block]) -> Iterator[_Section]:
    if blocks:
        yield replace(section, blocks=tuple(blocks))


def _texts(lines: Sequence[str], blocks: Sequence[Token]) -> Iterator[str]:
    """The source of each block up to the next, so that nothing between them (link definitions) is lost."""
    starts = [token.map[0] if token.map else 0 for token in blocks]
    for index, start in enumerate(starts):
        first = 0 if index == 0 else start
        end = starts[index + 1] if index + 1 < len(starts) else len(lines)
        yield "\n".join(lines[first:end]).strip("\n")


def _pieces(section: _Section, count: CountTokens) -> Iterator[_Piece]:
    """One piece when the section fits, else blocks packed up to the target and the too long among them cut."""
    sized = [(block, count(block.text)) for block in section.blocks]
    total = sum(tokens for _, tokens in sized)
    if total <= TARGET_TOKENS:
        text = "\n\n".join(block.text for block, _ in sized)
        yield _Piece(section, text, total, is_bare=bool(section.headings) and len(sized) == 1)
        return
    fits = HARD_TOKENS - PREFIX_TOKENS
    parts = (
        part for block, tokens in sized for part in ([(block.text, tokens)] if tokens <= fits else _cut(block, count))
    )
    for text, tokens in _packed(parts, TARGET_TOKENS, "\n\n"):
        yield _Piece(section, text, tokens, is_bare=False)


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
                last.is_bare and piece.is_bare,
            )
        else:
            joined.append(piece)
        previous = piece.section
    return joined


def _belong_together(one: _Piece, other: _Piece) -> bool:
    return one.tokens + other.tokens <= TARGET_TOKENS and min(one.tokens, other.tokens) < SMALL_TOKENS


def _cut(block: _Block, count: CountTokens) -> Iterator[tuple[str, int]]:
    """A block that is too long on its own, cut at sentences, lines, words, and in the last resort anywhere."""
    return _cut_at(block.text, _PROSE if block.is_prose else _ROWS, count)


def _cut_at(text: str, separators: Sequence[re.Pattern[str]], count: CountTokens) -> Iterator[tuple[str, int]]:
    tokens = count(text)
    if tokens <= TARGET_TOKENS:
        yield text, tokens
    elif separators:
        # The separators match nothing visible, or white space that the join gives back.
        joint = " " if separators[0] is _SENTENCE else ""
        parts = ((part, count(part)) for part in separators[0].split(text) if part)
        for packed, size in _packed(parts, TARGET_TOKENS, joint):
            if size <= TARGET_TOKENS:
                yield packed, size
            else:
                yield from _cut_at(packed, separators[1:], count)
    else:
        step = max(len(text) * TARGET_TOKENS // tokens, 1)
        for at in range(0, len(text), step):
            # Where the text is denser than on average a part may still be too long, and is cut again.
            part = text[at : at + step]
            yield from _cut_at(part, (), count) if len(part) < len(text) else [(part, tokens)]


def _packed(parts: Iterable[tuple[str, int]], limit: int, joint: str) -> Iterator[tuple[str, int]]:
    """Neighbours joined while their sizes add up to no more than `limit`."""
    texts: list[str] = []
    size = 0
    for text, tokens in parts:
        if texts and size + tokens > limit:
            yield joint.join(texts), size
            texts, size = [], 0
        texts.append(text)
        size += tokens
    if texts:
        yield joint.join(texts), size


def _prefix(title: str, headings: Sequence[str], count: CountTokens) -> str:
    """`Title > H1 > H2`, kept short: inner headings go first, then the end of what is left."""
    path = " > ".join(headings)
    names = (place(title, path) if title else path).split(" > ")
    while count(" > ".join(names)) > PREFIX_TOKENS and len(names) > 2:
        names.pop(-2)
    short = " > ".join(names)
    while count(short) > PREFIX_TOKENS:
        short = short[: len(short) // 2].rstrip()
    return short
