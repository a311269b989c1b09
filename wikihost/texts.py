"""A page's new text: what it may be, and the plans that write it."""

from __future__ import annotations

from collections.abc import Callable

from wikihost.errors import EditNotApplicable, InvalidPageText, PageTooLarge, RevisionRequired
from wikihost.markdown import page_title, split_frontmatter
from wikihost.names import file_of
from wikihost.plans import Plan, Snapshot, check_base, check_meant
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


def plan_write(
    snapshot: Snapshot, name: str, data: bytes, *, base: str | None, follow_redirect: bool, message: str | None
) -> Plan[Written]:
    """A page is created, or gets this text in place of all that it has. Raises `RevisionRequired`, `Conflict`."""
    row = snapshot.find_page(name)
    if row is None:
        return plan_text(snapshot, name, None, data, message or f"[api] Create: {name}")
    if follow_redirect:
        check_meant(snapshot, row, base)
    if base is None:
        raise RevisionRequired(
            f"{row.path} exists: read it, and say which revision the new text was made from.",
            current_revision=row.revision,
        )
    check_base(row, base, lambda: snapshot.text_of(row))
    return plan_text(snapshot, row.path, row, data, message or f"[api] Update: {row.path}")


def plan_edit(
    snapshot: Snapshot, name: str, old: str, new: bytes, *, base: str, follow_redirect: bool, message: str | None
) -> Plan[Written]:
    """One piece of a page is replaced. Raises `PageNotFound`, `Conflict`, and what `replace_once` does."""
    row = snapshot.page(name)
    if follow_redirect:
        check_meant(snapshot, row, base)
    check_base(row, base, lambda: snapshot.text_of(row))
    data = replace_once(snapshot.repository.read_blob(row.blob), old, new)
    return plan_text(snapshot, row.path, row, data, message or f"[api] Edit: {row.path}")


def plan_rewrite(
    snapshot: Snapshot, name: str, rewrite: Callable[[str], str], *, base: str | None, message: str | None
) -> Plan[Written]:
    """A page gets what `rewrite` makes of its text. Raises `PageNotFound`, `Conflict`, and what `rewritten` does."""
    row = snapshot.page(name)
    check_meant(snapshot, row, base)
    check_base(row, base, lambda: snapshot.text_of(row))
    data = rewritten(snapshot.repository.read_blob(row.blob), rewrite)
    return plan_text(snapshot, row.path, row, data, message or f"[api] Edit: {row.path}")


def encode_text(text: str) -> bytes:
    """A text as it is stored. Raises `PageTooLarge` or `InvalidPageText` for what cannot be a page's text."""
    if len(text) > MAX_PAGE_CHARACTERS:
        raise PageTooLarge(f"A page can have at most {MAX_PAGE_CHARACTERS:,} characters; this one has {len(text):,}.")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPageText("The text contains a lone surrogate, which is no character.") from error


def check_replacement(old: str, new: str) -> bytes:
    """What is to stand in place of `old`, as it is stored. Raises as `encode_text`, and `EditNotApplicable`."""
    if not old:
        raise EditNotApplicable("The text to replace is empty.", occurrences=0)
    if old == new:
        raise EditNotApplicable("The old and the new text are the same.", occurrences=0)
    return encode_text(new)


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
