"""Putting in force for the writers of all wikis what was decided of each, at start.

A crash may have come between a decision and its file, and the defaults of the settings may have changed. With thousands
of wikis this is a good part of a start, so it is one pass, which writes only where something is otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import trio

from robot import freezing, quotas
from robot.db import Database
from robot.model import Wiki
from robot.wikis import list_kept_wikis
from wikihost.errors import StorageFailed, StorageFull
from wikihost.layout import DataDir
from wikihost.quota import Quota

log = logging.getLogger(__name__)


async def put_decisions_in_force(db: Database, data: DataDir, default: Quota) -> None:
    """Have each wiki's quota, and whether it is read-only, hold; no wiki's broken directory keeps others from it."""
    # Also of those that may come back.
    await trio.to_thread.run_sync(_put_in_force, data, await list_kept_wikis(db), default)


def _put_in_force(data: DataDir, wikis: Iterable[Wiki], default: Quota) -> None:
    for wiki in wikis:
        home = data.wiki(wiki.id)
        try:
            quotas.put_in_force(home, quotas.quota_of(wiki, default))
            freezing.put_in_force(home, wiki.is_frozen)
        except (StorageFailed, StorageFull) as error:
            log.warning("what was decided of wiki %s is not in force for its writers: %s", wiki.id, error)
