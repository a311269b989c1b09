"""Names for what comes from elsewhere: as they were where they are legal, else as near as can be. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from itertools import count

from wikihost.attachments import parse_attachment_name
from wikihost.errors import InvalidAttachment, InvalidPageName
from wikihost.names import MAX_SEGMENT_BYTES, REFUSED_CATEGORIES, SUFFIX, page_key, parse_page_name

PAGE_ENDINGS = (SUFFIX, ".markdown")
_SUFFIX_ROOM = 12  # for " 2", for the hash of a name that was cut, and for `.md`


def is_page(path: str) -> bool:
    """Whether a source file is a page of Markdown by its ending."""
    return path.casefold().endswith(PAGE_ENDINGS) and path.rpartition("/")[2].casefold() not in PAGE_ENDINGS


def own_name(path: str) -> str:
    """The name that a source file of Markdown has by itself."""
    ending = next(ending for ending in PAGE_ENDINGS if path.casefold().endswith(ending))
    return path[: -len(ending)]


def legal_page_name(path: str) -> tuple[str, str | None]:
    """The page name of a source file of Markdown, and the rule that its own name breaks, if any.

    Raises `InvalidPageName` when no name near it is legal.
    """
    name = own_name(path)
    try:
        if parse_page_name(name) == name:
            return name, None
        reason = "It is spelled in another way here."
    except InvalidPageName as error:
        reason = str(error)
    *folders, last = (_legal_segment(segment) for segment in name.split("/"))
    return parse_page_name("/".join([*map(_without_suffix, folders), _without_suffix(last)])), reason


def legal_file_name(path: str) -> tuple[str, str | None]:
    """The attachment name of a source file (without its folder), and the rule that its own name breaks, if any.

    Raises `InvalidAttachment` when no name near it is legal.
    """
    name = path.rpartition("/")[2]
    try:
        if parse_attachment_name(name) == name:
            return name, None
        reason = "It is spelled in another way here."
    except InvalidAttachment as error:
        reason = str(error)
    legal = _legal_segment(name.replace("\\", "_")).lstrip(". -") or "Untitled"
    return parse_attachment_name(f"{legal}.txt" if legal.casefold().endswith(SUFFIX) else legal), reason


class FreeNames:
    """Finds free names by counting: `name`, `name 2`, `name 3` …; remembers how far it got, as there may be many."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def page(self, name: str, is_free: Callable[[str], bool]) -> str:
        """The name of a page, with a number if need be."""
        return name if is_free(name) else self._count(page_key(name), lambda number: f"{name} {number}", is_free)

    def file(self, path: str, is_free: Callable[[str], bool]) -> str:
        """The path of a file, with a number before its ending if need be."""
        if is_free(path):
            return path
        folder, slash, last = path.rpartition("/")
        stem, dot, ending = last.rpartition(".")
        if not stem or " " in ending or len(ending) > 8:
            stem, dot, ending = last, "", ""
        return self._count(path, lambda number: f"{folder}{slash}{stem} {number}{dot}{ending}", is_free)

    def _count(self, key: str, spell: Callable[[int], str], is_free: Callable[[str], bool]) -> str:
        number = next(number for number in count(self._next.get(key, 2)) if is_free(spell(number)))
        self._next[key] = number + 1
        return spell(number)


def _legal_segment(segment: str) -> str:
    visible = "".join(
        character
        for character in unicodedata.normalize("NFC", segment.encode("utf-8", "replace").decode())
        if unicodedata.category(character) not in REFUSED_CATEGORIES
    )
    plain = _trimmed(visible) or "Untitled"
    told = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    if told.casefold().startswith((".git", "git~")):
        plain = _trimmed(told.strip(".").replace("~", " "))
    room = MAX_SEGMENT_BYTES - _SUFFIX_ROOM
    if len(plain.encode()) > room:
        told_apart_by = hashlib.sha256(segment.encode("utf-8", "replace")).hexdigest()[:8]
        stem, dot, ending = plain.rpartition(".")
        ending = f"{dot}{ending}" if stem and len(ending) <= 8 else ""
        start = plain.encode()[: room - 9 - len(ending.encode())].decode("utf-8", "ignore")
        plain = f"{_trimmed(start)} {told_apart_by}{ending}"
    return plain


def _trimmed(segment: str) -> str:
    """The segment without what no part of a name may begin or end with."""
    while segment and (segment[0].isspace() or segment[0] == "-"):
        segment = segment[1:]
    while segment and (segment[-1].isspace() or segment[-1] == "."):
        segment = segment[:-1]
    return segment


def _without_suffix(segment: str) -> str:
    while segment.endswith(SUFFIX):
        segment = _trimmed(segment.removesuffix(SUFFIX))
    return segment or "Untitled"
