"""What of a wiki's indexing outlives a restart: whether it was finished, who asked for it, and how it ended.

A small file beside the catalog, not a part of it: whether there is something to go on with must be known without
opening the catalogs of all wikis, and a catalog that was lost is a reason more to go on.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from wikihost.layout import DataDir, WikiHome

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The last pass over a wiki. `indexed_head` is the last commit that was in the index whole, for `model`."""

    model: str
    unfinished: bool = False
    asked_for: bool = False
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    indexed_head: str | None = None


def keep(home: WikiHome, record: RunRecord) -> None:
    """Best effort: without it the wiki is looked at when it is next searched or saved."""
    fresh = home.indexing.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(asdict(record), default=datetime.isoformat), "utf-8")
        os.replace(fresh, home.indexing)
    except OSError as error:
        log.warning("how far the index is cannot be kept in %s: %s", home.indexing, error)


def find_all(data: DataDir) -> dict[str, RunRecord]:
    """The records of all wikis by id; what cannot be read is left out."""
    found = {}
    for root in data.wikis.glob("*"):
        file = WikiHome(root).indexing
        try:
            found[root.name] = _parse(json.loads(file.read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, TypeError, LookupError) as error:
            log.warning("%s is not read: %s", file, error)
    return found


def _parse(kept: dict[str, Any]) -> RunRecord:
    for name in ("started_at", "completed_at"):
        if kept[name] is not None:
            kept[name] = datetime.fromisoformat(kept[name])
    return RunRecord(**kept)
