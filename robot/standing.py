"""What the operator decides about people: who is kept out, and who is an operator."""

from __future__ import annotations

import sqlite3

from robot.accounts import NOT_BARRED, InvalidAccount
from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import User

MAX_WHY_CHARS = 300


class LastOperator(Exception):
    """Without this person the host would have no operator; the message says what to do."""


def check_why(why: str) -> str:
    """The reason of a suspension in one line, may be empty; raises `InvalidAccount`."""
    shown = " ".join(why.split())
    if len(shown) > MAX_WHY_CHARS or not shown.isprintable():
        raise InvalidAccount(f"A reason has at most {MAX_WHY_CHARS} printable characters.")
    return shown


async def suspend(db: Database, user: User, why: str, *, by: Doer, clock: Clock = wall_clock) -> None:
    """Keep `user` out from the next request on, whatever they or their agents show; they read `why`.

    Nothing of theirs is removed. Raises `InvalidAccount`, `LastOperator`.
    """
    reason = check_why(why)

    def update(connection: sqlite3.Connection) -> None:
        refuse_last_operator(connection, user)
        connection.execute(
            "UPDATE users SET suspended_at = coalesce(suspended_at, ?), suspended_why = ? WHERE id = ?",
            (int(clock()), reason, user.id),
        )
        record(connection, Entry(AuditAction.USER_SUSPENDED, by, target=user.name), clock=clock)

    await db.write(update)


async def unsuspend(db: Database, user: User, *, by: Doer, clock: Clock = wall_clock) -> None:
    """Let `user` in again. Their agents get in as before, they themselves sign in anew."""

    def update(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE users SET suspended_at = NULL, suspended_why = '' WHERE id = ?", (user.id,))
        end_browsers(connection, user)
        record(connection, Entry(AuditAction.USER_UNSUSPENDED, by, target=user.name), clock=clock)

    await db.write(update)


async def set_operator(db: Database, user: User, *, is_operator: bool, by: Doer, clock: Clock = wall_clock) -> None:
    """Make `user` an operator, or one no more. A browser gains nothing while it is open: new operators sign in anew.

    Raises `LastOperator`, and `InvalidAccount` for somebody who is barred.
    """

    def update(connection: sqlite3.Connection) -> None:
        if is_operator and not connection.execute(_UNBARRED, (user.id,)).fetchone():
            raise InvalidAccount(f"{user.name} is suspended or about to be deleted, and can be no operator.")
        if not is_operator:
            refuse_last_operator(connection, user)
        if is_operator:
            connection.execute("DELETE FROM sessions WHERE user_id = ?", (user.id,))
        connection.execute("UPDATE users SET is_operator = ? WHERE id = ?", (int(is_operator), user.id))
        action = AuditAction.OPERATOR_MADE if is_operator else AuditAction.OPERATOR_UNMADE
        record(connection, Entry(action, by, target=user.name), clock=clock)

    await db.write(update)


def refuse_last_operator(connection: sqlite3.Connection, user: User) -> None:
    """Raise `LastOperator` where `user` is the only operator who gets in; inside the transaction that removes one."""
    operators = [row["id"] for row in connection.execute(_OPERATORS)]
    if operators == [user.id]:
        raise LastOperator(f"{user.name} is the only operator of this host. Make somebody else one first.")


def end_browsers(connection: sqlite3.Connection, user: User) -> None:
    """Sign `user` out everywhere, and void their one-time links; inside a transaction."""
    connection.execute("DELETE FROM sessions WHERE user_id = ?", (user.id,))
    connection.execute("DELETE FROM signin_links WHERE user_id = ?", (user.id,))


_UNBARRED = f"SELECT 1 FROM users WHERE id = ? AND {NOT_BARRED}"  # noqa: S608  (a constant)
_OPERATORS = f"SELECT id FROM users WHERE is_operator = 1 AND {NOT_BARRED}"  # noqa: S608  (a constant)
