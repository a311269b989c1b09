"""Addresses that a client may have its answers sent to (pure)."""

from __future__ import annotations

import re

# A program on a person's own machine (RFC 8252, section 7.3), over plain http: host, and all that follows the port.
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?([/?].*)?")


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
