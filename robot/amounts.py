"""Amounts as people read them."""

from __future__ import annotations

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def file_size(count_bytes: float) -> str:
    """A size: `812 bytes`, `3.4 MiB`."""
    size, unit = float(count_bytes), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """How long: `3 days, 4 hours`, `12 minutes`."""
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{counted(days, 'day')}, {counted(hours, 'hour')}"
    return f"{counted(hours, 'hour')}, {counted(minutes % 60, 'minute')}" if hours else counted(minutes, "minute")


def counted(count: int, unit: str) -> str:
    """So many of them: `1 wiki`, `5,000 wikis`."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
