"""Writes `systemd/prometheus/dashboard.json`, for Grafana: `python docs/make_dashboard.py`, or `make docs`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "systemd" / "prometheus" / "dashboard.json"

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 7


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph. `queries` are PromQL and what each line is called; `unit` is one of Grafana's."""

    title: str
    about: str
    unit: str
    queries: Sequence[tuple[str, str]]


_BY_FACE = 'face!="health"'
_RATE = "[$__rate_interval]"

PANELS = (
    Panel(
        "Requests",
        "A second, by the side of the host that they came to.",
        "reqps",
        [(f"sum by (face) (rate(robot_requests_total{{{_BY_FACE}}}{_RATE}))", "{{face}}")],
    ),
    Panel(
        "Failed requests",
        "Answers with a status of 500 and above, and clients that left before any.",
        "reqps",
        [(f'sum by (face, status) (rate(robot_requests_total{{status=~"5xx|none"}}{_RATE}))', "{{face}} {{status}}")],
    ),
    Panel(
        "Slowest of a hundred",
        "99 % of requests took no longer, without what clients took.",
        "s",
        [
            (
                "histogram_quantile(0.99, sum by (face, le) "
                f"(rate(robot_request_seconds_bucket{{{_BY_FACE}}}{_RATE})))",
                "{{face}}",
            )
        ],
    ),
    Panel(
        "Where the time goes",
        "Seconds of requests that passed in each phase, a second.",
        "none",
        [(f"sum by (phase) (rate(robot_phase_seconds_total{_RATE}))", "{{phase}}")],
    ),
    Panel(
        "Wikis awake",
        "Workers that run, how many may, and those that failed.",
        "none",
        [
            ("robot_workers_awake", "awake"),
            ("robot_workers_most", "at most"),
            ('sum(robot_workers{state=~"backoff|broken"})', "failing"),
        ],
    ),
    Panel(
        "Waking",
        "Half of the wakes, and 99 %, took no longer.",
        "s",
        [
            (f"histogram_quantile(0.5, sum by (le) (rate(robot_wake_seconds_bucket{_RATE})))", "half"),
            (f"histogram_quantile(0.99, sum by (le) (rate(robot_wake_seconds_bucket{_RATE})))", "99 %"),
        ],
    ),
    Panel(
        "Pages that were kept",
        "The share of pages that no worker had to make, of those that may be kept.",
        "percentunit",
        [
            (
                f'sum(rate(robot_page_cache_total{{found="yes"}}{_RATE})) / sum(rate(robot_page_cache_total{_RATE}))',
                "kept",
            )
        ],
    ),
    Panel(
        "Changes",
        "Of wikis, a minute, and changes that came too late.",
        "none",
        [
            (f"60 * sum(rate(robot_changes_total{_RATE}))", "changes"),
            (f"60 * sum(rate(robot_conflicts_total{_RATE}))", "conflicts"),
        ],
    ),
    Panel(
        "Calls of agents",
        "A minute, the ten that come most often.",
        "none",
        [(f"60 * topk(10, sum by (door, operation) (rate(robot_agent_calls_total{_RATE})))", "{{door}} {{operation}}")],
    ),
    Panel(
        "Index",
        "How long the oldest of what is to be indexed waits; and for how long nothing was done of it.",
        "s",
        [("robot_index_lag_seconds", "waits"), ("robot_index_still_seconds", "stands still")],
    ),
    Panel(
        "Wikis to index",
        "At work or waiting, and those that cannot be indexed.",
        "none",
        [("robot_index_wikis", "to do"), ("robot_index_failing_wikis", "failing")],
    ),
    Panel(
        "Event loop",
        "How late it goes on: 99 % of looks, and the worst of the last minute.",
        "s",
        [
            (f"histogram_quantile(0.99, sum by (le) (rate(robot_loop_delay_seconds_bucket{_RATE})))", "99 %"),
            ("robot_loop_delay_worst_seconds", "worst"),
        ],
    ),
    Panel(
        "Refused",
        "Credentials that opened nothing, and what came too often, a minute.",
        "none",
        [
            (f"60 * sum by (kind) (rate(robot_auth_failures_total{_RATE}))", "{{kind}}"),
            (f"60 * sum by (kind) (rate(robot_too_often_total{_RATE})) > 0", "too often: {{kind}}"),
        ],
    ),
    Panel(
        "Memory",
        "Of the core process; workers have their own.",
        "bytes",
        [("process_resident_memory_bytes", "memory")],
    ),
    Panel(
        "Processor",
        "Cores that the core process takes.",
        "none",
        [(f"rate(process_cpu_seconds_total{_RATE})", "cores")],
    ),
    Panel(
        "Descriptors and threads",
        "Open in the core process.",
        "none",
        [("process_open_fds", "files"), ("robot_threads", "threads")],
    ),
    Panel(
        "Disk",
        "Room where the data is, and what the platform's database takes.",
        "bytes",
        [
            ("robot_disk_free_bytes", "free"),
            ("robot_disk_size_bytes", "size"),
            ("robot_database_bytes", "database"),
        ],
    ),
    Panel(
        "Last backup",
        "How old the state is that the last good backup has; nothing where there is none.",
        "s",
        [("robot_backup_age_seconds", "age")],
    ),
    Panel(
        "People and wikis",
        "Accounts, and wikis that are there.",
        "none",
        [("robot_people", "people"), ('robot_wikis{state="ready"}', "wikis")],
    ),
    Panel(
        "Troubles",
        "Errors and warnings that parts logged in the last 24 hours.",
        "none",
        [("sum by (part, level) (robot_troubles)", "{{part}} {{level}}")],
    ),
    Panel(
        "What is there",
        "1 while it is: the database answers, workers can be made.",
        "none",
        [("robot_database_up", "database"), ("robot_zygote_up", "zygote")],
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard in Grafana's JSON model; it asks for its data source when it is imported."""
    return {
        "title": "robot",
        "uid": "robot-host",
        "tags": ["robot"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries)
        ],
    }


def render() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
