"""Who may see the operator's pages: operators. To everybody else they do not exist."""

from __future__ import annotations

from werkzeug.exceptions import NotFound

from robot.model import User
from robot.signin.sessions import Sessions
from robot.web.visitor import signed_in

TABS = (
    ("machine", "Machine", "/app/admin"),
    ("people", "People", "/app/admin/people"),
    ("wikis", "Wikis", "/app/admin/wikis"),
)
"""The operator's pages: what marks each, its title, its address."""


def operator_here(sessions: Sessions) -> User:
    """The operator whose browser this is; raises `NotFound`, and what `signed_in` raises."""
    user = signed_in(sessions)
    if not user.is_operator:
        raise NotFound
    return user
