"""The sign-in page: every way in that this host has, and what went wrong with the last one."""

from __future__ import annotations

from collections.abc import Mapping

from robot.address import PublicAddress
from robot.oauth.requests import Requests
from robot.signin.providers import Code, Provider, SignInFailed
from robot.web.page import render

_TITLES: Mapping[Code, str] = {
    "invalid": "That is not a name to sign in with",
    "not_found": "Nobody was found",
    "unreachable": "The other server did not answer",
    "refused": "The other server's answer cannot be trusted",
    "denied": "You said no",
    "mismatch": "Somebody else came back",
    "expired": "This sign-in is over",
}
# Else nothing is wrong with the handle, and the same one can be sent again.
_OF_WHAT_WAS_TYPED: frozenset[Code] = frozenset({"invalid", "not_found"})
_STATUSES: Mapping[Code, int] = {"unreachable": 502, "refused": 502}


def status_of(failure: SignInFailed) -> int:
    """The status of a page that tells of it."""
    return _STATUSES.get(failure.code, 400)


class LoginForm:
    """Renders the page. `providers` are those that are switched on, by name."""

    def __init__(self, address: PublicAddress, requests: Requests, providers: Mapping[str, Provider]) -> None:
        self._address = address
        self._requests = requests
        self._providers = providers

    def show(self, next_path: str, *, link_problem: str | None = None) -> str:
        """The page for somebody who goes on to `next_path`."""
        return self._render(next_path, link_problem=link_problem)

    def failed(self, failure: SignInFailed, next_path: str, provider: str = "", typed: str = "") -> tuple[str, int]:
        """The page after an attempt that failed, with what was typed still there, and its status."""
        page = self._render(
            next_path,
            title=_TITLES[failure.code],
            problem=failure.sentence,
            failed=provider,
            typed=typed,
            is_typed_wrong=failure.code in _OF_WHAT_WAS_TYPED,
        )
        return page, status_of(failure)

    def _render(
        self,
        next_path: str,
        *,
        link_problem: str | None = None,
        title: str = "",
        problem: str = "",
        failed: str = "",
        typed: str = "",
        is_typed_wrong: bool = False,
    ) -> str:
        return render(
            "login.html",
            user=None,
            domain=self._address.domain,
            next=next_path,
            asker=self._requests.find_asker(next_path),
            providers=list(self._providers.values()),
            title=title,
            problem=problem,
            failed=failed,
            typed=typed,
            is_typed_wrong=is_typed_wrong,
            link_problem=link_problem,
        )
