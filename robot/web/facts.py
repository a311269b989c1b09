"""A wiki in figures, for the dashboard: read from its catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import trio

from robot.contents import Contents
from robot.model import Wiki
from wikihost.content import Content
from wikihost.errors import ContentError
from wikihost.quota import Quota, Usage
from wikihost.values import Commit, PageFilter

# A dashboard without a wiki's figures is better than one that waits until long git jobs have left a thread free. A read
# that began is waited for.
FACTS_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class WikiFacts:
    """`usage` is what counts against `quota`; `newest` the newest change, at the time `changed`."""

    usage: Usage
    quota: Quota
    changed: datetime | None
    newest: Commit | None


async def gather_facts(contents: Contents, wikis: Sequence[Wiki]) -> dict[str, WikiFacts]:
    """The figures by wiki id; a wiki whose content cannot be read in time is left out."""
    found: dict[str, WikiFacts] = {}

    async def gather(wiki: Wiki) -> None:
        try:
            found[wiki.id] = await contents.run(wiki, read_facts)
        except ContentError:
            return

    with trio.move_on_after(FACTS_DEADLINE_S):
        async with trio.open_nursery() as nursery:
            for wiki in wikis:
                nursery.start_soon(gather, wiki)
    return found


def read_facts(content: Content) -> WikiFacts:
    """One wiki's figures; blocks on its catalog. Raises `ContentError`."""
    stats = content.stats()
    return WikiFacts(
        usage=stats.usage,
        quota=stats.quota,
        changed=stats.updated,
        newest=None if stats.updated is None else _commit_at(content, stats.updated),
    )


def _commit_at(content: Content, updated: datetime) -> Commit | None:
    newest = content.list_pages(PageFilter(updated_since=updated))
    commits = content.history(newest[0].path, 1) if newest else []
    return commits[0] if commits else None
