"""Who is asking: a request's credentials become an `Actor`, once, before any door is opened."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.asgi import Headers, values_of
from proxy.guard import is_sent_by_another_page
from robot.access import role_of
from robot.credential_uses import CredentialUses
from robot.db import Database
from robot.model import Actor, Agent, Anonymous, Person, Wiki
from robot.oauth.tokens import verify_access
from robot.signin.sessions import Sessions
from robot.tokens import verify_token


@dataclass(frozen=True, slots=True)
class BadCredential:
    """A bearer token was sent that opens nothing here: mistyped, revoked, expired, or of another wiki."""


class Actors:
    """Finds the actor of a request to a wiki; all look-ups are indexed point reads in place."""

    def __init__(self, db: Database, sessions: Sessions, credential_uses: CredentialUses) -> None:
        self._db = db
        self._sessions = sessions
        self._credential_uses = credential_uses

    def of_browser(self, headers: Headers, wiki: Wiki) -> Person | Anonymous:
        """The person whose browser this is, by the wiki's own cookie."""
        user = self._sessions.wiki_user(headers, wiki)
        return Anonymous() if user is None else Person(user, role_of(self._db, user.id, wiki.id))

    def of_caller(self, headers: Headers, wiki: Wiki) -> Actor | BadCredential:
        """The agent whose token was sent; without any Authorization header, the person of the browser.

        Nobody where a page of another site, or another wiki, has that browser ask: it would measure how long it takes.
        """
        credentials = values_of(headers, b"authorization")
        if not credentials:
            return Anonymous() if is_sent_by_another_page(headers) else self.of_browser(headers, wiki)
        secret = _bearer(credentials)
        return BadCredential() if secret is None else self._agent(secret, wiki)

    def of_git(self, headers: Headers, wiki: Wiki) -> Anonymous | Agent | BadCredential:
        """The agent whose token was sent, as Bearer or as a Basic password; a browser's cookie is nobody here."""
        credentials = values_of(headers, b"authorization")
        if not credentials:
            return Anonymous()
        secret = _bearer(credentials) or _basic_password(credentials)
        return BadCredential() if secret is None else self._agent(secret, wiki)

    def _agent(self, secret: str, wiki: Wiki) -> Agent | BadCredential:
        found = verify_access(self._db, secret, wiki.id) or verify_token(self._db, secret, wiki.id)
        if found is None:
            return BadCredential()
        credential, user, role = found
        self._credential_uses.note(credential)
        return Agent(user, role, credential, client=credential.name)


def _bearer(credentials: Sequence[bytes]) -> str | None:
    """The one bearer token that was sent (RFC 6750), or None."""
    scheme, _, secret = credentials[0].decode("latin-1").partition(" ")
    return secret.strip() if len(credentials) == 1 and scheme.lower() == "bearer" else None


def _basic_password(credentials: Sequence[bytes]) -> str | None:
    """The password that was sent with Basic (RFC 7617), whatever the user name, or None."""
    scheme, _, encoded = credentials[0].partition(b" ")
    if len(credentials) != 1 or scheme.lower() != b"basic":
        return None
    try:
        _, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return password if colon else None
