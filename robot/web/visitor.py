"""Who is looking at a platform page."""

from __future__ import annotations

from quart import request

from robot.access import may, role_of
from robot.accounts import AccountSuspended
from robot.db import Database
from robot.model import Action, Person, Role, User, Wiki
from robot.signin.returns import with_query
from robot.signin.sessions import Session, Sessions
from robot.takedown import find_taken_down_at
from robot.wikis import find_wiki_by_slug

LEAVING_PATH = "/app/account/leaving"
"""Where somebody who asked for their account to be deleted may still keep it."""


class SignInNeeded(Exception):
    """Nobody is signed in; `address` is the sign-in page that leads back."""

    def __init__(self) -> None:
        super().__init__("sign in first")
        # A form that was sent is not sent again after signing in.
        wanted = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else "/app/"
        self.address = with_query("/auth/login", next=wanted)


class NoSuchWiki(Exception):
    """There is no wiki of that address in which the person has a role."""


class AccountLeaving(Exception):
    """The person has asked for their account to be deleted, and may still keep it."""


class WikiTakenDown(Exception):
    """The operator took the wiki down, in which the person has a role."""

    def __init__(self, wiki: Wiki, user: User) -> None:
        super().__init__(f"{wiki.slug} was taken down")
        self.wiki = wiki
        self.user = user


class OwnersOnly(Exception):
    """The person has a role in the wiki, but only an owner does this."""


def visitor(sessions: Sessions) -> User | None:
    """The person whose browser this is, if signed in."""
    return sessions.platform_user(request.scope["headers"])


def signed_in(sessions: Sessions) -> User:
    """The person whose browser this is; raises what `signed_in_session` raises."""
    return signed_in_session(sessions).user


def signed_in_session(sessions: Sessions) -> Session:
    """The session of this browser; raises `SignInNeeded`, `AccountSuspended`, `AccountLeaving`."""
    session = sessions.platform_session(request.scope["headers"])
    if session is None:
        refuse_barred(sessions)
        raise SignInNeeded
    return session


def refuse_barred(sessions: Sessions) -> None:
    """Raise `AccountSuspended` or `AccountLeaving` where that is why nobody is signed in: to sign in is no way out."""
    barred = sessions.barred_user(request.scope["headers"])
    if barred is not None and barred.suspended is not None:
        raise AccountSuspended(barred.suspended_why)
    if barred is not None:
        raise AccountLeaving


def open_wiki(db: Database, user: User, slug: str) -> tuple[Wiki, Role]:
    """The wiki at `slug` and the person's role in it; raises what `no_wiki` gives."""
    wiki = find_wiki_by_slug(db, slug)
    role = None if wiki is None else role_of(db, user.id, wiki.id)
    if wiki is None or role is None:
        raise no_wiki(db, user, slug)
    return wiki, role


def no_wiki(db: Database, user: User, slug: str) -> NoSuchWiki | WikiTakenDown:
    """Why the person finds no wiki at `slug`: the same for one of other people, there or taken down, as for none."""
    wiki = find_taken_down_at(db, slug)
    if wiki is not None and role_of(db, user.id, wiki.id) is not None:
        return WikiTakenDown(wiki, user)
    return NoSuchWiki()


def open_own_wiki(db: Database, user: User, slug: str) -> tuple[Wiki, Role]:
    """As `open_wiki`, for what only owners do; raises `OwnersOnly` for others with a role."""
    wiki, role = open_wiki(db, user, slug)
    if not may(Person(user, role), Action.ADMINISTER, wiki):
        raise OwnersOnly
    return wiki, role


def whose_agents(user: User, wiki: Wiki, role: Role) -> User | None:
    """Whose tokens, connections and their deeds the person sees and may take back: their own, an owner all (None)."""
    return None if may(Person(user, role), Action.ADMINISTER, wiki) else user
