"""Histories as `git fast-import` makes them: any shape, any clock, in one process."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from wikihost.layout import WikiHome


@dataclass(frozen=True, slots=True)
class Step:
    """A commit; `parents` are indexes of earlier steps, `texts` are by path (None removes), `moves` by new path."""

    parents: Sequence[int] = ()
    time: int = 1_700_000_000
    zone: str = "+0000"
    message: str = "Edit"
    author: str = "Ada Ferry <ada@users.example>"
    texts: dict[str, str | None] = field(default_factory=dict)
    moves: dict[str, str] = field(default_factory=dict)


def grow(home: WikiHome, steps: Sequence[Step], *, branch: str = "main") -> None:
    """Make the branch end at the last step; steps without parents begin at nothing."""
    lines: list[bytes] = []
    for index, step in enumerate(steps):
        lines += [b"commit refs/heads/%s" % branch.encode(), b"mark :%d" % (index + 1)]
        lines += [f"author {step.author} {step.time} {step.zone}".encode()]
        lines += [f"committer {step.author} {step.time} {step.zone}".encode(), _data(step.message)]
        for number, parent in enumerate(step.parents):
            lines.append(b"%s :%d" % (b"merge" if number else b"from", parent + 1))
        if not step.parents:
            lines.append(b"deleteall")
        lines += [f"R {_quoted(old)} {_quoted(new)}".encode() for new, old in step.moves.items()]
        for path, text in step.texts.items():
            if text is None:
                lines.append(f"D {_quoted(path)}".encode())
            else:
                lines += [f"M 100644 inline {_quoted(path)}".encode(), _data(text)]
    command = ["git", "fast-import", "--quiet", "--force", "--date-format=raw"]
    subprocess.run(command, cwd=home.repo, input=b"\n".join(lines) + b"\n", check=True, timeout=60)


def _data(text: str) -> bytes:
    return b"data %d\n%s" % (len(text.encode()), text.encode())


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
