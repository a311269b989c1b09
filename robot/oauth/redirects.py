"""Addresses that a client may have its answers sent to (pure)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_REDIRECT_CHARS = 1_000

# A host as it is shown to people, who decide by it; a browser would undo an escape and go to another.
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# What RFC 3986 lets an address consist of, without the `#` of a fragment.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")
# A program on a person's own machine (RFC 8252, section 7.3), over plain http: host, and all that follows the port.
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?([/?].*)?")
# A scheme of an application's own has the reversed name of a domain in it (RFC 8252, section 7.1). These have none, and
# are those of well-known programs; any other might run something on the person's machine, as `javascript:` does.
_KNOWN_SCHEMES = frozenset(
    {
        "antigravity",
        "claude",
        "cursor",
        "goose",
        "jetbrains",
        "kiro",
        "lmstudio",
        "raycast",
        "trae",
        "vscode",
        "vscode-insiders",
        "vscodium",
        "warp",
        "windsurf",
        "zed",
    }
)


class RedirectRefused(ValueError):
    """No answers are sent to this address; the message is a sentence."""


def check_redirect(uri: str) -> str:
    """The address itself, if a client may register it. Raises `RedirectRefused`."""
    if len(uri) > MAX_REDIRECT_CHARS:
        raise RedirectRefused(f"A redirect address has at most {MAX_REDIRECT_CHARS} characters.")
    if "#" in uri:
        raise RedirectRefused("A redirect address has no fragment: leave out '#' and what follows it.")
    scheme = _SCHEME.match(uri)
    if scheme is None or not _CHARACTERS.fullmatch(uri):
        raise RedirectRefused("A redirect address begins with a scheme in lower case and has no spaces or quotes.")
    match scheme[1]:
        case "https":
            _check_https(uri)
        case "http":
            if not _LOOPBACK.fullmatch(uri):
                raise RedirectRefused("Redirects over plain http go to 127.0.0.1, [::1] or localhost only; use https.")
        case name if "." not in name and name not in _KNOWN_SCHEMES:
            raise RedirectRefused(
                f"Redirects to '{name}:' are not sent; a scheme of your own is named for a domain of yours, such as"
                " 'com.example.app:/callback'."
            )
        case _:
            pass
    return uri


def same_redirect(registered: str, asked: str) -> bool:
    """Whether `asked` is the registered address, character by character; only the port of loopback is free.

    A program on a person's machine listens on whatever port it gets (RFC 8252, section 7.3).
    """
    if registered == asked:
        return True
    ours, theirs = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(asked)
    return ours is not None and theirs is not None and ours.groups() == theirs.groups()


def is_loopback(uri: str) -> bool:
    """Whether an address is of a program on the person's own machine."""
    return _LOOPBACK.fullmatch(uri) is not None


def _check_https(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        host = parts.netloc.removesuffix(f":{parts.port}")
        is_plain = _HOST.fullmatch(host) is not None and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain:
        raise RedirectRefused("This redirect address has no host that it could be sent to.")
