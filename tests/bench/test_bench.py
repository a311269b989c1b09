"""The pieces of the bench that need no server, and the generator of wikis."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bench import figures, machine, make_wiki, process_tree, run, stock, stopping
from bench.figures import Figure
from bench.process_tree import Process

STAT = "4711 (a (odd) name) S 42 4711 4711 0 -1 4194560 2301 0 0 0 17 5 3 2 20 0 1 0 123456 25600000 3400"


def test_stat_counts_the_process_and_its_ended_children() -> None:
    assert process_tree.parse_stat(STAT) == Process(pid=4711, parent=42, cpu_ticks=17 + 5 + 3 + 2)


def test_tree_holds_descendants_only() -> None:
    everything = [Process(1, 0, 5), Process(10, 1, 1), Process(11, 10, 2), Process(12, 11, 3), Process(13, 1, 9)]
    assert [process.pid for process in process_tree.tree_of(10, everything)] == [10, 11, 12]
    assert process_tree.tree_of(99, everything) == []


def test_pss() -> None:
    assert process_tree.parse_pss_bytes("00400000-7fff ---p 00000000 00:00 0\nRss:  9 kB\nPss:  1024 kB\n") == 2**20
    with pytest.raises(ValueError, match="no Pss"):
        process_tree.parse_pss_bytes("Rss: 9 kB\n")


def test_cpu_time_of_a_child_that_ended_is_counted() -> None:
    before = process_tree.cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.1: pass"], check=True)
    assert process_tree.cpu_s(os.getpid()) - before > 0.085  # the kernel counts in hundredths


def test_memory_of_a_child_is_counted() -> None:
    before = process_tree.pss_bytes(os.getpid())
    child = subprocess.Popen(
        [sys.executable, "-c", "held = b'x' * 2**26; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert process_tree.pss_bytes(os.getpid()) - before >= 2**26
    finally:
        child.communicate(b"\n")


def test_a_busy_process_is_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with pytest.raises(TimeoutError):
            process_tree.wait_until_quiet(child.pid, limit_s=1)
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert figures.percentile([4.0, 2.0, 1.0, 3.0], share) == value


def test_units() -> None:
    assert (figures.ms(0.0123), figures.ms(0.25)) == ("12.3 ms", "250 ms")
    assert (figures.mib(31.6 * 2**20), figures.mib(190 * 2**20)) == ("31.6 MiB", "190 MiB")
    assert figures.spread([0.003, 0.001, 0.002]) == "2.0 ms (1.0 ms – 3.0 ms)"


def test_report_says_what_was_missed() -> None:
    text = run.report(
        ["Machine: one"],
        [Figure("a", "9 s", "", "1 s", "≤ 2 s", True), Figure("b", "", "", "3 s", "≤ 2 s", False)],
    )
    assert "\n* Machine: one\n" in text
    assert "| a | 9 s | – | 1 s | ≤ 2 s | kept |" in text
    assert "| b | – | – | 3 s | ≤ 2 s | **missed** |" in text


def test_cpu_model() -> None:
    assert machine.cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: x\n") == "Some CPU @ 3 GHz"


def test_the_peer_is_the_release_that_robot_runs() -> None:
    assert f"otterwiki {metadata.version('otterwiki')}, gunicorn " in stock.versions()


def test_themes_can_be_asked_for_alone() -> None:
    assert run.themes("rest,git") == ["rest", "git"]
    with pytest.raises(argparse.ArgumentTypeError, match="no such theme: speed; there are pages, "):
        run.themes("rest,speed")


def test_the_figures_are_those_that_were_asked_for() -> None:
    assert run.FULL.wikis == 50
    assert (stopping.IDLE_CONNECTIONS, stopping.STREAMS) == (100, 5)


def test_a_made_wiki_is_the_same_every_time(tmp_path: Path) -> None:
    corpus = make_wiki.Corpus(
        paragraphs=["The harbour master writes down each ship that enters the port before noon."],
        snippets=["def enter(ship):\n    return ship"],
        facts=[(f"fact{number}", "harbour", "Write down a ship that enters the port.") for number in range(9)],
    )
    heads = []
    for name in ("one", "two"):
        maker = make_wiki.Maker(corpus, seed=7)
        maker.paths = ["Home", make_wiki.SMALL, make_wiki.LARGE]
        pages = [maker.page(path, 2) for path in maker.paths]
        heads.append(make_wiki.fast_import(tmp_path / name, maker, pages, commits=6))
    assert heads[0] == heads[1]
    assert (tmp_path / "one" / f"{make_wiki.SMALL}.md").exists()
    count = subprocess.run(
        ["git", "-C", tmp_path / "one", "rev-list", "--count", "HEAD"], capture_output=True, text=True, check=True
    )
    assert count.stdout.strip() == "6"
