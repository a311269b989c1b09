"""Cookies: read without trusting that there is only one of a name, written host-only.

A page on a sibling host can set cookies for the whole domain ("tossing"). The `__Host-` prefix makes browsers refuse
that; for those that do not, every value of a name is looked at, and only values that prove themselves count.
"""

from __future__ import annotations

from collections.abc import Iterable

PLATFORM_COOKIE = "__Host-robot_session"
WIKI_COOKIE = "__Host-robot_wiki"
NONCE_COOKIE = "__Host-robot_nonce"
RETURN_COOKIE = "__Host-robot_return"
SIGNIN_COOKIE = "__Host-robot_signin"
SIGNUP_COOKIE = "__Host-robot_signup"
INVITATION_COOKIE = "__Host-robot_invitation"

# More copies than this are not an accident, and each costs a signature check.
_MAX_VALUES = 4

Headers = Iterable[tuple[bytes, bytes]]


def cookie_values(headers: Headers, name: str) -> list[str]:
    """The distinct values sent for `name`, in order, at most four (RFC 6265 section 5.4 allows repeats)."""
    wanted = name.encode("ascii")
    values: dict[bytes, None] = {}
    for header, line in headers:
        if header.lower() != b"cookie":
            continue
        for pair in line.split(b";"):
            key, separator, value = pair.strip().partition(b"=")
            if separator and key == wanted:
                values[value] = None
    return [value.decode("latin-1") for value in list(values)[:_MAX_VALUES]]


def set_cookie(name: str, value: str, *, max_age_s: int) -> str:
    """The value of a `Set-Cookie` header for a host-only cookie that scripts cannot read."""
    return f"{name}={value}; Path=/; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax"


def clear_cookie(name: str) -> str:
    """The value of a `Set-Cookie` header that removes the cookie."""
    return set_cookie(name, "", max_age_s=0)
