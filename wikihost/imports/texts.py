"""Reading a page's bytes from elsewhere as text. Pure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from wikihost.errors import PageTooLarge
from wikihost.imports.values import Unreadable
from wikihost.texts import MAX_PAGE_CHARACTERS, encode_text

_MARKED = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Text:
    """`note` says when the bytes were not UTF-8 and how they were read."""

    text: str
    note: str | None = None


def read_text(data: bytes) -> Text:
    """The bytes as text. Raises `Unreadable` when they are none, or too long for a page."""
    found = _decode(data)
    if "\0" in found.text:
        raise Unreadable("It holds NUL bytes, so it is no text.")
    try:
        encode_text(found.text)
    except PageTooLarge as error:
        raise Unreadable(str(error)) from error
    return found


def _decode(data: bytes) -> Text:
    if len(data) > 4 * MAX_PAGE_CHARACTERS:
        raise Unreadable(f"A page can have at most {MAX_PAGE_CHARACTERS:,} characters; this one has more.")
    encoding = next((name for mark, name in _MARKED if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return Text(data.decode("cp1252", "replace"), "It was not UTF-8, and was read as Windows-1252.")
    return Text(text, "It was UTF-16, and is UTF-8 now." if encoding == "utf-16" else None)
