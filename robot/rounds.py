"""Tasks that do the same again and again, and leave until next time what cannot be done just now."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from robot.db import DatabaseError

log = logging.getLogger(__name__)


async def go_round(
    deed: Callable[[], Awaitable[object]],
    every_s: float,
    task_status: trio.TaskStatus[None],
    *,
    left_undone: str,
    passing: tuple[type[Exception], ...] = (DatabaseError,),
) -> None:
    """Do the deed at once and then every `every_s` until cancelled.

    `passing` failures are logged as `left_undone`, and no more; others come out of here.
    """
    task_status.started()
    while True:
        try:
            await deed()
        except passing as error:
            log.warning("%s: %s", left_undone, error)
        await trio.sleep(every_s)
