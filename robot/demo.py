"""The demo: a public wiki that holds robot's own handbook, an operator, a token, a sign-in link."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import trio

from robot.access import grant_role
from robot.accounts import operator_of
from robot.address import PublicAddress
from robot.db import Database
from robot.hosting import create_hosted_wiki
from robot.model import Role, Scope, User, Visibility, Wiki
from robot.signin.links import create_link, link_address
from robot.tokens import create_token, verify_token
from robot.web.setups import claude_code_line
from robot.wikis import find_wiki_by_slug
from wikihost.layout import DataDir
from wikihost.quota import Quota

SLUG = "demo"
NAME = "robot handbook"
DESCRIPTION = "How to use robot, and how people and agents keep a wiki together."
TOKEN_NAME = "Claude Code"  # noqa: S105  (the token's name; commits made with it show it)
LINK_LIFETIME_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Demo:
    """What a newcomer needs to know, as `robot demo` prints it."""

    platform: str
    wiki: str
    signin_link: str
    token: str
    pid: int

    @property
    def claude_line(self) -> str:
        """The command that connects Claude Code, with the token: it works offline, and before anybody signs in."""
        return claude_code_line(SLUG, self.wiki, self.token)


async def prepare_demo(db: Database, data: DataDir, address: PublicAddress) -> Demo:
    """Make what is missing of the demo; what is there from an earlier start stays as it is."""
    operator = await operator_of(db)
    wiki = find_wiki_by_slug(db, SLUG) or await _create_wiki(db, data, operator, address)
    return Demo(
        platform=address.platform_origin,
        wiki=address.wiki_origin(SLUG),
        signin_link=link_address(address, await create_link(db, operator, lifetime_s=LINK_LIFETIME_S)),
        token=await _token(db, data, operator, wiki),
        pid=os.getpid(),
    )


def handbook_pages() -> dict[str, str]:
    """Page name to text, from the package's own files."""
    return dict(_pages_below(files("robot") / "handbook", ""))


def _pages_below(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    pages: list[tuple[str, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            pages += _pages_below(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            pages.append((prefix + entry.name.removesuffix(".md"), entry.read_text("utf-8")))
    return pages


async def _create_wiki(db: Database, data: DataDir, owner: User, address: PublicAddress) -> Wiki:
    pages = await trio.to_thread.run_sync(handbook_pages)
    return await create_hosted_wiki(
        db,
        data,
        owner,
        slug=SLUG,
        name=NAME,
        description=DESCRIPTION,
        visibility=Visibility.PUBLIC,
        domain=address.domain,
        quota=Quota(),  # the handbook fits, whatever the settings say
        pages=pages,
    )


async def _token(db: Database, data: DataDir, user: User, wiki: Wiki) -> str:
    """The demo's token, the same at each start, so that an agent connected once stays connected.

    Only the demo keeps a token in the clear, in a file for this user alone; one that was revoked is replaced.
    """
    kept = await trio.to_thread.run_sync(_read, data.demo_token)
    if kept and verify_token(db, kept, wiki.id) is not None:
        return kept
    await grant_role(db, user, wiki, Role.OWNER)
    secret, _ = await create_token(db, user, wiki, TOKEN_NAME, {Scope.READ, Scope.WRITE})
    await trio.to_thread.run_sync(_write, data.demo_token, secret)
    return secret


def _read(path: Path) -> str:
    return path.read_text("ascii").strip() if path.exists() else ""


def _write(path: Path, secret: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(secret + "\n")
