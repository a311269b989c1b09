"""Who is asking, as core says it in request headers.

`x-otterwiki-permissions` holds any of READ WRITE UPLOAD ADMIN; `x-otterwiki-name` and `x-otterwiki-email` are absent
for anonymous visitors. Names are UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterwiki.auth import OtterWikiAnonymousUser, ProxyHeaderAuth

from wikihost.child.repeatable import note_personal


class Visitor(OtterWikiAnonymousUser):  # type: ignore[misc]  # Otter Wiki is untyped
    """Someone who is not signed in, and may do what core says."""

    def __init__(self, permissions: set[str]) -> None:
        self.permissions = permissions


class Member(ProxyHeaderAuth.User):  # type: ignore[misc]
    """Someone who is signed in. Whatever reads their name or address makes an answer for them alone."""

    def __init__(self, name: str, email: str, permissions: set[str]) -> None:
        super().__init__(name, email, permissions)

    @property
    def name(self) -> str:
        note_personal()
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def email(self) -> str:
        note_personal()
        return self._email

    @email.setter
    def email(self, email: str) -> None:
        self._email = email


class CoreSays(ProxyHeaderAuth):  # type: ignore[misc]
    """Otter Wiki's proxy-header mode, for visitors too, and for names beyond Latin-1."""

    def request_loader(self, req: Any) -> Any:
        permissions = self._map_roles_to_permissions(self._parse_roles(req.headers.get(self._roles_header, "")))
        name = _text(req.headers.get(self._username_header, ""))
        email = _text(req.headers.get(self._email_header, ""))
        if not email:
            return Visitor(permissions)
        return Member(name or email, email, permissions)

    def has_permission(self, permission: str, user: Any) -> bool:
        return permission.upper() in getattr(user, "permissions", ())


def _text(value: str) -> str:
    """A header's value: WSGI hands over bytes as Latin-1 (PEP 3333)."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace").strip()


def core_says(config: Mapping[str, str]) -> CoreSays:
    """The mode with the header and role names that Otter Wiki is configured with."""
    return CoreSays(
        username_header=config["AUTH_HEADERS_USERNAME"],
        email_header=config["AUTH_HEADERS_EMAIL"],
        roles_header=config["AUTH_HEADERS_PERMISSIONS"],
        read_roles=config["AUTH_ROLES_READ"],
        write_roles=config["AUTH_ROLES_WRITE"],
        upload_roles=config["AUTH_ROLES_UPLOAD"],
        admin_roles=config["AUTH_ROLES_ADMIN"],
    )
