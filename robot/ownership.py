"""How many wikis a person may own: asked where a wiki is made, and where somebody becomes an owner."""

from __future__ import annotations

import sqlite3

from robot.model import User


class TooManyWikis(Exception):
    """The person owns as many wikis as this host allows; the message says how many."""


def refuse_another_wiki(connection: sqlite3.Connection, owner: User, limit: int | None, *, named: str = "") -> None:
    """Raise `TooManyWikis` when `owner` may own no more than `limit` (None: any number), inside a transaction.

    Wikis that were deleted and can be had back count, else nobody would run out of disk but the host. The sentence
    speaks to the owner, or of them by the name `named`.
    """
    rows = connection.execute(
        "SELECT wikis.state FROM grants JOIN wikis ON wikis.id = grants.wiki_id WHERE grants.user_id = ?"
        " AND grants.role = 'owner' AND (wikis.state <> 'deleting' OR wikis.purge_at IS NOT NULL)",
        (owner.id,),
    ).fetchall()
    if limit is None or owner.is_operator or len(rows) < limit:
        return
    resting = sum(row["state"] == "deleting" for row in rows)
    owned = f"{len(rows)} wikis" + (f", {resting} of them deleted but not for good" if resting else "")
    if named:
        raise TooManyWikis(f"{named} owns {owned}, and this host allows {limit} a person.")
    advice = "Delete one for good to make room." if resting else "Delete one to make room."
    raise TooManyWikis(f"You own {owned}, and this host allows {limit} a person. {advice}")
