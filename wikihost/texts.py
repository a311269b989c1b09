"""A page's new text: what it may be, and the plan that writes it."""

from __future__ import annotations

from collections.abc import Callable

from wikihost.errors import EditNotApplicable, InvalidPageText, PageTooLarge
from wikihost.markdown import page_title, split_frontmatter
from wikihost.names import file_of
from wikihost.plans import Plan, Snapshot
from wikihost.query import PageRow
from wikihost.repo import unified_diff
from wikihost.values import Written
from wikihost.writer import Committed

MAX_PAGE_CHARACTERS = 1_000_000
_MAX_PLACES = 20


def plan_text(snapshot: Snapshot, path: str, row: PageRow | None, data: bytes, message: str) -> Plan[Written]:
    """A page gets this text; `row` is the page as it is, None for a new one."""
    old = snapshot.repository.read_blob(row.blob) if row else None
    frontmatter, _ = split_frontmatter(data.decode("utf-8", "replace"))

    def finish(done: Committed) -> Written:
        return Written(
            path=path,
            title=page_title(path, frontmatter),
            revision=row.revision if row and not done.changed else done.head,
            head=done.head,
            created=row is None,
            changed=done.changed,
            diff=unified_diff(file_of(path), old, data),
        )

    return Plan({file_of(path): data}, message, finish)


def encode_text(text: str) -> bytes:
    """A text as it is stored. Raises `PageTooLarge` or `InvalidPageText` for what cannot be a page's text."""
    if len(text) > MAX_PAGE_CHARACTERS:
        raise PageTooLarge(f"A page can have at most {MAX_PAGE_CHARACTERS:,} characters; this one has {len(text):,}.")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPageText("The text contains a lone surrogate, which is no character.") from error


def replace_once(data: bytes, old: str, new: bytes) -> bytes:
    """The text with `old` replaced, which must occur exactly once; a page that is not UTF-8 keeps its other bytes.

    Raises `EditNotApplicable`, `PageTooLarge`.
    """
    piece = old.encode("utf-8", "surrogatepass")
    occurrences = data.count(piece)
    if occurrences == 0:
        raise EditNotApplicable("The text to replace was not found in the page.", occurrences=0)
    if occurrences > 1:
        raise EditNotApplicable(
            f"The text to replace is ambiguous: found {occurrences} occurrences. Include more of what is around it.",
            occurrences=occurrences,
            lines=_lines_of(data, piece),
        )
    replaced = data.replace(piece, new)
    encode_text(replaced.decode("utf-8", "replace"))
    return replaced


def rewritten(data: bytes, rewrite: Callable[[str], str]) -> bytes:
    """The text as `rewrite` makes it. Raises `InvalidPageText` for a page whose other bytes that would not keep."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidPageText("The page is not UTF-8; only a piece of it can be replaced, or all of it.") from None
    return encode_text(rewrite(text))


def _lines_of(data: bytes, piece: bytes) -> list[int]:
    """The lines, counted from 1 as `str.splitlines` does, in which the first occurrences begin."""
    found: list[int] = []
    line = 1
    for before in data.split(piece, _MAX_PLACES)[:-1]:
        line += _line_ends(before)
        found.append(line)
        line += _line_ends(piece)
    return found


def _line_ends(part: bytes) -> int:
    return len((part.decode("utf-8", "replace") + ".").splitlines()) - 1
