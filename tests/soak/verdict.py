"""What is left when the soak is over: is everything there that was promised, and nothing else?"""

from __future__ import annotations

import http
import json
import time
from collections.abc import Sequence
from pathlib import Path

from bench.host import Planted
from bench.loops import API, Journal, script_of
from bench.restarts import lost_pages
from tests.soak.watch import Growth, processes_of
from tests.wikihost.test_catalog import rebuilt, synced
from tests.wikihost.wikis import assert_sound

INDEX_S = 300.0
_POLL_S = 0.5
MOST_CORE_MIB = 1.0
MOST_ALL_MIB = 2.0
MOST_EACH_MINUTE = 1.0


def index_faults(port: int, wikis: Sequence[Planted]) -> list[str]:
    """Wait until search by meaning has caught up with every wiki, while the host runs; what is wrong."""
    deadline = time.monotonic() + INDEX_S
    faults = []
    for wiki in wikis:
        with script_of(port, wiki) as script:
            while (status := _index_status(script.get(f"{API}/reindex/status").body))["status"] != "complete":
                if time.monotonic() > deadline:
                    faults.append(f"the index of {wiki.slug} does not catch up: {status}")
                    break
                time.sleep(_POLL_S)
            found = script.get(f"{API}/search?q=wrote")
            if found.status != http.HTTPStatus.OK or not json.loads(found.body)["results"]:
                faults.append(f"a search in {wiki.slug} finds nothing: {found}")
    return faults


def wiki_faults(wikis: Sequence[Planted], journal: Journal) -> list[str]:
    """Lost writes, unsound repositories, catalogs that are not what git says; the host is stopped."""
    faults = []
    for wiki in wikis:
        lost = lost_pages(wiki.repo, journal.of(wiki.slug))
        faults += [f"{wiki.slug} lost what was acknowledged: {name}" for name in lost]
        try:
            assert_sound(wiki.home)
        except AssertionError as error:
            faults.append(f"{wiki.slug} is not sound: {error}")
        if synced(wiki.home) != rebuilt(wiki.home):
            faults.append(f"the catalog of {wiki.slug} is not what git says")
    return faults


def leftovers(data: Path) -> list[str]:
    """Processes and files that nobody needs any more; the host is stopped."""
    left = [f"process {pid} is left: {command}" for pid, command in processes_of(data).items()]
    places = (data / "transfers", data / "run")
    files = [path for place in places for path in place.rglob("*") if path.parent == place and path.name != "zygote"]
    files += [path for pattern in (".new-*", ".gone-*") for path in (data / "wikis").glob(pattern)]
    files += [path for path in data.rglob("*") if path.name.endswith((".lock.lock", ".unfinished", ".tmp"))]
    return left + [f"left: {path.relative_to(data)}" for path in files]


def growth_faults(grown: Growth | None) -> list[str]:
    """What grows by more than noise, in each minute of a load that writes the same pages again and again."""
    if grown is None:
        return ["core did not live long enough to be measured"]
    limits = {
        f"core's memory: {grown.core_mib:+.2f} MiB a minute": grown.core_mib <= MOST_CORE_MIB,
        f"memory of all: {grown.all_mib:+.2f} MiB a minute": grown.all_mib <= MOST_ALL_MIB,
        f"descriptors: {grown.descriptors:+.2f} a minute": grown.descriptors <= MOST_EACH_MINUTE,
        f"processes: {grown.processes:+.2f} a minute": grown.processes <= MOST_EACH_MINUTE,
    }
    return [f"grows: {said}" for said, kept in limits.items() if not kept]


def _index_status(body: bytes) -> dict[str, object]:
    status: dict[str, object] = json.loads(body)
    return status
