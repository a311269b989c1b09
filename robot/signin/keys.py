"""The RSA key that signs session cookies: made at the first start, kept with mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from joserfc.jwk import RSAKey

_KEY_BITS = 2048
_KEY_FILE = "session.pem"


class KeyUnreadable(Exception):
    """The key file is damaged; the message says which and what to do."""


def load_session_key(keys: Path) -> RSAKey:
    """The key in the directory `keys`, made when missing. Two processes that start at once agree on one."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = keys / _KEY_FILE
    if not path.exists():
        _make(path)
    try:
        return RSAKey.import_key(path.read_bytes())
    except ValueError as error:
        raise KeyUnreadable(
            f"{path} is not an RSA key; remove it to make a new one (everybody has to sign in again)"
        ) from error


def _make(path: Path) -> None:
    pem = RSAKey.generate_key(_KEY_BITS, private=True).as_pem(private=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, unlike a rename, fails when another process was first; then its key is the key.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
