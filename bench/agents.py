"""Agents over MCP: each kind of call alone, eight sessions at once, eight writers at once."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import process_tree
from bench.figures import Figure, ms, percentile
from bench.host import Host, Planted
from bench.mcp_load import Load, run_together, written_page

SESSIONS = 8
CLIENT_PROCESSES = 2
SAVES_A_WRITER = 10
INDEX_LIMIT_S = 1200.0
WARM_UP_CALLS = 5


@dataclass(frozen=True, slots=True)
class Effort:
    """How many calls each session makes."""

    alone: int
    together: int


@dataclass(frozen=True, slots=True)
class Alone:
    """A row of one session: its work, what it cost before, the highest p50, and how many of them make up for one."""

    name: str
    work: str
    seen: str
    most_s: float
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Together:
    """A row of all sessions: their work, what the old system did, and the lowest rate."""

    name: str
    work: str
    seen: str
    least_a_second: int


ALONE = (
    Alone("initialize + tools/list", "meet", "4.7 ms", 0.006, share=0.3),
    Alone("`read_note`, small page", "read", "26 ms", 0.005),
    Alone("`read_note`, large page", "read large", "92 ms", 0.008),
    Alone("`search_notes`", "search", "475 ms", 0.012),
    Alone("`semantic_search`", "semantic", "67 ms", 0.015),
    Alone("`write_note`", "write", "63 ms", 0.020, share=0.3),
    Alone("`edit_note`", "edit", "63 ms", 0.020, share=0.3),
)
TOGETHER = (
    Together("`read_note`", "read", "53 calls/s", 250),
    Together("`semantic_search`", "semantic", "15 calls/s", 80),
)


def _shared(work: Load) -> list[Load]:
    """The work of all sessions, dealt out to the processes."""
    share = SESSIONS // CLIENT_PROCESSES
    return [replace(work, sessions=share, first=number * share) for number in range(CLIENT_PROCESSES)]


def measure_calls(host: Host, wiki: Planted, effort: Effort, say: Callable[[str], None]) -> list[Figure]:
    """What each kind of call takes, alone and by eight sessions at once."""
    # The first search opens the wiki and the model, and where vectors are missing that starts the making of them.
    run_together([Load(host.mcp_url(wiki), wiki.token, "semantic", 1, WARM_UP_CALLS)])
    waited_s = process_tree.wait_until_quiet(host.pid, limit_s=INDEX_LIMIT_S)
    say(f"{wiki.slug}: catalog and search index made in {waited_s:.0f} s")
    alone = [_measure_alone(host, wiki, row, effort.alone, say) for row in ALONE]
    return alone + [_measure_together(host, wiki, row, effort.together, say) for row in TOGETHER]


def _measure_alone(host: Host, wiki: Planted, row: Alone, calls: int, say: Callable[[str], None]) -> Figure:
    load = Load(host.mcp_url(wiki), wiki.token, row.work, 1, max(3, round(calls * row.share)), first=SESSIONS)
    run_together([replace(load, calls=WARM_UP_CALLS, first=SESSIONS + 1)])
    before = process_tree.cpu_s(host.pid)
    outcome, _ = run_together([load])
    cpu_s = (process_tree.cpu_s(host.pid) - before) / load.calls
    _refuse_failures(outcome.failures)
    p50 = statistics.median(outcome.seconds)
    said = f"{ms(p50)} (p99 {ms(percentile(outcome.seconds, 0.99))}, {ms(cpu_s)} of CPU)"
    say(f"MCP {row.name}: {said}")
    name = f"MCP {row.name}, {wiki.slug}, one session: p50"
    return Figure(name, row.seen, "", said, f"≤ {ms(row.most_s)}", p50 <= row.most_s)


def _measure_together(host: Host, wiki: Planted, row: Together, calls: int, say: Callable[[str], None]) -> Figure:
    before = process_tree.cpu_s(host.pid)
    outcome, elapsed_s = run_together(_shared(Load(host.mcp_url(wiki), wiki.token, row.work, SESSIONS, calls)))
    _refuse_failures(outcome.failures)
    cpu_s = (process_tree.cpu_s(host.pid) - before) / len(outcome.seconds)
    rate = len(outcome.seconds) / elapsed_s
    said = f"{rate:.0f} calls/s ({ms(cpu_s)} of CPU)"
    say(f"MCP {row.name}, {SESSIONS} sessions: {said}")
    name = f"MCP {row.name}, {wiki.slug}, {SESSIONS} sessions from {CLIENT_PROCESSES} processes on the same cores"
    return Figure(name, row.seen, "", said, f"≥ {row.least_a_second} calls/s", rate >= row.least_a_second)


def measure_writing(host: Host, wiki: Planted, say: Callable[[str], None]) -> list[Figure]:
    """The row "8 writers × 10 saves at once": how many of them git holds afterwards."""
    work = Load(host.mcp_url(wiki), wiki.token, "write", SESSIONS, SAVES_A_WRITER)
    outcome, elapsed_s = run_together(_shared(work))
    kept = sum(
        git_shows(wiki.repo, *written_page(session, call))
        for session in range(SESSIONS)
        for call in range(SAVES_A_WRITER)
    )
    sound = subprocess.run(["git", "-C", wiki.repo, "fsck", "--strict"], capture_output=True, check=False)
    wanted = SESSIONS * SAVES_A_WRITER
    said = f"{kept} of {wanted} in {elapsed_s:.1f} s, p50 {ms(statistics.median(outcome.seconds))}"
    say(f"writers: {said}; failures: {outcome.failures[:3]}; git fsck: {sound.returncode}")
    return [
        Figure(
            f"{SESSIONS} writers × {SAVES_A_WRITER} saves at once over MCP, {wiki.slug}, git sound afterwards",
            "71 of 80 kept",
            "",
            said,
            "80 of 80",
            kept == wanted and not outcome.failures and sound.returncode == 0,
        )
    ]


def git_shows(repo: Path, page: str, text: str) -> bool:
    """Whether the branch head holds exactly this text for the page."""
    shown = subprocess.run(["git", "-C", repo, "show", f"HEAD:{page}.md"], capture_output=True, check=False)
    return shown.returncode == 0 and shown.stdout.decode().strip() == text.strip()


def _refuse_failures(failures: list[str]) -> None:
    if failures:
        raise RuntimeError(f"{len(failures)} calls failed, the first: {failures[0]}")
