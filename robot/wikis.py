"""Wikis as the platform knows them: slugs, names, visibility. Making and deleting them is `hosting`."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from proxy.hosts import OwnDomain, WikiHost
from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Param, Row
from robot.model import Role, User, Visibility, Wiki

_DOMAIN = "SELECT domain FROM domains WHERE domains.wiki_id = wikis.id AND verified_at IS NOT NULL"
DOMAIN_IN_FORCE = f"({_DOMAIN})"
"""A column of queries about wikis: the wiki's own domain, or NULL."""

# Where DNS shows it no more, people are not sent to it: they might arrive at somebody else's.
_DOMAIN_FOR_PEOPLE = f"({_DOMAIN} AND failing_since IS NULL)"

WIKI_COLUMNS = (
    "wikis.id, wikis.slug, wikis.name, wikis.description, wikis.visibility, wikis.created_at, wikis.git_enabled,"
    " wikis.quota_pages, wikis.quota_bytes, wikis.guidance, wikis.frozen_at,"
    f" {_DOMAIN_FOR_PEOPLE}, wikis.taken_down_at, wikis.taken_down_why"
)

IN_SERVICE = "wikis.state = 'ready' AND wikis.taken_down_at IS NULL"
"""A condition of every query by which somebody reaches a wiki: it is neither deleted nor taken down."""

KEPT = "(wikis.state = 'ready' OR wikis.purge_at IS NOT NULL)"
"""A condition of queries about all wikis that there is something of: also those that nobody reaches now."""

FREED_SLUG_REST_S = 30 * 24 * 3600

MAX_GUIDANCE_CHARS = 4_000
"""Clients put it before every conversation of every agent."""

ReadOne = Callable[[str, Sequence[Param]], Row | None]
"""The first row of a point read: `Database.one`, or a connection's inside a transaction."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,28})[a-z0-9]")
# fmt: off
_RESERVED_SLUGS = {
    "admin", "api", "app", "assets", "auth", "billing", "blog", "dev", "docs", "ftp", "git", "help", "imap", "mail",
    "mcp", "ns", "ns1", "ns2", "null", "oauth", "pop", "smtp", "ssh", "static", "status", "support", "undefined",
    "user", "vpn", "wiki", "www",
}
# fmt: on
_LOOK_ALIKES = str.maketrans("01i", "oll")
_DELETED_OF_OWNER = (
    "SELECT 1 FROM wikis JOIN grants ON grants.wiki_id = wikis.id AND grants.role = 'owner'"
    " WHERE wikis.slug = ? AND wikis.purge_at IS NOT NULL AND grants.user_id = ?"
)
_MAX_NAME_CHARS = 80
_MAX_DESCRIPTION_CHARS = 500


class InvalidWiki(ValueError):
    """A field of a new wiki cannot be used: `field` names it, the message says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check_slug(slug: str) -> str:
    """`slug`, when its form allows it; raises `InvalidWiki`. Says nothing about whether it is taken."""
    if not _SLUG.fullmatch(slug):
        raise InvalidWiki(
            "slug", "An address has 3 to 30 letters a–z, digits or hyphens, with no hyphen at either end."
        )
    if slug.startswith("xn--"):
        raise InvalidWiki("slug", "An address cannot begin with xn--, which stands for encoded international names.")
    if _skeleton(slug) in _RESERVED_SKELETONS:
        raise InvalidWiki("slug", f"The address {slug} is reserved for this host itself, or looks like one that is.")
    return slug


def _skeleton(slug: str) -> str:
    """What the eye makes of an address: two with the same skeleton are easily taken for each other."""
    plain = slug.replace("-", "").translate(_LOOK_ALIKES)
    return plain.replace("rn", "m").replace("vv", "w")


def check_name(name: str) -> str:
    """`name` in one line; raises `InvalidWiki`."""
    shown = " ".join(name.split())
    if not shown or len(shown) > _MAX_NAME_CHARS or not shown.isprintable():
        raise InvalidWiki("name", f"A name has 1 to {_MAX_NAME_CHARS} printable characters.")
    return shown


def check_description(description: str) -> str:
    """`description` in one line, may be empty; raises `InvalidWiki`."""
    shown = " ".join(description.split())
    if len(shown) > _MAX_DESCRIPTION_CHARS or not shown.isprintable():
        raise InvalidWiki("description", f"A description has at most {_MAX_DESCRIPTION_CHARS} printable characters.")
    return shown


def check_guidance(guidance: str) -> str:
    """`guidance` in lines without blank ends, may be empty; raises `InvalidWiki`."""
    lines = [line.replace("\t", "    ").rstrip() for line in guidance.splitlines()]
    shown = "\n".join(lines).strip("\n")
    if len(shown) > MAX_GUIDANCE_CHARS or not all(line.isprintable() for line in lines):
        raise InvalidWiki("guidance", f"Guidance has at most {MAX_GUIDANCE_CHARS:,} printable characters in lines.")
    return shown


def check_visibility(visibility: str) -> Visibility:
    """The visibility of that name; raises `InvalidWiki`."""
    try:
        return Visibility(visibility)
    except ValueError:
        raise InvalidWiki("visibility", "Choose who may read the wiki: private, unlisted or public.") from None


_RESERVED_SKELETONS = {_skeleton(slug) for slug in _RESERVED_SLUGS}


def find_errors(*checked: tuple[Callable[[str], object], str]) -> dict[str, str]:
    """What these checks say of the values, by field, all of it at once."""
    errors = {}
    for check, value in checked:
        try:
            check(value)
        except InvalidWiki as error:
            errors[error.field] = str(error)
    return errors


def refuse_taken_slug(one: ReadOne, slug: str, user: User, now: float) -> None:
    """Raise `InvalidWiki` when `slug` is in use, or was freed by somebody else in the last 30 days."""
    if one("SELECT 1 FROM wikis WHERE slug = ?", (slug,)):
        if one(_DELETED_OF_OWNER, (slug, user.id)):
            raise InvalidWiki(
                "slug", f"A wiki that you deleted keeps the address {slug}: undelete it, or delete it for good first."
            )
        raise InvalidWiki("slug", f"The address {slug} is taken.")
    freed = one("SELECT user_id, freed_at FROM freed_slugs WHERE slug = ?", (slug,))
    if freed and freed["user_id"] != user.id and freed["freed_at"] > now - FREED_SLUG_REST_S:
        raise InvalidWiki("slug", f"The address {slug} was in use until lately and rests for 30 days.")


def find_slug_objection(db: Database, slug: str, user: User, *, clock: Clock = wall_clock) -> str | None:
    """Why `user` cannot have the address `slug` now, or None. Between asking and making, somebody may be faster."""
    try:
        refuse_taken_slug(db.one, check_slug(slug), user, clock())
    except InvalidWiki as error:
        return str(error)
    return None


def find_wiki_by_slug(db: Database, slug: str) -> Wiki | None:
    """The wiki at that address, in place."""
    row = db.one(f"SELECT {WIKI_COLUMNS} FROM wikis WHERE slug = ? AND {IN_SERVICE}", (slug,))
    return None if row is None else wiki_of_row(row)


def find_wiki_by_domain(db: Database, domain: str) -> Wiki | None:
    """The wiki whose own that domain is (as DNS has it), in place. None just as well when it only wants it."""
    row = db.one(
        f"SELECT {WIKI_COLUMNS} FROM domains JOIN wikis ON wikis.id = domains.wiki_id"
        " WHERE domains.domain = ? AND domains.verified_at IS NOT NULL"
        f" AND {IN_SERVICE}",
        (domain,),
    )
    return None if row is None else wiki_of_row(row)


def is_in_force(db: Database, domain: str) -> bool:
    """Whether the domain is a wiki's own at the moment, in place."""
    return find_wiki_by_domain(db, domain) is not None


def find_wiki_at(db: Database, place: WikiHost | OwnDomain) -> Wiki | None:
    """The wiki at that place, in place."""
    match place:
        case WikiHost(slug):
            return find_wiki_by_slug(db, slug)
        case OwnDomain(name):
            return find_wiki_by_domain(db, name)


def find_wiki(db: Database, wiki_id: str) -> Wiki | None:
    """The wiki of that id, in place."""
    row = db.one(f"SELECT {WIKI_COLUMNS} FROM wikis WHERE id = ? AND {IN_SERVICE}", (wiki_id,))
    return None if row is None else wiki_of_row(row)


async def list_wikis(db: Database) -> list[Wiki]:
    """All wikis that somebody reaches, by address."""
    rows = await db.scan(f"SELECT {WIKI_COLUMNS} FROM wikis WHERE {IN_SERVICE} ORDER BY slug")
    return [wiki_of_row(row) for row in rows]


async def list_kept_wikis(db: Database) -> list[Wiki]:
    """All wikis that there is something of, also those that are deleted for now or taken down, by address."""
    rows = await db.scan(f"SELECT {WIKI_COLUMNS} FROM wikis WHERE {KEPT} ORDER BY slug")
    return [wiki_of_row(row) for row in rows]


async def list_public_wikis(db: Database) -> list[Wiki]:
    """The wikis that anyone may read, by name."""
    rows = await db.scan(
        f"SELECT {WIKI_COLUMNS} FROM wikis WHERE {IN_SERVICE} AND visibility = 'public' ORDER BY name, slug"
    )
    return [wiki_of_row(row) for row in rows]


def wikis_of(db: Database, user: User) -> list[tuple[Wiki, Role]]:
    """The wikis in which `user` has a role, with the role, by name."""
    rows = db.all(
        f"SELECT {WIKI_COLUMNS}, grants.role FROM grants JOIN wikis ON wikis.id = grants.wiki_id"
        f" WHERE grants.user_id = ? AND {IN_SERVICE} ORDER BY wikis.name, wikis.slug",
        (user.id,),
    )
    return [(wiki_of_row(row), Role(row["role"])) for row in rows]


async def change_wiki(
    db: Database,
    wiki: Wiki,
    *,
    name: str,
    description: str,
    guidance: str,
    visibility: Visibility,
    git_enabled: bool,
    by: Doer,
    clock: Clock = wall_clock,
) -> Wiki:
    """Change what an owner decides about a wiki; in force for the next request. Raises `InvalidWiki`."""
    changed = replace(
        wiki,
        name=check_name(name),
        description=check_description(description),
        guidance=check_guidance(guidance),
        visibility=visibility,
        git_enabled=git_enabled,
    )

    def update(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE wikis SET name = ?, description = ?, guidance = ?, visibility = ?, git_enabled = ? WHERE id = ?",
            (changed.name, changed.description, changed.guidance, visibility.value, int(git_enabled), wiki.id),
        )
        for action, target in changes_between(wiki, changed):
            record(connection, Entry(action, by, wiki.id, target), clock=clock)

    await db.write(update)
    return changed


def changes_between(before: Wiki, after: Wiki) -> Iterator[tuple[AuditAction, str]]:
    """What somebody changed in the settings, as the audit names it: never the texts themselves (pure)."""
    texts = [field for field in ("name", "description", "guidance") if getattr(before, field) != getattr(after, field)]
    if texts:
        yield AuditAction.SETTINGS_CHANGED, ", ".join(texts)
    if before.visibility is not after.visibility:
        yield AuditAction.VISIBILITY_CHANGED, after.visibility.value
    if before.git_enabled != after.git_enabled:
        yield AuditAction.GIT_SWITCHED, "on" if after.git_enabled else "off"


def wiki_of_row(row: Row) -> Wiki:
    """A `Wiki` from a row that begins with `WIKI_COLUMNS`."""
    wiki_id, slug, name, description, visibility, created_at, git_enabled, *settled = row[:14]
    pages, size_bytes, guidance, frozen_at, domain, taken_down_at, taken_down_why = settled
    return Wiki(
        id=wiki_id,
        slug=slug,
        name=name,
        description=description,
        visibility=Visibility(visibility),
        created=moment(created_at),
        git_enabled=bool(git_enabled),
        quota_pages=pages,
        quota_bytes=size_bytes,
        guidance=guidance,
        is_frozen=frozen_at is not None,
        domain=domain,
        taken_down=None if taken_down_at is None else moment(taken_down_at),
        taken_down_why=taken_down_why,
    )
