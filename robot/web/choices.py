"""Choices that several forms offer, as value, label and meaning."""

from __future__ import annotations

VISIBILITIES = (
    ("private", "Private", "Only people who have a role in it. To others it looks as if it did not exist."),
    ("unlisted", "Unlisted", "Whoever knows the address. It is listed nowhere."),
    ("public", "Public", "Everybody. It is listed on this host's front page."),
)
