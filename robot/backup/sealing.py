"""Sealing with a passphrase, in the age format (age-encryption.org/v1): `age --decrypt` opens it without robot."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

MIN_PASSPHRASE_CHARS = 16


class CannotSeal(Exception):
    """The passphrase is none, or does not open what it should; the message is a sentence that says what to do."""


def read_passphrase(file: Path) -> str:
    """The passphrase in a file, without white space around it. Raises `CannotSeal`."""
    try:
        passphrase = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise CannotSeal(f"The passphrase file {file} cannot be read: {reason}.") from error
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise CannotSeal(
            f"The passphrase in {file} has fewer than {MIN_PASSPHRASE_CHARS} characters; "
            "take a long random one, such as `openssl rand -base64 24` makes."
        )
    return passphrase


def seal(data: bytes, passphrase: str) -> bytes:
    """`data`, which only the passphrase opens. Takes a second and up to half a gigabyte for it, on purpose."""
    import pyrage  # noqa: PLC0415  (only who seals needs it)

    sealed: bytes = pyrage.passphrase.encrypt(data, passphrase)
    return sealed


def fingerprint(data: bytes, passphrase: str) -> str:
    """Tells whether something is the same, sealed with the same passphrase, without sealing it once more.

    `data` is the key of the hash. So it must be a secret that cannot be guessed; else it would help to guess the other.
    """
    return hmac.new(data, passphrase.encode(), hashlib.sha256).hexdigest()


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """What `seal` was given. Raises `CannotSeal` for another passphrase, and when a byte was changed."""
    import pyrage  # noqa: PLC0415

    try:
        data: bytes = pyrage.passphrase.decrypt(sealed, passphrase)
    except pyrage.DecryptError as error:
        if "xcessive work" in str(error):
            raise CannotSeal(
                "This machine has too much else to do to open it; try again later, or open it with `age --decrypt`."
            ) from error
        raise CannotSeal("The passphrase does not open it, or it is damaged.") from error
    return data
