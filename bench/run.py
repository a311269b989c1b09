"""Measure everything and write `bench/RESULTS.md`.

python -m bench.run                      about twelve minutes, and some more the first time
python -m bench.run --quick              few requests and wikis: whether all rows work, not how fast robot is
python -m bench.run --only rest,git      these themes alone, one of them within a minute or two
python -m bench.run --only search --whole    the large wiki re-indexed to its end, not only for half a minute

Only the first writes the file.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import (
    agents,
    backing_up,
    cached_pages,
    catalog,
    fairness,
    git_door,
    loop_delay,
    machine,
    make_wiki,
    many_wikis,
    page_views,
    reindexing,
    rest,
    restarts,
    searching,
    stock,
    stopping,
    streams,
    waking,
)
from bench.figures import Figure, table
from bench.host import Host, Planted, kept_catalog, plant, running_host
from bench.http_client import free_port
from bench.page_views import Server

HERE = Path(__file__).parent
WORK = HERE / ".work"
RESULTS = HERE / "RESULTS.md"
DISTRIBUTIONS = ("otterwiki", "hypercorn", "quart-trio", "trio", "waitress", "pygit2", "mcp")


@dataclass(frozen=True, slots=True)
class Size:
    """A wiki of `make_wiki`, and what a small page of it costs in the system that robot replaces."""

    slug: str
    label: str
    pages: int
    commits: int
    seen: str


SMALL_WIKI = Size("pages-76", "76 pages", 76, 0, "11 ms")
LARGE_WIKI = Size("pages-1000", "1,000 pages, 5,000 commits", 1000, 5000, "47 ms")


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """How much of search is measured. A large wiki is re-indexed for `sample_s`, and to its end when that is None."""

    saves: int
    phases: int
    phase_s: float
    sample_s: float | None


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured. `views` is how often a page is looked at that takes stock up to a second."""

    requests: int
    views: int
    repetitions: int
    calls: agents.Effort
    large_wiki: Size
    starts: int
    restarts: int
    wikis: int
    registered: int
    idle_s: float
    search: SearchEffort


FULL = Effort(
    100,
    8,
    5,
    agents.Effort(alone=300, together=100),
    LARGE_WIKI,
    starts=5,
    restarts=20,
    wikis=50,
    registered=5_000,
    idle_s=45,
    search=SearchEffort(saves=15, phases=6, phase_s=5.0, sample_s=30.0),
)
QUICK = Effort(
    10,
    2,
    2,
    agents.Effort(alone=20, together=10),
    SMALL_WIKI,
    starts=1,
    restarts=2,
    wikis=3,
    registered=20,
    idle_s=5,
    search=SearchEffort(saves=3, phases=1, phase_s=2.0, sample_s=3.0),
)


Say = Callable[[str], None]


def made_wiki(size: Size) -> Path:
    """The repository of that size, made once and kept."""
    repo = WORK / size.slug
    if not repo.exists():
        unfinished = WORK / f"{size.slug}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        words = [str(unfinished), "--pages", str(size.pages), "--commits", str(size.commits)]
        subprocess.run([sys.executable, make_wiki.__file__, *words], check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(repo)
    return repo


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for one row's servers. Short, since paths of Unix sockets must be."""
    with tempfile.TemporaryDirectory(prefix="robot-bench-") as directory:
        yield Path(directory)


@contextmanager
def hosted(size: Size, say: Say, *, indexed: bool = False) -> Iterator[tuple[Host, Planted, Path]]:
    """robot with one wiki of that size, and a scratch directory; `indexed` with its catalog and vectors made."""
    if indexed:
        make_catalog(size, say)
    with scratch() as directory:
        wiki = plant(directory / "data", {size.slug: made_wiki(size)})[size.slug]
        with running_host(directory / "data", free_port()) as host:
            host.wait_until_ready()
            yield host, wiki, directory


def make_catalog(size: Size, say: Say) -> None:
    """Make the catalog of that wiki with its vectors, and keep it beside the wiki until another model wants others."""
    kept = kept_catalog(made_wiki(size))
    with hosted(size, say) as (host, wiki, _):
        if kept.exists() and reindexing.is_indexed(host, wiki):
            return
        run = reindexing.reindex(host, wiki, reindexing.SELDOM_S)
        say(f"{wiki.slug}: catalog and search index made in {run.wall_s:.0f} s")
        unfinished = kept.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with sqlite3.connect(wiki.catalog) as source, sqlite3.connect(unfinished) as copy:
            source.backup(copy)
        unfinished.rename(kept)


def pages(effort: Effort, say: Say) -> list[Figure]:
    """Otter Wiki's pages, stock and robot in turns: a small one of both wikis, and the others of the large one."""
    programs = stock.environment(WORK)
    figures = []
    with scratch() as directory:
        planted = plant(directory / "data", {size.slug: made_wiki(size) for size in (SMALL_WIKI, effort.large_wiki)})
        with running_host(directory / "data", free_port()) as host:
            for size in dict.fromkeys((SMALL_WIKI, effort.large_wiki)):
                with stock.running_stock(programs, made_wiki(size), directory / size.slug, free_port()) as peer:
                    wiki = planted[size.slug]
                    servers = (
                        Server(peer.port, peer.host, peer.pid),
                        Server(host.port, wiki.host, host.pid, wiki.cookies),
                    )
                    times, repetitions = effort.requests, effort.repetitions
                    figures += page_views.measure_small(
                        *servers, label=size.label, seen=size.seen, times=times, repetitions=repetitions, say=say
                    )
                    if size is effort.large_wiki:
                        figures += page_views.measure_others(
                            *servers, label=size.label, times=effort.views, repetitions=min(3, repetitions), say=say
                        )
    return figures


def cached(effort: Effort, say: Say) -> list[Figure]:
    """The same page again."""
    with hosted(effort.large_wiki, say) as (host, wiki, _):
        return cached_pages.measure(host, wiki, 10 * effort.requests, say)


def over_mcp(effort: Effort, say: Say) -> list[Figure]:
    """Reading and writing by agents."""
    with hosted(effort.large_wiki, say, indexed=True) as (host, wiki, _):
        return [*agents.measure_calls(host, wiki, effort.calls, say), *agents.measure_writing(host, wiki, say)]


def listened(effort: Effort, say: Say) -> list[Figure]:
    """Agents that wait to be told of changes."""
    streams.allow_many_sockets()
    with hosted(effort.large_wiki, say, indexed=True) as (host, wiki, _):
        return streams.measure(host, wiki, effort.requests, say)


def over_rest(effort: Effort, say: Say) -> list[Figure]:
    """Scripts."""
    with hosted(effort.large_wiki, say, indexed=True) as (host, wiki, _):
        return rest.measure(host, wiki, effort.requests, say)


def searched(effort: Effort, say: Say) -> list[Figure]:
    """Queries of a large wiki, how soon a save is found, and a re-index beside readers of a small wiki."""
    make_catalog(effort.large_wiki, say)
    much = effort.search
    with scratch() as directory:
        other = "other"
        sources = {effort.large_wiki.slug: made_wiki(effort.large_wiki), other: made_wiki(SMALL_WIKI)}
        planted = plant(directory / "data", sources)
        wiki, small = planted[effort.large_wiki.slug], planted[other]
        delays = directory / "delays"
        settings = {loop_delay.VARIABLE: str(delays)}
        with running_host(directory / "data", free_port(), settings, loop_delay.__name__) as host:
            host.wait_until_ready()
            figures = searching.measure_queries(host, wiki, effort.requests, say)
            figures += searching.measure_saves(host, wiki, much.saves, say)
            figures.append(reindexing.measure_again(host, wiki, reindexing.LARGE_BUDGET, say))
            figures += reindexing.measure_small(host, small, say)
            figures += reindexing.measure_beside(host, wiki, small, delays, much.phases, much.phase_s, say)
            figures.append(reindexing.measure_large(host, wiki, much.sample_s, say))
            figures.append(reindexing.measure_memory(host, say))
            return figures


def in_process(effort: Effort, say: Say) -> list[Figure]:
    """The catalog."""
    size = effort.large_wiki
    with scratch() as directory:
        return catalog.measure(made_wiki(size), directory, size.label, effort.requests, say)


def over_git(effort: Effort, say: Say) -> list[Figure]:
    """Clones and pushes."""
    with hosted(effort.large_wiki, say) as (host, wiki, directory):
        return [
            *git_door.measure_clones(host, wiki, directory, effort.repetitions, say),
            *git_door.measure_large_push(host, wiki, directory, say),
            *git_door.measure_memory(host, wiki, directory, say),
        ]


def start(effort: Effort, say: Say) -> list[Figure]:
    with scratch() as directory:
        wiki = plant(directory / "data", {SMALL_WIKI.slug: made_wiki(SMALL_WIKI)})[SMALL_WIKI.slug]
        return stopping.measure_start(directory / "data", wiki, effort.starts, say)


def stop(effort: Effort, say: Say) -> list[Figure]:  # noqa: ARG001  (as the other rows)
    with scratch() as directory:
        wiki = plant(directory / "data", {SMALL_WIKI.slug: made_wiki(SMALL_WIKI)})[SMALL_WIKI.slug]
        return stopping.measure_stop(directory / "data", wiki, say)


def restarted(effort: Effort, say: Say) -> list[Figure]:
    with scratch() as directory:
        wiki = plant(directory / "data", {SMALL_WIKI.slug: made_wiki(SMALL_WIKI)})[SMALL_WIKI.slug]
        return restarts.measure(directory / "data", wiki, effort.restarts, say)


def shared(effort: Effort, say: Say) -> list[Figure]:
    """A small wiki's visitors beside heavy work on a large one."""
    with scratch() as directory:
        sources = {effort.large_wiki.slug: made_wiki(effort.large_wiki), "other": made_wiki(SMALL_WIKI)}
        planted = plant(directory / "data", sources)
        # Its own row (theme "search") says what indexing costs others; here it would go on beside everything.
        settings = {"ROBOT_EMBEDDING_MODEL": "none"}
        with running_host(directory / "data", free_port(), settings) as host:
            host.wait_until_ready()
            wiki, other = planted[effort.large_wiki.slug], planted["other"]
            return fairness.measure(host, wiki, other, effort.search.phases, effort.search.phase_s, say)


def wakes(effort: Effort, say: Say) -> list[Figure]:
    """Many wikis of 76 pages on one host."""
    with scratch() as directory:
        repo = made_wiki(SMALL_WIKI)
        planted = plant(directory / "data", {f"bench-{number:02}": repo for number in range(effort.wikis)})
        settings = {"ROBOT_WORKER_IDLE": str(effort.idle_s), "ROBOT_MAX_AWAKE_WIKIS": str(effort.wikis)}
        with running_host(directory / "data", free_port(), settings) as host:
            return waking.measure(host, list(planted.values()), effort.idle_s, say)


def backed_up(effort: Effort, say: Say) -> list[Figure]:
    """Backups of many wikis of 76 pages, while one is read."""
    with scratch() as directory:
        repo = made_wiki(SMALL_WIKI)
        planted = plant(directory / "data", {f"bench-{number:03}": repo for number in range(2 * effort.wikis)})
        with running_host(directory / "data", free_port()) as host:
            host.wait_until_ready()
            return backing_up.measure(host, directory / "data", list(planted.values()), directory, say)


def registered(effort: Effort, say: Say) -> list[Figure]:
    """Thousands of wikis that nobody visits."""
    with scratch() as directory:
        wiki = plant(directory / "data", {SMALL_WIKI.slug: made_wiki(SMALL_WIKI)})[SMALL_WIKI.slug]
        many_wikis.register(directory / "data", wiki, effort.registered)
        return many_wikis.measure(directory / "data", effort.registered, effort.starts, say)


THEMES = {
    "pages": pages,
    "cache": cached,
    "rest": over_rest,
    "search": searched,
    "agents": over_mcp,
    "streams": listened,
    "catalog": in_process,
    "git": over_git,
    "start": start,
    "stop": stop,
    "restarts": restarted,
    "fairness": shared,
    "wakes": wakes,
    "backup": backed_up,
    "registered": registered,
}


def themes(words: str) -> list[str]:
    """Names of themes, separated by commas. Raises argparse.ArgumentTypeError for others."""
    names = words.split(",")
    if unknown := set(names) - set(THEMES):
        raise argparse.ArgumentTypeError(f"no such theme: {', '.join(sorted(unknown))}; there are {', '.join(THEMES)}")
    return names


def report(head: list[str], figures: list[Figure]) -> str:
    """The text of RESULTS.md."""
    lines = "\n".join(f"* {line}" for line in head)
    return f"""# Figures

Written by `make bench`. Everything was measured in one run on one machine, servers and clients on the same cores.
CPU time is user and system time of the server's whole process tree, from /proc, over sequential requests after a
warm-up; median (lowest – highest) of the repetitions, stock and robot in turns. Stock is Otter Wiki from PyPI under
gunicorn with {stock.SYNC_WORKERS} sync workers on the same repository.

{lines}

{table(figures)}
"""


def main() -> int:
    """Returns 1 when a budget was missed."""
    parser = argparse.ArgumentParser(description="Measure robot, and stock Otter Wiki beside it.")
    parser.add_argument("--quick", action="store_true", help="few requests and wikis; writes no file")
    parser.add_argument("--whole", action="store_true", help="re-index the large wiki to its end, some minutes more")
    parser.add_argument("--only", type=themes, metavar="THEME,…", help=f"of {', '.join(THEMES)}; writes no file")
    args = parser.parse_args()
    effort = QUICK if args.quick else FULL
    if args.whole:
        effort = replace(effort, search=replace(effort.search, sample_s=None))
    WORK.mkdir(exist_ok=True)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    head = [*machine.describe(DISTRIBUTIONS), stock.versions()]
    figures = [figure for theme in args.only or THEMES for figure in THEMES[theme](effort, say)]
    head.append(f"The fixed loop after the run: {machine.probe_s() * 1000:.0f} ms")
    text = report(head, figures)
    if args.quick or args.only:
        print(text)
    else:
        RESULTS.write_text(text, "utf-8")
        say(f"written: {RESULTS}")
    return int(any(figure.kept is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
