"""Three-way merge of a page's text, by git's own machinery.

`git merge-file` runs beside this process, on files in memory: a full disk does not keep anybody from merging, and texts
that take git long to compare neither hold the interpreter nor outlast a deadline.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

MAX_MERGED_BYTES = 8 * 1024 * 1024  # of each text; a page of a million characters has at most half of it
MERGE_DEADLINE_S = 2.0
YOURS = "your text"
OTHERS = "saved meanwhile"

# linux/memfd.h. Workers may make no file in memory that could be started.
_NOEXEC_SEAL = 0x8
_MARK_LENGTH = 7
_MAX_MARK_LENGTH = 64
_LIKE_MARKS = re.compile(r"^([<=>])\1{6,}", re.MULTILINE)
# Over 127 conflicts count as 127; what is above are errors (git-merge-file(1), "exit status").
_MOST_CONFLICTS = 127


@dataclass(frozen=True, slots=True)
class Merged:
    """The changes of both sides, which do not overlap."""

    text: str


@dataclass(frozen=True, slots=True)
class Clash:
    """Both sides changed the same lines. `draft` has both versions of these between marks of `mark_length`."""

    draft: str
    mark_length: int


def merge(base: str, ours: str, theirs: str) -> Merged | Clash:
    """Bring together two texts that were made from `base`. Lines end in `\\n`."""
    if theirs in (ours, base):
        return Merged(ours)
    if base == ours:
        return Merged(theirs)
    mark_length = _free_mark_length(ours, theirs)
    done = _merge_file(*(text.encode("utf-8", "replace") for text in (ours, base, theirs)), mark_length=mark_length)
    if done is None or done.returncode not in range(_MOST_CONFLICTS + 1):
        return Clash(_side_by_side(ours, theirs, mark_length), mark_length)
    text = done.stdout.decode()
    return Clash(text, mark_length) if done.returncode else Merged(text)


def has_marks(text: str, mark_length: int) -> bool:
    """Whether a draft still has marks of a `Clash` in it."""
    starts = ("<" * mark_length + f" {YOURS}", ">" * mark_length + f" {OTHERS}")
    return any(line.startswith(starts) or line.rstrip() == "=" * mark_length for line in text.split("\n"))


def _free_mark_length(*texts: str) -> int:
    """A length that marks have in none of the texts, where lines of `=` underline headings."""
    longest = max((len(match[0]) for text in texts for match in _LIKE_MARKS.finditer(text)), default=0)
    return min(max(_MARK_LENGTH, longest + 1), _MAX_MARK_LENGTH)


def _merge_file(*texts: bytes, mark_length: int) -> subprocess.CompletedProcess[bytes] | None:
    """`git merge-file` of ours, base and theirs; None when they are too large, or it takes too long."""
    if max(map(len, texts)) > MAX_MERGED_BYTES:
        return None
    with ExitStack() as stack:
        labels = [argument for label in (YOURS, "base", OTHERS) for argument in ("-L", label)]
        try:
            files = [_memory_file(stack, text) for text in texts]
            return subprocess.run(
                [
                    *("git", "merge-file", "-p", f"--marker-size={mark_length}", *labels),
                    *(f"/proc/self/fd/{file}" for file in files),
                ],
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MERGE_DEADLINE_S,
                check=False,
                cwd="/",
                # Nobody's configuration decides how a merge looks.
                env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
            )
        except (subprocess.TimeoutExpired, OSError):
            return None


def _memory_file(stack: ExitStack, data: bytes) -> int:
    """A descriptor of a file that holds `data` and is on no disk; the stack closes it."""
    try:
        file = os.memfd_create("merge", os.MFD_CLOEXEC | _NOEXEC_SEAL)
    except OSError:
        file = os.memfd_create("merge", os.MFD_CLOEXEC)  # a kernel before 6.3
    stack.callback(os.close, file)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return file


def _side_by_side(ours: str, theirs: str, mark_length: int) -> str:
    """A draft without git's help: all from the first to the last difference is in conflict."""
    mine, others = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    start = _count_alike(mine, others)
    end = _count_alike(mine[start:][::-1], others[start:][::-1])
    return "".join(
        [
            *mine[:start],
            f"{'<' * mark_length} {YOURS}\n",
            *_ended(mine[start : len(mine) - end]),
            f"{'=' * mark_length}\n",
            *_ended(others[start : len(others) - end]),
            f"{'>' * mark_length} {OTHERS}\n",
            *mine[len(mine) - end :],
        ]
    )


def _count_alike(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _ended(lines: list[str]) -> list[str]:
    """The lines, the last of them with a line's end too, so that the mark after it has a line of its own."""
    return [line if line.endswith("\n") else line + "\n" for line in lines]
