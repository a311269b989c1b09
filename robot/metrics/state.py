"""What is, as figures: made of the machine's facts when somebody asks (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from robot.census import Counts
from robot.machine import MachineFacts

WORKER_STATES = ("asleep", "waking", "ready", "stopping", "backoff", "broken")


def families(facts: MachineFacts, counts: Counts | None, threads: int) -> Iterator[Metric]:
    """The figures; those of the database lack where it does not answer, and a backup's age where there is none."""
    yield _gauge("info", "Which version runs; always 1.", 1, version=facts.version)
    yield _gauge("up_seconds", "Since the start.", facts.up_s)
    yield _gauge("threads", "Threads of the core process.", threads)
    yield from _workers(facts)
    yield from _pages(facts)
    yield from _index(facts)
    yield _gauge("loop_delay_worst_seconds", "The longest delay of the loop in the last minute.", facts.loop_delay_s)
    yield _gauge("disk_free_bytes", "Room on the disk where the data is.", facts.disk.free)
    yield _gauge("disk_size_bytes", "Size of the disk where the data is.", facts.disk.total)
    yield _gauge("database_bytes", "What the platform's database takes, with its log.", facts.disk.database)
    yield _gauge("database_up", "Whether the platform's database answers.", not facts.database_problem)
    if facts.backup_age_s is not None:
        yield _gauge("backup_age_seconds", "How old the state in the last good backup is.", facts.backup_age_s)
    if counts is not None:
        yield _gauge("people", "Accounts.", counts.people)
        yield _gauges("wikis", "Wikis by state.", "state", {"ready": counts.wikis, "deleted": counts.deleted})
        yield _gauge("wikis_frozen", "Wikis that may only be read.", counts.frozen)
    yield _troubles(facts)


def _workers(facts: MachineFacts) -> Iterator[Metric]:
    states = Counter(worker.state for worker in facts.workers)
    yield _gauges("workers", "Wikis that were asked for, by state.", "state", {s: states[s] for s in WORKER_STATES})
    yield _gauge("workers_awake", "Workers that run.", facts.awake)
    yield _gauge("workers_most", "How many may run at once.", facts.max_awake)
    yield _gauge("zygote_up", "Whether workers can be made just now.", facts.has_zygote)


def _pages(facts: MachineFacts) -> Iterator[Metric]:
    looks = CounterMetricFamily("robot_page_cache", "Pages looked up that may be kept.", labels=["found"])
    looks.add_metric(["yes"], facts.pages.hits)
    looks.add_metric(["no"], facts.pages.misses)
    yield looks
    yield _gauge("page_cache_bytes", "Memory that kept pages take.", facts.pages.size_bytes)


def _index(facts: MachineFacts) -> Iterator[Metric]:
    backlog = facts.backlog
    yield _gauge("index_wikis", "Wikis that are indexed, or wait for it.", backlog.wikis)
    yield _gauge("index_lag_seconds", "How long the oldest of what is to be indexed waits.", backlog.oldest_s)
    yield _gauge("index_still_seconds", "Since when nothing of it was done.", backlog.still_s)
    yield _gauge("index_failing_wikis", "Wikis that could not be indexed.", backlog.failing)


def _troubles(facts: MachineFacts) -> Metric:
    logged = GaugeMetricFamily("robot_troubles", "What a part logged in the last 24 hours.", labels=["part", "level"])
    for trouble in facts.troubles:
        logged.add_metric([trouble.part, "error"], trouble.errors)
        logged.add_metric([trouble.part, "warning"], trouble.warnings)
    return logged


def _gauge(name: str, about: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"robot_{name}", about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _gauges(name: str, about: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"robot_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
