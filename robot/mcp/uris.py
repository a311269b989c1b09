"""Addresses of pages and attachments as MCP resources: `wiki://{slug}/page/{name}` (pure).

A client that expands the template itself (RFC 6570, `{+path}`) may leave `?`, `#` and other reserved characters as they
are, so nothing after the kind is taken apart: all of it is the name, percent-encoded where we write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

PAGE = "page"
ATTACHMENT = "attachment"

# A name has at most 1,024 bytes, each of them three characters at most; an attachment has a second part.
MAX_URI_CHARS = 5_000


@dataclass(frozen=True, slots=True)
class PageAddress:
    """A page's name, not yet checked."""

    name: str


@dataclass(frozen=True, slots=True)
class AttachmentAddress:
    """A page's name and one of its files, neither yet checked."""

    page: str
    filename: str


def page_uri(slug: str, name: str) -> str:
    """The address of a page. What `parse_uri` finds in it is the same name again."""
    return f"wiki://{slug}/{PAGE}/{quote(name, safe='/')}"


def attachment_uri(slug: str, page: str, filename: str) -> str:
    """The address of a page's file."""
    return f"wiki://{slug}/{ATTACHMENT}/{quote(f'{page}/{filename}', safe='/')}"


def template(slug: str, kind: str) -> str:
    """The URI template (RFC 6570) of one kind of address."""
    return f"wiki://{slug}/{kind}/{{+path}}"


def parse_uri(slug: str, uri: str) -> PageAddress | AttachmentAddress | None:
    """What an address of the wiki `slug` names, or None when it is none; scheme and slug in any case (RFC 3986)."""
    scheme, colon, rest = uri.partition("://")
    host, _, path = rest.partition("/")
    kind, _, encoded = path.partition("/")
    if not colon or scheme.lower() != "wiki" or host.lower() != slug or not encoded or len(uri) > MAX_URI_CHARS:
        return None
    try:
        name = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return None
    if kind == PAGE:
        return PageAddress(name)
    page, _, filename = name.rpartition("/")
    return AttachmentAddress(page, filename) if kind == ATTACHMENT and page and filename else None
