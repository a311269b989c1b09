"""Links as Obsidian means them, and how Otter Wiki writes the same. Pure.

`[[Note]]` is found by the shortest path: the note so named from the top of the vault, else one in the linking note's
own folder, else the one with the fewest folders before it. Upper and lower case are the same. `[[Note|shown]]` has its
two parts the other way round than in Otter Wiki.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from wikihost.headings import slugify
from wikihost.imports.links import Address, Kind, Link, address_of, normal_path, parse_address, replace_links
from wikihost.imports.naming import is_page, own_name
from wikihost.imports.placed import Placed

_IMAGES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")
_SCALED = (".gif", ".jpeg", ".jpg", ".png", ".webp")
_SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?")
_MAX_COMPARED = 500  # files of one name: among thousands, the nearest is looked for in those with the shortest paths
_NO_WIKILINK_HOLDS = frozenset("|#[]")
_NO_EMBEDDING_HOLDS = frozenset("|{}=\n")


class Vault:
    """Finds what a link means among the files of a source."""

    def __init__(self, files: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._by_last_part: dict[str, list[str]] = {}
        for path in sorted(files, key=lambda path: (path.count("/"), len(path), path)):
            for spelling in {path, own_name(path) + ".md"} if is_page(path) else {path}:
                self._exact.setdefault(_plain(spelling), path)
                folded = _plain(spelling).casefold()
                self._folded.setdefault(folded, path)
                self._by_last_part.setdefault(folded.rpartition("/")[2], []).append(path)
        self._aliases = {_plain(alias).casefold(): path for alias, path in (aliases or {}).items()}

    def find(self, target: str, source: str) -> str | None:
        """The file that `target` means on the page in the file `source`."""
        target = _plain(target.strip())
        if not target:
            return None
        folder = source.rpartition("/")[0]
        spellings = [target] if target.casefold().endswith(".md") else [f"{target}.md", target]
        if target.startswith(("/", "./", "../")):
            return self._at(spellings, "" if target.startswith("/") else folder)
        return (
            self._at(spellings, "")
            or self._at(spellings, folder)
            or self._nearest(spellings, folder)
            or self._aliases.get(target.casefold())
        )

    def find_address(self, path: str, source: str) -> str | None:
        """The file that the address of a Markdown link means: seen from the page's own folder first."""
        spellings = [_plain(path), f"{_plain(path)}.md"]
        return self._at(spellings, source.rpartition("/")[0]) or self.find(path, source)

    def _at(self, spellings: Iterable[str], folder: str) -> str | None:
        paths = [path for spelling in spellings if (path := normal_path(folder, spelling))]
        exact = next((self._exact[path] for path in paths if path in self._exact), None)
        return exact or next((self._folded[path.casefold()] for path in paths if path.casefold() in self._folded), None)

    def _nearest(self, spellings: Iterable[str], folder: str) -> str | None:
        for spelling in spellings:
            folded = spelling.casefold()
            ending = f"/{folded}"
            found = [
                path
                for path in self._by_last_part.get(folded.rpartition("/")[2], ())[:_MAX_COMPARED]
                if _plain(path).casefold().endswith((ending, ending.removesuffix(".md") + ".markdown"))
            ]
            if found:
                return min(
                    found, key=lambda path: (not path.startswith(f"{folder}/"), path.count("/"), len(path), path)
                )
        return None


class VaultLinks:
    """Rewrites the links of a vault's pages as Otter Wiki's."""

    def __init__(self, vault: Vault, placed: Placed) -> None:
        self._vault = vault
        self._placed = placed

    def rewrite(self, text: str, source: str) -> tuple[str, int]:
        """The text of the page in the file `source`, its links as Otter Wiki writes them, and how many changed."""

        def decide(link: Link) -> str | None:
            if link.kind is Kind.ADDRESS:
                address = parse_address(link.inside)
                return None if address is None else self._address(address, source)
            wikilink = Wikilink.parse(link.inside)
            return self._embed(wikilink, source) if link.kind is Kind.EMBED else self._link(wikilink, source)

        return replace_links(text, decide)

    def _address(self, address: Address, source: str) -> str | None:
        found = self._vault.find_address(address.path, source) or ""
        if found in self._placed.pages:
            anchor = f"#{slugify(address.fragment)}" if address.fragment else ""
            return address_of(self._placed.pages[found]) + anchor
        if found in self._placed.files:
            return self._file_address(found, source) + (f"?{address.query}" if address.query else "")
        return None

    def _link(self, link: Wikilink, source: str) -> str | None:
        if not link.target:
            return f"[[{link.text}|#{link.heading}]]" if link.heading else None
        found = self._vault.find(link.target, source) or ""
        if found in self._placed.files:
            return f"[{_label(link.text)}]({self._file_address(found, source)})"
        name = self._placed.pages.get(found, link.target.removesuffix(".md"))
        if not _NO_WIKILINK_HOLDS.isdisjoint(name):
            anchor = f"#{slugify(link.heading)}" if link.heading else ""
            return f"[{_label(link.text)}]({address_of(name)}{anchor})"
        heading = f"#{link.heading}" if link.heading else ""
        return f"[[{name}]]" if link.text == name and not heading else f"[[{link.text}|{name}{heading}]]"

    def _embed(self, link: Wikilink, source: str) -> str | None:
        found = self._vault.find(link.target, source) or ""
        if found in self._placed.files:
            return self._shown_file(link, found, source)
        name = self._placed.pages.get(found)
        if name is None:
            return None
        if link.is_block or not _NO_EMBEDDING_HOLDS.isdisjoint(name):
            return self._link(link, source)
        section = f"|section={slugify(link.heading)}" if link.heading else ""
        return f"{{{{Include|src=/{name}{section}}}}}"

    def _shown_file(self, link: Wikilink, found: str, source: str) -> str:
        address = self._file_address(found, source)
        if not found.casefold().endswith(_IMAGES):
            return f"[{_label(link.text)}]({address})"
        size = _SIZE.fullmatch((link.shown or "").strip())
        if size is None:
            return f"![{_label(link.shown or '')}]({address})"
        if not found.casefold().endswith(_SCALED):
            return f"![]({address})"
        return f"![]({address}?width={size[1]}{f'&height={size[2]}' if size[2] else ''})"

    def _file_address(self, found: str, source: str) -> str:
        """Short where it lies beside the page, so that it lasts when the page moves; not where others include it."""
        folder, _, name = self._placed.files[found].rpartition("/")
        if folder == self._placed.pages.get(source) and source not in self._placed.included:
            return "./" + quote(name, safe="")
        return address_of(self._placed.files[found])


class Wikilink:
    """The parts of `[[target#heading|shown]]`; in a table the bar is written `\\|`."""

    def __init__(self, target: str, heading: str, shown: str | None, *, is_block: bool) -> None:
        self.target = target
        self.heading = heading
        self.shown = shown
        self.is_block = is_block

    @classmethod
    def parse(cls, inside: str) -> Wikilink:
        left, bar, right = inside.replace("\\|", "|").partition("|")
        target, _, fragment = left.partition("#")
        target, _, block = target.partition("^")
        heading = fragment.rpartition("#")[2].strip()
        is_block = bool(block) or heading.startswith("^")
        shown = right.strip() or None if bar else None
        return cls(target.strip(), "" if is_block else heading, shown, is_block=is_block)

    @property
    def text(self) -> str:
        """What a reader sees."""
        if self.shown:
            return self.shown
        return " > ".join(part for part in (self.target.removesuffix(".md"), self.heading) if part)


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
