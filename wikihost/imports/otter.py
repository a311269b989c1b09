"""Links as Otter Wiki means them: whole names from the top, `[[shown|Name]]`, `/Page/file.png`, `./file.png`. Pure.

They stay as they are, unless what they lead to got another name.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from wikihost.imports.links import Kind, Link, address_of, normal_path, parse_address, replace_links
from wikihost.imports.naming import is_page, own_name
from wikihost.imports.placed import Placed
from wikihost.names import page_key


class OtterWiki:
    """Finds what a link means among the files of a source."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = frozenset(files)
        self._pages: dict[str, str] = {}
        for path in sorted(self._files):
            if is_page(path):
                self._pages.setdefault(page_key(own_name(path)), path)

    def find_page(self, name: str) -> str | None:
        """The file of the page with this whole name."""
        return self._pages.get(page_key(name.strip().lstrip("/").removesuffix(".md")))

    def find_address(self, path: str, source: str) -> str | None:
        """The file that an address means on the page in the file `source`; None when it is not Otter Wiki's."""
        if not path.startswith(("/", "./")):
            return None
        whole = normal_path(own_name(source), path)
        if whole is None:
            return None
        return whole if whole in self._files and not is_page(whole) else self.find_page(whole)


class OtterLinks:
    """Leads the links of pages to what got another name."""

    def __init__(self, wiki: OtterWiki, placed: Placed) -> None:
        self._wiki = wiki
        self._placed = placed
        moved_page = any(own_name(source) != name for source, name in placed.pages.items())
        self._nothing_moved = not moved_page and all(source == path for source, path in placed.files.items())

    def rewrite(self, text: str, source: str) -> tuple[str, int]:
        """The text of the page in the file `source`, and how many links changed."""
        if self._nothing_moved:
            return text, 0

        def decide(link: Link) -> str | None:
            if link.kind is Kind.ADDRESS:
                return self._address(link.inside, source)
            return self._link(link)

        return replace_links(text, decide)

    def _link(self, link: Link) -> str | None:
        shown, bar, right = link.inside.rpartition("|")
        name, anchor, heading = right.partition("#")
        new = self._placed.pages.get(self._wiki.find_page(name) or "")
        if new is None or page_key(new) == page_key(name.strip().lstrip("/")):
            return None
        return f"{'!' if link.kind is Kind.EMBED else ''}[[{shown}{bar}{new}{anchor}{heading}]]"

    def _address(self, inside: str, source: str) -> str | None:
        address = parse_address(inside)
        found = address and self._wiki.find_address(address.path, source)
        if address is None or not found:
            return None
        new = self._placed.pages.get(found) or self._placed.files.get(found)
        old = own_name(found) if found in self._placed.pages else found
        stays_beside = address.path.startswith("./") and new == f"{self._placed.pages.get(source)}/{address.path[2:]}"
        if new is None or new == old or stays_beside:
            return None
        query = f"?{address.query}" if address.query else ""
        return address_of(new) + query + (f"#{quote(address.fragment)}" if address.fragment else "")
