"""How far a confined credential reaches: one folder of a wiki, whose files everything else is kept from. Pure.

Inside are the pages below the folder, the page of the folder's own name, and the files of all of these: the files of
that page lie in the folder. `On_Call/` and `On Call/` are the same folder, as they are in the names of pages.
"""

from __future__ import annotations

from dataclasses import dataclass

from wikihost.names import SUFFIX, parse_page_name

_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Reach:
    """A folder, as `folder` names it: canonical, with a slash at its end."""

    folder: str

    @property
    def own(self) -> str:
        """The key of the page of the folder's own name, with which the keys of all pages below begin."""
        return _key(self.folder.removesuffix("/"))

    @property
    def spelled_alike(self) -> tuple[str, str]:
        """Between which two texts the paths of all files inside are, however the folder is spelled."""
        begin = self.own.partition(" ")[0]
        return begin, begin + _LAST_CHARACTER

    def covers(self, name: str) -> bool:
        """Whether a page of this canonical name is inside."""
        key, own = _key(name), self.own
        return key == own or key.startswith(f"{own}/")

    def covers_file(self, path: str) -> bool:
        """Whether a file of the repository is inside: a page's text, or anything that lies in the folder."""
        key, own = _key(path), self.own
        return key == own + SUFFIX or key.startswith(f"{own}/")

    def leads_to(self, folder: str) -> bool:
        """Whether something inside may lie below a folder, whose path has a slash at its end."""
        key, own = _key(folder), f"{self.own}/"
        return own.startswith(key) or key.startswith(own)

    @property
    def sentence(self) -> str:
        """What a caller is told who wants more."""
        return f"This credential reaches only pages under {self.folder}"


def parse_folder(raw: str) -> Reach:
    """The folder that somebody typed, with a slash at its end or without. Raises `InvalidPageName`."""
    return Reach(parse_page_name(raw.strip().rstrip("/")) + "/")


def _key(text: str) -> str:
    """As `names.page_key`, for what is in its canonical form or is no page's name at all."""
    return text.replace("_", " ")
