"""Which release ran on a data directory last: written down at each start, read before an upgrade."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version

from robot.settings import Settings
from wikihost.catalog import SCHEMA_VERSION
from wikihost.layout import DataDir

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Release:
    """`catalog` is the layout of wikis' catalogs; `settings` are the names of all there are."""

    robot: str
    otterwiki: str
    catalog: str
    settings: tuple[str, ...]


def this_release() -> Release:
    return Release(version("robot"), version("otterwiki"), SCHEMA_VERSION, tuple(sorted(Settings.model_fields)))


def last_release(data: DataDir) -> Release | None:
    """What ran here last; None where that is not known."""
    try:
        kept = json.loads(data.release.read_text("utf-8"))
        return Release(**{**kept, "settings": tuple(kept["settings"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError) as error:
        log.warning("%s is not read: %s", data.release, error)
        return None


def keep_release(data: DataDir) -> None:
    """Best effort: without it an upgrade is told less of beforehand. Blocks."""
    fresh = data.release.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(asdict(this_release())), "utf-8")
        os.replace(fresh, data.release)
    except OSError as error:
        log.warning("which release this is cannot be kept in %s: %s", data.release, error)
