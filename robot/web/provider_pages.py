"""Signing in with an identity provider: on the way there, and back again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

import trio
from quart import Blueprint, redirect, request

from robot.address import PublicAddress
from robot.audit import ROBOT
from robot.db import ConstraintBroken, Database
from robot.secret import new_secret
from robot.signin.admission import Admission
from robot.signin.attempts import ATTEMPT_LIFETIME_S, Attempt, find_attempt, keep_attempt, take_attempt
from robot.signin.cookies import SIGNIN_COOKIE, SIGNUP_COOKIE, cookie_values, set_cookie
from robot.signin.handoff import nonce_to_use
from robot.signin.identities import IdentityTaken, find_user, link_identity, note_use
from robot.signin.providers import Departure, Identity, Provider, SignInFailed
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import Session, Sessions
from robot.signin.signups import SIGNUP_LIFETIME_S, Signup, keep_signup
from robot.sparse_log import SparseLog
from robot.standing import set_operator
from robot.web.answers import Answer
from robot.web.connect_pages import WaysPage
from robot.web.going_on import HOME, answer_for, signed_in_answer
from robot.web.login_form import LoginForm, status_of
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in_session, visitor

log = logging.getLogger(__name__)

PROVIDER_DEADLINE_S = 30.0
"""How long a provider's client may ask others, all in all: nobody looks at an empty page for longer."""

CONNECT_PATH = "/auth/connect"
SIGNUP_PATH = "/auth/sign-up"

_OVER = SignInFailed(
    "expired", "It took too long, was used already, or began in another browser. Nothing has happened; begin again."
)


def provider_pages(
    site: Site, *, providers: Mapping[str, Provider], admission: Admission, form: LoginForm, ways: WaysPage
) -> Blueprint:
    """`/auth/begin`, `/auth/connect` (POST), `/auth/depart`, `/auth/callback`, `/auth/callback/{provider}`"""
    db, address, sessions = site
    pages = Blueprint("provider", __name__, url_prefix="/auth")
    gate = _Gate(db, address, sessions, providers, admission, form, ways)

    @pages.post("/begin")
    async def begin() -> Answer:
        sent = await request.form
        next_path = safe_return(sent.get("next"), HOME)
        return await gate.send_away(sent.get("provider", ""), sent.get("handle", ""), next_path, None)

    @pages.post("/connect")
    async def connect() -> Answer:
        """As signing in, to let the person who is signed in sign in this way too."""
        sent = await request.form
        session = signed_in_session(sessions)
        next_path = safe_return(sent.get("next"), CONNECT_PATH)
        return await gate.send_away(sent.get("provider", ""), sent.get("handle", ""), next_path, session)

    @pages.get("/depart")
    async def depart() -> Answer:
        """A page between the form and the provider: a form's redirects may not leave this host (form-action 'self')."""
        attempt = find_attempt(db, request.args.get("to", ""), _browsers())
        if attempt is None:
            return gate.over(HOME)
        host = urlsplit(attempt.address).netloc
        back = attempt.return_path if attempt.session_id else with_query("/auth/login", next=attempt.return_path)
        page = render("depart.html", user=None, domain=address.domain, to=attempt.address, host=host, back=back)
        return answer_for(page, attempt.return_path)

    @pages.get("/callback")
    async def callback() -> Answer:
        return await gate.let_in("atproto")

    @pages.get("/callback/<provider>")
    async def callback_of(provider: str) -> Answer:
        return await gate.let_in(provider)

    return pages


class _Gate:
    """What both directions need."""

    def __init__(
        self,
        db: Database,
        address: PublicAddress,
        sessions: Sessions,
        providers: Mapping[str, Provider],
        admission: Admission,
        form: LoginForm,
        ways: WaysPage,
    ) -> None:
        self._db = db
        self._domain = address.domain
        self._sessions = sessions
        self._providers = providers
        self._admission = admission
        self._form = form
        self._sparse = SparseLog(log)
        self._ways = ways

    async def send_away(self, name: str, typed: str, next_path: str, session: Session | None) -> Answer:
        provider = self._providers.get(name)
        if provider is None:
            sentence = "This host has no such way to sign in. Choose one of these."
            return self._failed(SignInFailed("invalid", sentence), next_path, session=session)
        state, browser = new_secret(), nonce_to_use(_browsers())
        try:
            departure = await _begin(provider, typed, state, next_path)
        except SignInFailed as failure:
            return self._failed(failure, next_path, name, typed, session)
        session_id = None if session is None else session.id
        attempt = Attempt(name, typed, departure.address, departure.memory, next_path, session_id)
        try:
            attempt_id = await keep_attempt(self._db, state, browser, attempt)
        except ConstraintBroken:  # signed out in another tab, while the provider was asked
            return self.over(next_path)
        answer = answer_for(redirect(with_query("/auth/depart", to=attempt_id), 303), next_path)
        answer.headers.add("Set-Cookie", set_cookie(SIGNIN_COOKIE, browser, max_age_s=ATTEMPT_LIFETIME_S))
        return answer

    async def let_in(self, name: str) -> Answer:
        """Find out who came back, and what they may do here."""
        query = request.args.to_dict(flat=False)
        state = query.get("state", [])
        attempt = await take_attempt(self._db, state[0], _browsers()) if len(state) == 1 else None
        provider = self._providers.get(name)
        if attempt is None or provider is None or attempt.provider != name:
            return self.over(HOME)
        try:
            identity = await _finish(provider, query, attempt.memory)
        except SignInFailed as failure:
            session = self._session() if attempt.session_id else None
            return self._failed(failure, attempt.return_path, name, attempt.typed, session)
        if attempt.session_id is not None:
            return await self._connect(attempt.session_id, identity, attempt.return_path)
        user = find_user(self._db, identity.provider, identity.subject)
        if user is None:
            return await self._ask_to_sign_up(identity, attempt.return_path)
        await note_use(self._db, identity)
        if self._admission.is_operator(identity) and not (user.is_operator or user.is_barred):
            await set_operator(self._db, user, is_operator=True, by=ROBOT)
        return await signed_in_answer(self._sessions, user, attempt.return_path, provider=name)

    def over(self, next_path: str) -> Answer:
        """The answer to a state that opens nothing: the back button, a second click, another browser, a forged one."""
        user = visitor(self._sessions)
        if user is None:
            return self._failed(_OVER, next_path)
        return answer_for(render("signin_over.html", user=user, domain=self._domain), next_path, 400)

    async def _connect(self, session_id: str, identity: Identity, next_path: str) -> Answer:
        session = self._session()
        if session is None or session.id != session_id:
            sentence = "You have signed out meanwhile, or in again, so nothing was connected."
            return self._failed(SignInFailed("mismatch", sentence), next_path, session=session)
        try:
            await link_identity(self._db, session.user, identity)
        except IdentityTaken as error:
            return answer_for(self._ways.show(session.user, problem=str(error)), next_path, 409)
        there = next_path if "?" in next_path else with_query(next_path, connected="1")
        return answer_for(redirect(there, 303), next_path)

    async def _ask_to_sign_up(self, identity: Identity, next_path: str) -> Answer:
        secret = await keep_signup(self._db, Signup(identity, next_path))
        answer = answer_for(redirect(SIGNUP_PATH, 303), next_path)
        answer.headers.add("Set-Cookie", set_cookie(SIGNUP_COOKIE, secret, max_age_s=SIGNUP_LIFETIME_S))
        return answer

    def _session(self) -> Session | None:
        return self._sessions.platform_session(request.scope["headers"])

    def _failed(
        self, failure: SignInFailed, next_path: str, name: str = "", typed: str = "", session: Session | None = None
    ) -> Answer:
        """Back to the form, with what was typed: the one of the account where somebody is signed in by `session`."""
        self._sparse.warn(f"{name} {failure.code}", "no sign-in with %s: %s", name or "any provider", failure.code)
        if session is None:
            page, status = self._form.failed(failure, next_path, name, typed)
        else:
            page = self._ways.show(session.user, problem=failure.sentence, failed=name, typed=typed)
            status = status_of(failure)
        return answer_for(page, next_path, status)


def _browsers() -> list[str]:
    return cookie_values(request.scope["headers"], SIGNIN_COOKIE)


async def _begin(provider: Provider, typed: str, state: str, next_path: str) -> Departure:
    with trio.move_on_after(PROVIDER_DEADLINE_S):
        departure = await provider.begin(typed.strip(), state=state, return_after=next_path)
        # It becomes a link here, and what other servers say has a part in it.
        if not departure.address.startswith("https://"):
            raise SignInFailed("refused", f"{provider.label} sends to an address that is not https. Nothing was sent.")
        return departure
    raise _too_slow(provider)


async def _finish(provider: Provider, query: Mapping[str, list[str]], memory: Mapping[str, str]) -> Identity:
    if any(len(values) != 1 for values in query.values()):
        raise SignInFailed("refused", "The other server said the same thing twice, so neither counts. Begin again.")
    with trio.move_on_after(PROVIDER_DEADLINE_S):
        return await provider.finish({key: values[0] for key, values in query.items()}, memory)
    raise _too_slow(provider)


def _too_slow(provider: Provider) -> SignInFailed:
    sentence = f"No answer came from {provider.label} within {PROVIDER_DEADLINE_S:.0f} seconds. Try again in a moment."
    return SignInFailed("unreachable", sentence)
