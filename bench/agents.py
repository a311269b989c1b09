"""Agents over MCP: reading alone, eight sessions at once, eight writers at once."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import process_tree
from bench.figures import Figure, ms, percentile
from bench.host import Host, Planted
from bench.make_wiki import SMALL
from bench.mcp_load import Load, run_together, written_page

SESSIONS = 8
CLIENT_PROCESSES = 2
SAVES_A_WRITER = 10
INDEX_LIMIT_S = 1200.0
HIGHEST_READ_S = 0.006
LOWEST_CALLS_A_SECOND = 150


@dataclass(frozen=True, slots=True)
class Effort:
    """How many calls each session makes."""

    alone: int
    together: int


def _shared(work: Load) -> list[Load]:
    """The work of all sessions, dealt out to the processes."""
    share = SESSIONS // CLIENT_PROCESSES
    return [replace(work, sessions=share, first=number * share) for number in range(CLIENT_PROCESSES)]


def measure_reading(host: Host, wiki: Planted, effort: Effort, say: Callable[[str], None]) -> list[Figure]:
    """The row "MCP `read_note` p50 · 8 sessions"."""
    alone = Load(host.mcp_url(wiki), wiki.token, "read", 1, effort.alone, SMALL)
    # The first call opens the wiki, and that starts the building of its search index.
    run_together([replace(alone, calls=1)])
    waited_s = process_tree.wait_until_quiet(host.pid, limit_s=INDEX_LIMIT_S)
    say(f"{wiki.slug}: catalog and search index made in {waited_s:.0f} s")
    before = process_tree.cpu_s(host.pid)
    outcome, _ = run_together([alone])
    cpu_s = (process_tree.cpu_s(host.pid) - before) / effort.alone
    _refuse_failures(outcome.failures)
    p50, p99 = statistics.median(outcome.seconds), percentile(outcome.seconds, 0.99)
    say(f"read_note alone: p50 {ms(p50)}, p99 {ms(p99)}, server's CPU {ms(cpu_s)} a call")

    together = Load(host.mcp_url(wiki), wiki.token, "read", SESSIONS, effort.together, SMALL)
    before = process_tree.cpu_s(host.pid)
    outcome, elapsed_s = run_together(_shared(together))
    calls = len(outcome.seconds)
    cpu_together_s = (process_tree.cpu_s(host.pid) - before) / calls
    _refuse_failures(outcome.failures)
    rate = calls / elapsed_s
    say(f"read_note, {SESSIONS} sessions: {rate:.0f} calls/s, server's CPU {ms(cpu_together_s)} a call")
    return [
        Figure(
            f"MCP `read_note`, {wiki.slug}, one session: p50",
            "28 ms",
            "",
            f"{ms(p50)} (p99 {ms(p99)}, {ms(cpu_s)} of CPU)",
            "≤ 6 ms",
            p50 <= HIGHEST_READ_S,
        ),
        Figure(
            f"MCP `read_note`, {wiki.slug}, {SESSIONS} sessions from {CLIENT_PROCESSES} processes on the same cores",
            "53 calls/s",
            "",
            f"{rate:.0f} calls/s ({ms(cpu_together_s)} of CPU)",
            "≥ 150 calls/s",
            rate >= LOWEST_CALLS_A_SECOND,
        ),
    ]


def measure_writing(host: Host, wiki: Planted, say: Callable[[str], None]) -> list[Figure]:
    """The row "8 writers × 10 saves at once": how many of them git holds afterwards."""
    work = Load(host.mcp_url(wiki), wiki.token, "write", SESSIONS, SAVES_A_WRITER, SMALL)
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
