"""What happens on this host, counted as it happens: a lock and an addition each, from whatever thread."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from robot.activity import OK, Deed
from robot.finished import Face, Finished, Phase
from robot.limits import Limited

REQUEST_BOUNDS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAKE_BOUNDS_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 10.0, 30.0)
DELAY_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)

NO_ANSWER: Final = "none"
"""In place of a class of status codes: the client left before an answer began."""

# What is counted for limits because it failed.
_FAILURES: Final = {Limited.BAD_CREDENTIAL: "credential", Limited.REFUSED_GRANT: "grant"}
# Every face with every class.
_MOST_KNOWN: Final = 128


class Meters:
    """The counters, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests_so_far = 0
        ProcessCollector(registry=self.registry)
        self._requests = self._counter("requests", "Requests whose answer ended, by class of status.", "face", "status")
        self._request_s = self._histogram(
            "request_seconds",
            "From a request's head to its answer's end, without what clients took.",
            REQUEST_BOUNDS_S,
            "face",
        )
        spent = self._counter("phase_seconds", "Where the time of requests went.", "phase")
        self._phase_s = {phase: spent.labels(phase) for phase in Phase}
        self._sent = self._counter("sent_bytes", "Bytes of answers' bodies.", "face")
        self._wakes = self._histogram("wake_seconds", "From the making of a worker until it is ready.", WAKE_BOUNDS_S)
        self._worker_failures = self._counter("worker_failures", "Workers that ended by a fault of their own.")
        self._changes = self._counter("changes", "Changes of wikis, through whatever door.")
        self._conflicts = self._counter("conflicts", "Changes refused since somebody else was first.", "door")
        self._calls = self._counter("agent_calls", "Calls of agents.", "door", "operation", "outcome")
        self._failures = self._counter("auth_failures", "Credentials and grants that opened nothing.", "kind")
        self._too_often = self._counter("too_often", "What was refused since it came too often.", "kind")
        self._delay_s = self._histogram("loop_delay_seconds", "How late the event loop goes on.", DELAY_BOUNDS_S)
        self._begin_at_nought()
        # Looking a child up by its labels costs as much as counting does.
        self._of_request = lru_cache(_MOST_KNOWN)(self._request_children)

    def request(self, finished: Finished) -> None:
        """A request is over. As `finished.Observer`, for the event loop alone."""
        self.requests_so_far += 1
        count, seconds, sent = self._of_request(finished.face, finished.status // 100)
        count.inc()
        seconds.observe(finished.own_seconds)
        sent.inc(finished.sent_bytes)
        for phase, spent_s in finished.phases.items():
            self._phase_s[phase].inc(spent_s)
        if finished.face is Face.PAGES and finished.status == 409:
            self._conflicts.labels(finished.face).inc()

    def deed(self, deed: Deed) -> None:
        """An agent's call is over."""
        self._calls.labels(deed.door, deed.operation, "ok" if deed.outcome == OK else "failed").inc()
        if deed.outcome == "conflict":
            self._conflicts.labels(deed.door).inc()

    def change(self, wiki_id: str) -> None:
        """A wiki changed. As `contents.HeadListener`."""
        self._changes.inc()

    def woken(self, seconds: float) -> None:
        """A worker became ready."""
        self._wakes.observe(seconds)

    def worker_failed(self) -> None:
        """A worker ended by a fault of its own."""
        self._worker_failures.inc()

    def limited(self, kind: Limited, *, refused: bool) -> None:
        """Something that is limited was done, or was refused. As `limits.LimitObserver`."""
        if refused:
            self._too_often.labels(kind.name.lower()).inc()
        elif kind in _FAILURES:
            self._failures.labels(_FAILURES[kind]).inc()

    def loop_delay(self, seconds: float) -> None:
        """The event loop went on so late."""
        self._delay_s.observe(seconds)

    def _begin_at_nought(self) -> None:
        """Have what is watched for its first time: a rate needs a figure before that."""
        for kind in Limited:
            self._too_often.labels(kind.name.lower())
        for failure in _FAILURES.values():
            self._failures.labels(failure)
        for door in (Face.PAGES, Face.MCP, Face.REST):
            self._conflicts.labels(door)

    def _request_children(self, face: Face, hundreds: int) -> tuple[Counter, Histogram, Counter]:
        status = f"{hundreds}xx" if hundreds else NO_ANSWER
        return self._requests.labels(face, status), self._request_s.labels(face), self._sent.labels(face)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, namespace="robot", registry=self.registry)

    def _histogram(self, name: str, about: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, about, labels, namespace="robot", registry=self.registry, buckets=bounds)
