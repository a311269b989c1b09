"""The robot menu, in the bar above all of Otter Wiki's pages: back to the platform, and as whom one is here.

A template of ours stands before Otter Wiki's layout and extends it. Core says the person's role with each request.
Their name is not in the page, which is kept for all who may do the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import current_app, request
from flask_login import current_user
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader

from wikihost.child.plain import sign_in_url
from wikihost.worker_protocol import ROLE_HEADER

Tab = tuple[str, str, str]
"""A path below the wiki's page on the platform, an icon, a name."""

_TABS: Final[tuple[Tab, ...]] = (
    ("", "fa-info-circle", "Overview"),
    ("/agents", "fa-robot", "Agents"),
    ("/people", "fa-users", "People"),
    ("/activity", "fa-history", "Activity"),
)
_OWNERS_TABS: Final[tuple[Tab, ...]] = (("/settings", "fa-sliders-h", "Settings"),)
_OWNER: Final = "owner"
_WIKI_PATH: Final = "/app/wiki/"

STYLE: Final = (
    ".robot-skip{position:absolute;left:-99rem;top:.5rem;z-index:60;padding:.8rem 1.6rem;background:#1068c4;color:#fff}"
    ".robot-skip:focus{left:.5rem}"
    ".robot-menu{position:relative;margin-left:1rem}"
    ".robot-menu>summary{list-style:none}.robot-menu>summary::-webkit-details-marker{display:none}"
    ".robot-menu>nav{position:absolute;right:0;top:calc(100% + .6rem);z-index:50;width:24rem;max-height:80vh;"
    "overflow-y:auto;padding:.4rem;background:#fff;border:1px solid #bababc;border-radius:.4rem;"
    "box-shadow:0 .2rem .8rem rgba(0,0,0,.2)}"
    ".dark-mode .robot-menu>nav{background:#191c20;border-color:#3b4148}"
    ".robot-menu button{width:100%;padding:0;background:none;font:inherit;text-align:left;cursor:pointer}"
    ".robot-who{color:#0b5cad}.dark-mode .robot-who{color:#7cbcff}"
    ".robot-who,.robot-part{display:block;margin:0;padding:.6rem .8rem;overflow-wrap:anywhere;font-weight:600}"
    ".robot-part{margin-top:.4rem;border-top:1px solid rgba(128,128,128,.5);padding-top:1rem}"
    ".robot-menu :focus-visible,.robot-skip:focus-visible{outline:.3rem solid #1890ff;outline-offset:-.2rem}"
    "@media print{.robot-menu,.robot-skip{display:none}}"
)


@dataclass(frozen=True, slots=True)
class Menu:
    """Where the menu leads; `platform` is the platform's origin, `wiki` the wiki's page there."""

    platform: str
    wiki: str
    signed_in: bool
    tabs: tuple[Tab, ...]
    sign_in: str


def install(app: Any) -> None:
    """Put our layout before Otter Wiki's; before its first request."""
    stock = app.jinja_loader
    ours = FileSystemLoader(Path(__file__).with_name("templates"))
    app.jinja_loader = ChoiceLoader([ours, PrefixLoader({"stock": stock}), stock])
    app.context_processor(lambda: {"robot_menu": _menu})


def tabs_of(role: str) -> tuple[Tab, ...]:
    """What of the wiki's page somebody of that role may open; nothing without a role."""
    return (*_TABS, *(_OWNERS_TABS if role == _OWNER else ())) if role else ()


def platform_of(wiki_page: str) -> str:
    """The platform's origin, of the address of a wiki's page there."""
    return wiki_page.partition(_WIKI_PATH)[0]


def _menu() -> Menu | None:
    """The menu of this page; None in a wiki that stands on no platform."""
    wiki = current_app.config["ROBOT_PLATFORM_URL"]
    if not wiki:
        return None
    role = request.headers.get(ROLE_HEADER, "")
    return Menu(platform_of(wiki), wiki, current_user.is_authenticated, tabs_of(role), sign_in_url())
