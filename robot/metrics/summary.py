"""The figures as people want to know them: read from the text that Prometheus reads, so they are the same (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from robot.troubles import Trouble

_INFINITY = float("inf")

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FaceSummary:
    """What one side of the host answered since the start; `failed` by a fault of ours.

    Half of the requests took no longer than `p50_s`, all but one in a hundred no longer than `p99_s`; infinity stands
    for longer than the largest bound that is counted.
    """

    face: str
    requests: int
    failed: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """What only a host that runs can tell."""

    version: str
    up_s: float
    awake: int
    most_awake: int
    changes: int
    conflicts: int
    cache_hits: int
    cache_misses: int
    index_wikis: int
    index_lag_s: float
    index_failing: int
    loop_delay_s: float
    memory: float
    descriptors: int
    threads: int
    faces: Sequence[FaceSummary]
    troubles: Sequence[Trouble]


@dataclass(frozen=True, slots=True)
class Summary:
    """How the host is and what it did; the first figures also where it does not run.

    None stands for what there is not: a backup, a host that runs, a database that answers. Sizes are in bytes.
    """

    wikis: int | None
    deleted: int | None
    frozen: int | None
    people: int | None
    backup_age_s: float | None
    disk_free: float
    disk_size: float
    database: float
    running: Running | None


class Figures:
    """The samples of a text, by name and labels. Raises `ValueError` where it is no such text."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, dict[Labels, float]] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name][frozenset(sample.labels.items())] = sample.value

    def one(self, name: str, **labels: str) -> float | None:
        """One figure, None where it lacks."""
        return self._samples.get(name, {}).get(frozenset(labels.items()))

    def total(self, name: str) -> float:
        """The sum over all labels."""
        return sum(self._samples.get(name, {}).values())

    def each(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Each figure of a name with its labels."""
        return [(dict(labels), value) for labels, value in self._samples.get(name, {}).items()]


def summarize(text: str) -> Summary:
    """What the text says. Raises `ValueError` where it is none of ours."""
    figures = Figures(text)
    versions = [labels["version"] for labels, _ in figures.each("robot_info")]
    if len(versions) != 1:
        raise ValueError("not the figures of robot")
    return Summary(
        wikis=_count(figures.one("robot_wikis", state="ready")),
        deleted=_count(figures.one("robot_wikis", state="deleted")),
        frozen=_count(figures.one("robot_wikis_frozen")),
        people=_count(figures.one("robot_people")),
        backup_age_s=figures.one("robot_backup_age_seconds"),
        disk_free=figures.total("robot_disk_free_bytes"),
        disk_size=figures.total("robot_disk_size_bytes"),
        database=figures.total("robot_database_bytes"),
        running=_running(figures, versions[0]),
    )


def quantile(share: float, buckets: Mapping[float, float]) -> float:
    """The value that `share` of all do not exceed, by the counts up to each bound, as Prometheus reckons it.

    0 where nothing was counted; infinity where it lies above the largest finite bound.
    """
    total = buckets.get(_INFINITY, 0.0)
    if not total:
        return 0.0
    wanted, below, lower = share * total, 0.0, 0.0
    for bound in sorted(buckets):
        if buckets[bound] >= wanted:
            within = (wanted - below) / (buckets[bound] - below) if buckets[bound] > below else 0.0
            return bound if bound == _INFINITY else lower + (bound - lower) * within
        below, lower = buckets[bound], bound
    return _INFINITY


def _running(figures: Figures, version: str) -> Running:
    return Running(
        version=version,
        up_s=figures.total("robot_up_seconds"),
        awake=int(figures.total("robot_workers_awake")),
        most_awake=int(figures.total("robot_workers_most")),
        changes=int(figures.total("robot_changes_total")),
        conflicts=int(figures.total("robot_conflicts_total")),
        cache_hits=int(figures.one("robot_page_cache_total", found="yes") or 0),
        cache_misses=int(figures.one("robot_page_cache_total", found="no") or 0),
        index_wikis=int(figures.total("robot_index_wikis")),
        index_lag_s=figures.total("robot_index_lag_seconds"),
        index_failing=int(figures.total("robot_index_failing_wikis")),
        loop_delay_s=figures.total("robot_loop_delay_worst_seconds"),
        memory=figures.total("process_resident_memory_bytes"),
        descriptors=int(figures.total("process_open_fds")),
        threads=int(figures.total("robot_threads")),
        faces=_faces(figures),
        troubles=_troubles(figures),
    )


def _faces(figures: Figures) -> Sequence[FaceSummary]:
    buckets: dict[str, dict[float, float]] = defaultdict(dict)
    for labels, value in figures.each("robot_request_seconds_bucket"):
        buckets[labels["face"]][float(labels["le"])] = value
    found = [
        FaceSummary(
            face=face,
            requests=int(counts[_INFINITY]),
            failed=int(figures.one("robot_requests_total", face=face, status="5xx") or 0),
            p50_s=quantile(0.5, counts),
            p99_s=quantile(0.99, counts),
        )
        for face, counts in buckets.items()
    ]
    return sorted(found, key=lambda one: (-one.requests, one.face))


def _troubles(figures: Figures) -> Sequence[Trouble]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for labels, value in figures.each("robot_troubles"):
        counts[labels["part"]][labels["level"]] = int(value)
    found = [Trouble(part, levels.get("error", 0), levels.get("warning", 0)) for part, levels in counts.items()]
    return sorted(found, key=lambda one: (-one.errors, -one.warnings, one.part))


def _count(value: float | None) -> int | None:
    return None if value is None else int(value)
