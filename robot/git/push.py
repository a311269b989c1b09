"""Push: the request is spooled, unpacked and checked apart from the wiki; only then the wiki's lock is taken.

`git receive-pack` is not used. It moves the ref as soon as the objects are in, unless a hook says no, and hooks are
what no wiki has here. So its four steps are done one by one: read the commands, unpack into the transfer's own
repository (`index-pack --strict` for large packs, `unpack-objects --strict` for small ones, both with git's fsck),
check that nothing is missing and that the wiki wants it (`wikihost.pushed`), and under the lock move the objects over
and compare-and-swap the branch. A client that is slow, leaves, or is refused never holds the lock, and leaves nothing.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from robot.contents import Contents
from robot.git.body import Body
from robot.git.packets import (
    MAX_COMMAND_BYTES,
    PACK_HEAD_BYTES,
    ZERO,
    Command,
    PushHead,
    parse_push,
    report,
)
from robot.git.process import GitFailed, reason_of, run_git
from robot.model import Wiki
from wikihost.content import Content
from wikihost.errors import QuotaExceeded, WikiFrozen
from wikihost.pushed import PushRefused, check_push
from wikihost.repo import Repository
from wikihost.transfer import Transfer
from wikihost.values import Author
from wikihost.writer import HeadMoved, storage_errors

log = logging.getLogger(__name__)

UNPACK_S = 300.0
_LOOSE_OBJECTS = 100  # as git's own transfer.unpackLimit; more stay the pack that they are
_LOOSE_BYTES = 1024 * 1024
_MOVED = "The wiki was changed meanwhile: fetch first, merge or rebase, then push again."
_NO_MORE = "You may not write to this wiki any more, so nothing was taken."


@dataclass(frozen=True, slots=True)
class PushLimits:
    """How large a push may be, unzipped, and each file in it."""

    request_bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push: the bytes to answer with status 200, and the wiki's new head.

    `revision` is None for a push that was refused, and for a question whether it would be let in (not `asked`).
    """

    answer: bytes
    asked: bool = True
    revision: str | None = None


async def serve_push(
    transfer: Transfer,
    body: Body,
    contents: Contents,
    wiki: Wiki,
    limits: PushLimits,
    pushed_by: Author,
    is_let_in_still: Callable[[], bool],
) -> Pushed:
    """Take one push by `pushed_by`, who may have lost the right to it by the time that it is here and unpacked.

    Raises `Malformed`, `BodyRefused`, `ClientLeft`, `StorageFull`, `StorageFailed`; the wiki is as it was then.
    """
    size = await _spool(body, transfer.body)
    start = await trio.to_thread.run_sync(_read_start, transfer.body)
    head = parse_push(start)
    if not head.commands:
        return Pushed(b"", asked=False)  # git asks so whether it is let in, before it sends much
    refusals = [refusal_of(command, transfer) for command in head.commands]
    if any(refusals):
        return Pushed(report(head, [refusal or "not pushed, since another ref was refused" for refusal in refusals]))
    try:
        await _unpack(transfer, head, size)
        await _check(transfer, head.commands[0].new, limits.file_bytes)
        _refuse_unless(is_let_in_still())
        await _take_in(transfer, head.commands[0].new, contents, wiki, pushed_by)
    except (PushRefused, QuotaExceeded, WikiFrozen) as error:
        return Pushed(report(head, [str(error)] * len(head.commands)))
    except HeadMoved:
        return Pushed(report(head, [_MOVED] * len(head.commands)))
    return Pushed(report(head, [None] * len(head.commands)), revision=head.commands[0].new)


def refusal_of(command: Command, transfer: Transfer) -> str | None:
    """Why a ref may not be moved so, as far as the command alone tells. Pure."""
    if command.ref != transfer.branch:
        return f"this wiki takes pushes to its branch {transfer.branch.removeprefix('refs/heads/')} only"
    if command.new == ZERO:
        return "the branch of a wiki cannot be deleted"
    if command.old != transfer.head:
        return _MOVED
    return None


async def _spool(body: Body, place: Path) -> int:
    """Write the request to a file; its size."""
    size = 0
    with storage_errors():
        async with await trio.open_file(place, "wb") as file:
            while piece := await body.read():
                size += len(piece)
                await file.write(piece)
    return size


def _read_start(place: Path) -> bytes:
    with storage_errors(), place.open("rb") as file:
        return file.read(MAX_COMMAND_BYTES + PACK_HEAD_BYTES)


async def _unpack(transfer: Transfer, head: PushHead, size: int) -> None:
    """Bring the pack's objects into the transfer's repository, and see that none is missing."""
    new, git_dir = head.commands[0].new, str(transfer.git_dir)
    small = (head.pack_objects or 0) < _LOOSE_OBJECTS and size < _LOOSE_BYTES
    command = ["unpack-objects", "-q", "--strict"] if small else ["index-pack", "--stdin", "--fix-thin", "--strict"]
    spool = os.open(transfer.body, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.lseek(spool, head.length, os.SEEK_SET)
        if head.pack_objects is not None:
            await run_git(command, stdin=spool, git_dir=git_dir, deadline_s=UNPACK_S)
        await run_git(
            ["rev-list", "--objects", "--quiet", new, f"^{transfer.head}", "--"],
            stdin=spool,
            git_dir=git_dir,
            deadline_s=UNPACK_S,
        )
    except GitFailed as error:
        with storage_errors():
            if os.strerror(errno.ENOSPC) in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        log.info("a push was refused by git: %s", error)
        raise PushRefused(f"git found fault with what was sent: {reason_of(str(error))}") from error
    finally:
        os.close(spool)


async def _check(transfer: Transfer, new: str, max_file_bytes: int) -> None:
    def check() -> None:
        repository = Repository(transfer.root)
        try:
            check_push(repository, transfer.head, new, max_file_bytes=max_file_bytes)
        finally:
            repository.git.free()

    await trio.to_thread.run_sync(check)


def _refuse_unless(is_let_in: bool) -> None:
    if not is_let_in:
        raise PushRefused(_NO_MORE)


async def _take_in(transfer: Transfer, new: str, contents: Contents, wiki: Wiki, pushed_by: Author) -> None:
    def take_in(content: Content) -> None:
        content.take_in(transfer.objects, onto=transfer.head, new=new, pushed_by=pushed_by)

    await contents.change(wiki, take_in)
