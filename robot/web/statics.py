"""The platform's few static files, kept in memory; their addresses change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent; `version` is a hash of its content."""

    content: bytes
    content_type: str
    version: str


def _load() -> dict[str, StaticFile]:
    found = {}
    for entry in (files("robot.web") / "static").iterdir():
        content_type = _TYPES.get(entry.name[entry.name.rfind(".") :])
        if content_type is not None:
            content = entry.read_bytes()
            found[entry.name] = StaticFile(content, content_type, hashlib.sha256(content).hexdigest()[:12])
    return found


STATIC_FILES = _load()


def static_address(name: str) -> str:
    """The path of a static file, with its version, so that browsers may keep it for ever."""
    return f"/static/{name}?v={STATIC_FILES[name].version}"
