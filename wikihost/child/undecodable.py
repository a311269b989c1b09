"""Bytes that are not UTF-8: git brings them, and they are shown with marks (U+FFFD), as at every door."""

from __future__ import annotations


def shown(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def without_surrogates(text: str) -> str:
    """What git printed, as GitPython decodes it, as text that can be sent."""
    return shown(text.encode("utf-8", "surrogateescape"))


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
