"""People: how an account is made and found."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
import unicodedata

from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.model import User
from robot.secret import new_id

FIRST_OPERATOR = "keeper"
USER_COLUMNS = (
    "users.id, users.name, users.display_name, users.is_operator, users.created_at, users.suspended_at,"
    " users.suspended_why, users.leaving_at"
)
USER_WIDTH = 8
"""How many columns those are: what else a row holds comes after them."""

NOT_BARRED = "users.suspended_at IS NULL AND users.leaving_at IS NULL"
"""`not User.is_barred` in SQL: each query by which a credential opens something has it."""

# Commits bear the names of accounts that were deleted, so nobody else is ever called so.
_SAME_LOOK = (
    "SELECT name FROM users WHERE look = ?1 UNION ALL SELECT name FROM freed_user_names WHERE look = ?1 LIMIT 1"
)

_USER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,28})[a-z0-9]")
# fmt: off
_RESERVED = {
    "admin", "administrator", "anonymous", "everyone", "nobody", "null", "operator", "robot", "root", "support",
    "system", "undefined",
}
# fmt: on
_LOOKS_ALIKE = (("-", ""), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("rn", "m"), ("vv", "w"))

MAX_USER_NAME_CHARS = 30
MAX_DISPLAY_NAME_CHARS = 80


class InvalidAccount(ValueError):
    """The user name or display name cannot be used; the message says why."""


class AccountSuspended(Exception):
    """The operator keeps this person out; the message is the operator's reason, empty if they gave none."""


def check_user_name(name: str) -> str:
    """`name`, when it can be a user name; raises `InvalidAccount`. Says nothing about whether it is taken."""
    if not _USER_NAME.fullmatch(name):
        raise InvalidAccount("A user name has 3 to 30 letters a–z, digits or hyphens, with no hyphen at either end.")
    if name in _RESERVED:
        raise InvalidAccount(f"The user name {name} is reserved.")
    if look_of(name) in _RESERVED_LOOKS:
        raise InvalidAccount(f"The user name {name} looks like one that is reserved.")
    return name


def check_chosen_name(name: str) -> str:
    """`check_user_name` for strangers who choose a name: the one that the first operator gets is kept for them."""
    if look_of(check_user_name(name)) == look_of(FIRST_OPERATOR):
        raise InvalidAccount(f"The user name {name} is reserved.")
    return name


def look_of(name: str) -> str:
    """What a user name looks like at a glance; the same rule as the column `users.look`."""
    for seen, taken_for in _LOOKS_ALIKE:
        name = name.replace(seen, taken_for)
    return name


_RESERVED_LOOKS = {look_of(name) for name in _RESERVED}


def find_name_objection(db: Database, name: str) -> str | None:
    """Why a stranger cannot have this user name now, or None; one point read."""
    try:
        check_chosen_name(name)
    except InvalidAccount as error:
        return str(error)
    return _taken(name, db.one(_SAME_LOOK, (look_of(name),)))


def check_display_name(name: str) -> str:
    """`name` in one line, fit for a commit's author line; raises `InvalidAccount`."""
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not shown or len(shown) > MAX_DISPLAY_NAME_CHARS:
        raise InvalidAccount(f"A display name has 1 to {MAX_DISPLAY_NAME_CHARS} characters.")
    if any(unicodedata.category(char).startswith("C") or char in "<>" for char in shown):
        raise InvalidAccount("A display name has no control characters and neither < nor >.")
    return shown


async def create_user(
    db: Database, name: str, display_name: str, *, is_operator: bool = False, clock: Clock = wall_clock
) -> User:
    """Make an account; raises `InvalidAccount` when a name is unfit or taken."""
    user = new_user(name, display_name, is_operator=is_operator, clock=clock)
    await db.write(lambda connection: insert_user(connection, user))
    return user


def new_user(name: str, display_name: str, *, is_operator: bool = False, clock: Clock = wall_clock) -> User:
    """An account that is not stored yet; raises `InvalidAccount` when a name is unfit."""
    return User(new_id("u"), check_user_name(name), check_display_name(display_name), is_operator, moment(int(clock())))


def insert_user(connection: sqlite3.Connection, user: User) -> None:
    """Store a new account inside a transaction. Raises `InvalidAccount` when its name, or one like it, is taken."""
    objection = _taken(user.name, connection.execute(_SAME_LOOK, (look_of(user.name),)).fetchone())
    if objection is not None:
        raise InvalidAccount(objection)
    connection.execute(
        "INSERT INTO users (id, name, display_name, is_operator, created_at) VALUES (?, ?, ?, ?, ?)",
        (user.id, user.name, user.display_name, int(user.is_operator), int(user.created.timestamp())),
    )


def _taken(name: str, other: Row | None) -> str | None:
    """Why `name` cannot be had beside `other`, a row of somebody whose name looks the same."""
    if other is None:
        return None
    if other["name"] == name:
        return f"The user name {name} is taken."
    return f"The user name {name} looks like one that is taken."


async def change_display_name(db: Database, user: User, display_name: str, *, clock: Clock = wall_clock) -> None:
    """Show `user` under another name from now on; commits keep the old one. Raises `InvalidAccount`."""
    shown = check_display_name(display_name)

    def update(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE users SET display_name = ? WHERE id = ?", (shown, user.id))
        record(connection, Entry(AuditAction.DISPLAY_NAME_CHANGED, doer_of(user), target=shown), clock=clock)

    await db.write(update)


def find_user_by_name(db: Database, name: str) -> User | None:
    """The person of that user name."""
    row = db.one(f"SELECT {USER_COLUMNS} FROM users WHERE name = ?", (name,))
    return None if row is None else user_of_row(row)


async def list_users(db: Database) -> list[User]:
    """Everybody, by user name."""
    return [user_of_row(row) for row in await db.scan(f"SELECT {USER_COLUMNS} FROM users ORDER BY name")]


async def operator_of(db: Database) -> User:
    """The operator who came first and is not barred; made when there is none yet."""
    operators = sorted(
        (user for user in await list_users(db) if user.is_operator), key=lambda user: (user.is_barred, user.created)
    )
    if operators:
        return operators[0]
    return await create_user(db, FIRST_OPERATOR, FIRST_OPERATOR.capitalize(), is_operator=True)


def user_of_row(row: Row) -> User:
    """A `User` from a row that begins with `USER_COLUMNS`."""
    user_id, name, display_name, is_operator, created_at, suspended_at, suspended_why, leaving_at = row[:USER_WIDTH]
    return User(
        user_id,
        name,
        display_name,
        bool(is_operator),
        moment(created_at),
        suspended=None if suspended_at is None else moment(suspended_at),
        suspended_why=suspended_why,
        leaving=None if leaving_at is None else moment(leaving_at),
    )
