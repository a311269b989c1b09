"""Screens of Otter Wiki about people, mail and remotes: the platform does that, and each says where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Response, current_app

from wikihost.child.menu import platform_of
from wikihost.child.plain import signpost


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is said in place of a screen. `path` is below the wiki's page on the platform, or on the platform itself."""

    title: str
    sentence: str
    label: str
    path: str
    of_wiki: bool = True


_PEOPLE: Final = Elsewhere(
    "People are managed on the platform",
    "Who may read and write this wiki is decided there: by its visibility, by roles, and by invitations.",
    "People of this wiki",
    "/people",
)
_SIGN_IN: Final = Elsewhere(
    "Accounts belong to the platform",
    "You have one account for all wikis of this host, and sign in there. A wiki keeps no passwords and sends no mail.",
    "My account",
    "/app/account",
    of_wiki=False,
)
_GIT: Final = Elsewhere(
    "git is set up on the platform",
    "Whether this wiki can be cloned and pushed to with git is one of its settings; it pulls from nowhere by itself.",
    "Settings of this wiki",
    "/settings",
)
_MAIL: Final = Elsewhere(
    "This wiki sends no mail",
    "There is nothing to set up: people are invited, and sign in, on the platform.",
    "People of this wiki",
    "/people",
)
_HEALTH: Final = Elsewhere(
    "The operator looks after this",
    "Whether this host is set up safely is its operator's to check. What concerns your wiki is on its own page.",
    "This wiki on the platform",
    "",
)
YOUR_NAME: Final = Elsewhere(
    "Your name belongs to your account",
    "It is the same in all wikis of this host.",
    "My account",
    "/app/account",
    False,
)

REPLACED: Final[Mapping[str, Elsewhere]] = {
    "admin_mail_preferences": _MAIL,
    "admin_permissions_and_registration": _PEOPLE,
    "admin_repository_management": _GIT,
    "admin_user_management": _PEOPLE,
    "confirm_email": _SIGN_IN,
    "dotgit": _GIT,
    "git_info_refs": _GIT,
    "git_receive_pack": _GIT,
    "git_upload_pack": _GIT,
    "logout": _SIGN_IN,
    "lost_password": _SIGN_IN,
    "pull_webhook": _GIT,
    "recover_password": _SIGN_IN,
    "register": _SIGN_IN,
    "request_confirmation_link": _SIGN_IN,
    "security_check": _HEALTH,
    "user": _PEOPLE,
    "well_known_change_password": _SIGN_IN,
}
"""What stands in the place of each endpoint that is not reached."""


def show_replaced(status: int, elsewhere: Elsewhere) -> Response:
    """The page that says so."""
    wiki = current_app.config["ROBOT_PLATFORM_URL"]
    links = []
    if wiki:
        links.append((elsewhere.label, (wiki if elsewhere.of_wiki else platform_of(wiki)) + elsewhere.path))
    return signpost(status, elsewhere.title, elsewhere.sentence, *links)
