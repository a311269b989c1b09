"""Where a page or a file is found: by agents as a resource, by people and scripts as an address (pure)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote


def resource_uri(slug: str, path: str) -> str:
    """`wiki://{slug}/page/{+path}`, as `resources/read` takes it."""
    return f"wiki://{slug}/page/{quote(path)}"


def resource_link(slug: str, path: str) -> dict[str, Any]:
    """A content block that stands for the page's whole text."""
    return {
        "type": "resource_link",
        "uri": resource_uri(slug, path),
        "name": path,
        "mimeType": "text/markdown",
    }


def page_address(origin: str, path: str) -> str:
    """Where people read the page."""
    return f"{origin}/{quote(path)}"


def file_address(origin: str, path: str, filename: str) -> str:
    """Where REST gives the bytes of a page's file."""
    return f"{origin}/api/v1/pages/{quote(path, safe='')}/attachments/{quote(filename, safe='')}?raw=1"
