"""A line in the log for each request that took the host long, with where its time went."""

from __future__ import annotations

import logging

from robot.finished import CLIENTS_OWN, Finished
from robot.model import Visibility
from robot.sparse_log import SparseLog

log = logging.getLogger(__name__)

# Below it, a phase explains nothing.
_SHORTEST_SHOWN_S = 0.005


class SlowRequests:
    """An `Observer`. What the client took does not count; one address is named once a minute at most."""

    def __init__(self, threshold_s: float) -> None:
        self.threshold_s = threshold_s
        """Seconds from which on a request is slow; 0: none is. May be set while requests are answered."""
        self._sparse = SparseLog(log)

    def __call__(self, finished: Finished) -> None:
        if 0 < self.threshold_s <= finished.own_seconds:
            what = target_of(finished)
            self._sparse.warn(
                what, "slow: %s took %.2f s (%s), answered %d", what, finished.seconds, spent(finished), finished.status
            )


def target_of(finished: Finished) -> str:
    """Method, wiki and address; what pages of private wikis are called is their people's (pure)."""
    wiki = finished.wiki
    if wiki is None:
        return f"{finished.method} {finished.path} of {finished.face}"
    path = "" if wiki.visibility is Visibility.PRIVATE else f" {finished.path}"
    return f"{finished.method}{path} of {finished.face} in {wiki.slug}"


def spent(finished: Finished) -> str:
    """Where the time went, longest first; "other" is what no phase of the host covers (pure)."""
    phases = {str(phase): seconds for phase, seconds in finished.phases.items()}
    covered = sum(seconds for phase, seconds in finished.phases.items() if phase not in CLIENTS_OWN)
    phases["other"] = finished.own_seconds - covered
    shown = sorted(phases.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in shown if seconds >= _SHORTEST_SHOWN_S) or "nowhere"
