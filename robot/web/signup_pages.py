"""Making an account: who comes from a provider for the first time chooses a user name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from quart import Blueprint, redirect, request

from robot.accounts import InvalidAccount, check_chosen_name, check_display_name, find_name_objection
from robot.db import Database
from robot.signin.admission import Admission, NotAdmitted
from robot.signin.cookies import INVITATION_COOKIE, SIGNUP_COOKIE, clear_cookie, cookie_values
from robot.signin.identities import IdentityTaken
from robot.signin.signups import Signup, SignupOver, find_signup, finish_signup, suggest_display_name, suggest_name
from robot.web.answers import Answer
from robot.web.going_on import HOME, answer_for, signed_in_answer
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import visitor


@dataclass(frozen=True, slots=True)
class _Typed:
    name: str
    display_name: str


def signup_pages(site: Site, *, admission: Admission) -> Blueprint:
    """`/auth/sign-up`, `/auth/sign-up/check`"""
    db, address, sessions = site
    pages = Blueprint("signup", __name__, url_prefix="/auth/sign-up")

    def form(signup: Signup, typed: _Typed, errors: dict[str, str], status: int = 200) -> Answer:
        page = render(
            "signup.html",
            user=None,
            domain=address.domain,
            signed_in=visitor(sessions),
            identity=signup.identity,
            identity_key=_key_of(signup),
            typed=typed,
            errors=errors,
        )
        return answer_for(page, signup.return_path, status)

    def over() -> Answer:
        """For a second click, the back button, or somebody who took too long."""
        if visitor(sessions) is not None:
            return redirect(HOME, 303)
        return answer_for(render("signup_over.html", user=None, domain=address.domain), HOME, 400)

    def refused(signup: Signup) -> Answer:
        page = render(
            "signup_refused.html",
            user=None,
            domain=address.domain,
            signed_in=visitor(sessions),
            identity=signup.identity,
            closed=admission.policy == "closed",
        )
        return answer_for(page, signup.return_path, 403)

    def links() -> list[str]:
        return cookie_values(request.scope["headers"], INVITATION_COOKIE)

    @pages.get("")
    async def ask() -> Answer:
        _, signup = _under_way(db)
        if signup is None:
            return over()
        if not admission.may_sign_up(db, signup.identity, links()):
            return refused(signup)
        name = suggest_name(signup.identity)
        free = bool(name) and find_name_objection(db, name) is None
        return form(signup, _Typed(name if free else "", suggest_display_name(signup.identity)), {})

    @pages.post("")
    async def make() -> Answer:
        sent = await request.form
        typed = _Typed(sent.get("name", "").strip(), sent.get("display_name", ""))
        secret, signup = _under_way(db)
        if signup is None:
            return over()
        if not admission.may_sign_up(db, signup.identity, links()):
            return refused(signup)
        if sent.get("identity") != _key_of(signup):
            # Another tab came back from a provider meanwhile, as somebody else.
            sentence = "Another sign-in has begun in this browser. Look below whose account this will be."
            return form(signup, typed, {"form": sentence}, 409)
        errors = _find_errors(typed)
        if errors:
            return form(signup, typed, errors, 400)
        try:
            user = await finish_signup(
                db,
                secret,
                signup,
                typed.name,
                typed.display_name,
                is_operator=admission.is_operator(signup.identity),
                admit=partial(admission.admit, identity=signup.identity, links=links()),
            )
        except InvalidAccount as error:
            return form(signup, typed, {"name": f"{error} Choose another."}, 409)
        except NotAdmitted:  # somebody else was faster with the same link
            return refused(signup)
        except (IdentityTaken, SignupOver):
            return over()
        answer = await signed_in_answer(sessions, user, signup.return_path, provider=signup.identity.provider)
        answer.headers.add("Set-Cookie", clear_cookie(SIGNUP_COOKIE))
        return answer

    @pages.get("/check")
    async def check() -> tuple[dict[str, str | bool], int]:
        """For the live check in the form: whether this user name could be had now."""
        if _under_way(db)[1] is None:
            return {"free": False, "sentence": "This sign-up is over."}, 403
        name = request.args.get("name", "")
        objection = find_name_objection(db, name)
        return {"free": objection is None, "sentence": objection or f"The user name {name} is free."}, 200

    return pages


def _under_way(db: Database) -> tuple[str, Signup | None]:
    """The sign-up of this browser, and its secret. Of several that were set, none can be told to be its own."""
    secrets = cookie_values(request.scope["headers"], SIGNUP_COOKIE)
    found = [(secret, signup) for secret in secrets if (signup := find_signup(db, secret)) is not None]
    return found[0] if len(found) == 1 else ("", None)


def _key_of(signup: Signup) -> str:
    return f"{signup.identity.provider} {signup.identity.subject}"


def _find_errors(typed: _Typed) -> dict[str, str]:
    errors = {}
    for field, check in (("name", check_chosen_name), ("display_name", check_display_name)):
        try:
            check(getattr(typed, field))
        except InvalidAccount as error:
            errors[field] = str(error)
    return errors
