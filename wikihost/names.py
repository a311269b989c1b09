"""Page names and the files that hold them: one rule for every door.

A page's name is its path without `.md`. It is kept as it was first written; two names that differ only by
`_` for a space have the same key and mean the same page.
"""

from __future__ import annotations

import unicodedata

from wikihost.errors import InvalidPageName

SUFFIX = ".md"
MAX_SEGMENT_BYTES = 255  # NAME_MAX of every Linux file system
MAX_NAME_BYTES = 1024  # leaves room below PATH_MAX for the data directory
MAX_PARTS = 64  # trees are walked by recursion, here and in Otter Wiki

# Control characters, surrogates, line and paragraph separators: none can be typed, shown or sent safely.
REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def parse_page_name(raw: str) -> str:
    """The canonical name: NFC, without `.md`. Raises `InvalidPageName` with the rule that `raw` breaks."""
    name = unicodedata.normalize("NFC", raw)
    if not name:
        raise InvalidPageName("A page needs a name.")
    if any(unicodedata.category(character) in REFUSED_CATEGORIES for character in name):
        raise InvalidPageName("A page name cannot contain control characters.")
    if "\\" in name:
        # Browsers take it for a slash, and git on Windows cannot check it out.
        raise InvalidPageName("A page name cannot contain a backslash.")
    if name.startswith("/"):
        raise InvalidPageName("A page name cannot start with a slash.")
    while name.endswith(SUFFIX):
        name = name.removesuffix(SUFFIX)
    segments = name.split("/")
    if len(segments) > MAX_PARTS:
        raise InvalidPageName(f"A page name can have at most {MAX_PARTS} parts.")
    for segment in segments[:-1]:
        _check_segment(segment)
        if segment.endswith(SUFFIX):
            # Its folder would take the place of another page's file.
            raise InvalidPageName(f"Only the last part of a page name can end in {SUFFIX}.")
    _check_segment(segments[-1])
    if len((segments[-1] + SUFFIX).encode()) > MAX_SEGMENT_BYTES:
        raise InvalidPageName(f"Each part of a page name can have at most {MAX_SEGMENT_BYTES} bytes.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidPageName(f"A page name can have at most {MAX_NAME_BYTES} bytes.")
    return name


def page_key(name: str) -> str:
    """What all spellings of one page's name have in common."""
    return unicodedata.normalize("NFC", name).replace("_", " ")


def file_of(name: str) -> str:
    """The repository file of a canonical page name."""
    return name + SUFFIX


def name_of_file(path: str) -> str | None:
    """The page that a repository file holds, or None when it holds none (an attachment, an impossible name)."""
    if not path.endswith(SUFFIX):
        return None
    name = path.removesuffix(SUFFIX)
    try:
        return name if parse_page_name(name) == name else None
    except InvalidPageName:
        return None


def is_safe_path(path: str) -> bool:
    """Whether a repository path stays in the work tree and out of `.git`, and is not too deep; any kind of file."""
    parts = path.split("/")
    return (
        "\0" not in path
        and len(parts) <= MAX_PARTS
        and all(part not in ("", ".", "..") and not _is_git_dir(part.rstrip(". ")) for part in parts)
    )


def _check_segment(segment: str) -> None:
    if not segment:
        raise InvalidPageName("A page name cannot have an empty part.")
    if segment in (".", ".."):
        raise InvalidPageName("A page name cannot contain '.' or '..' as a part.")
    if segment.startswith("-"):
        raise InvalidPageName("No part of a page name can start with a dash.")
    if segment[-1] in ". " or segment[-1].isspace():
        raise InvalidPageName("No part of a page name can end in a dot or a space.")
    if segment[0].isspace():
        raise InvalidPageName("No part of a page name can start with a space.")
    if _is_git_dir(segment):
        raise InvalidPageName("No part of a page name can be '.git'.")
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        raise InvalidPageName(f"Each part of a page name can have at most {MAX_SEGMENT_BYTES} bytes.")


def _is_git_dir(segment: str) -> bool:
    """Whether some file system takes the segment for `.git`; case, and characters that HFS+ ignores, aside."""
    visible = "".join(character for character in segment if unicodedata.category(character) != "Cf")
    return visible.casefold() in (".git", "git~1") or visible.casefold().startswith((".git:", ".git\\"))
