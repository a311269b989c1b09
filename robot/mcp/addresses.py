"""Where a page or a file is found outside of the answer at hand, besides `robot.address.page_address` (pure)."""

from __future__ import annotations

from urllib.parse import quote

from robot.mcp import uris
from robot.mcp.tool import Block


def page_link(slug: str, path: str) -> Block:
    """A content block that stands for the page's whole text, to be read as a resource."""
    return {
        "type": "resource_link",
        "uri": uris.page_uri(slug, path),
        "name": path,
        "mimeType": "text/markdown",
    }


def file_address(origin: str, path: str, filename: str) -> str:
    """Where REST gives the bytes of a page's file."""
    return f"{origin}/api/v1/pages/{quote(path, safe='')}/attachments/{quote(filename, safe='')}?raw=1"
