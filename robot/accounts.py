"""People: how an account is made and found."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
import unicodedata

from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.model import User
from robot.secret import new_id

FIRST_OPERATOR = "keeper"
USER_COLUMNS = "users.id, users.name, users.display_name, users.is_operator, users.created_at"

_USER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,28})[a-z0-9]")
# fmt: off
_RESERVED = {
    "admin", "administrator", "anonymous", "everyone", "nobody", "null", "operator", "robot", "root", "support",
    "system", "undefined",
}
# fmt: on
_MAX_DISPLAY_NAME_CHARS = 80


class InvalidAccount(ValueError):
    """The user name or display name cannot be used; the message says why."""


def check_user_name(name: str) -> str:
    """`name`, when it can be a user name; raises `InvalidAccount`. Says nothing about whether it is taken."""
    if not _USER_NAME.fullmatch(name):
        raise InvalidAccount("A user name has 3 to 30 letters a–z, digits or hyphens, with no hyphen at either end.")
    if name in _RESERVED:
        raise InvalidAccount(f"The user name {name} is reserved.")
    return name


def check_display_name(name: str) -> str:
    """`name` in one line, fit for a commit's author line; raises `InvalidAccount`."""
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not shown or len(shown) > _MAX_DISPLAY_NAME_CHARS:
        raise InvalidAccount(f"A display name has 1 to {_MAX_DISPLAY_NAME_CHARS} characters.")
    if any(unicodedata.category(char).startswith("C") or char in "<>" for char in shown):
        raise InvalidAccount("A display name has no control characters and neither < nor >.")
    return shown


async def create_user(
    db: Database, name: str, display_name: str, *, is_operator: bool = False, clock: Clock = wall_clock
) -> User:
    """Make an account; raises `InvalidAccount` when a name is unfit or taken."""
    user = User(new_id("u"), check_user_name(name), check_display_name(display_name), is_operator, moment(int(clock())))

    def insert(connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
            raise InvalidAccount(f"The user name {name} is taken.")
        connection.execute(
            "INSERT INTO users (id, name, display_name, is_operator, created_at) VALUES (?, ?, ?, ?, ?)",
            (user.id, user.name, user.display_name, int(is_operator), int(user.created.timestamp())),
        )

    await db.write(insert)
    return user


def find_user_by_name(db: Database, name: str) -> User | None:
    """The person of that user name."""
    row = db.one(f"SELECT {USER_COLUMNS} FROM users WHERE name = ?", (name,))
    return None if row is None else user_of_row(row)


async def list_users(db: Database) -> list[User]:
    """Everybody, by user name."""
    return [user_of_row(row) for row in await db.scan(f"SELECT {USER_COLUMNS} FROM users ORDER BY name")]


async def operator_of(db: Database) -> User:
    """The operator who came first; made when there is none yet."""
    operators = sorted((user for user in await list_users(db) if user.is_operator), key=lambda user: user.created)
    if operators:
        return operators[0]
    return await create_user(db, FIRST_OPERATOR, FIRST_OPERATOR.capitalize(), is_operator=True)


def user_of_row(row: Row) -> User:
    """A `User` from a row that holds `USER_COLUMNS` in its first five columns."""
    user_id, name, display_name, is_operator, created_at = row[:5]
    return User(user_id, name, display_name, bool(is_operator), moment(created_at))
