"""How often people, agents and networks may do what costs the host something: one table for all of it.

Nobody who works meets these limits. A rate is what somebody may do for ever, its burst what they may do at once:
whoever fills a wiki to the default quota does that in one go, and a class of two hundred behind one address signs in at
the same time. The handbook tells how the numbers were chosen.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from robot.clock import Clock, steady_clock
from robot.rates import RateLimit
from robot.settings import Settings
from robot.sparse_log import SparseLog
from robot.web.errors import waiting_time

log = logging.getLogger(__name__)

ALL: Final = "all"
"""The key of a rate that everybody shares, the last of its rule; callers give none for it."""

WHY: Final = "That was too often in a short time, so nothing was done."


class Limited(StrEnum):
    """What is limited."""

    SIGN_IN = "sign-ins begun"
    SIGN_IN_ANSWER = "answers to sign-ins"
    LINK = "links with a secret opened"
    SIGN_UP = "accounts made"
    REGISTRATION = "OAuth clients registered"
    CONSENT = "consents given"
    REFUSED_GRANT = "OAuth codes and tokens that were refused"
    BAD_CREDENTIAL = "credentials that open nothing"
    INVITATION = "invitations made"
    DOMAIN_CHECK = "domains checked"
    IMPORT = "imports begun"
    EXPORT = "exports"
    FORM = "other forms sent to the platform"
    WRITE = "writes"
    SEARCH = "searches by words"
    MEANING = "searches by meaning"
    EVERYWHERE = "searches in all wikis of a person"
    GIT = "git requests"
    VIEW = "requests without a credential"
    CRAWL = "requests of crawlers"
    CERTIFICATE = "names asked about for certificates"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many an hour for ever, and so many at once. `key` says whose."""

    key: str
    per_hour: int
    burst: int


RULES: Final[Mapping[Limited, Sequence[Rate]]] = {
    Limited.SIGN_IN: (Rate("network", 600, 200), Rate(ALL, 6_000, 1_000)),
    Limited.SIGN_IN_ANSWER: (Rate("network", 1_200, 400),),
    Limited.LINK: (Rate("network", 1_800, 600),),
    Limited.SIGN_UP: (Rate("network", 300, 200), Rate(ALL, 3_000, 1_000)),
    Limited.REGISTRATION: (Rate("network", 60, 60), Rate(ALL, 1_200, 1_200)),
    Limited.CONSENT: (Rate("person", 300, 100),),
    Limited.REFUSED_GRANT: (Rate("network", 1_200, 600),),
    Limited.BAD_CREDENTIAL: (Rate("network", 3_600, 600),),
    Limited.INVITATION: (Rate("person", 200, 100),),
    Limited.DOMAIN_CHECK: (Rate("person", 120, 30),),
    Limited.IMPORT: (Rate("person", 120, 40),),
    Limited.EXPORT: (Rate("person", 120, 40),),
    Limited.FORM: (Rate("person", 3_600, 600),),
    Limited.WRITE: (Rate("actor", 7_200, 5_000), Rate("wiki", 36_000, 20_000)),
    Limited.SEARCH: (Rate("actor", 14_400, 1_200), Rate("wiki", 72_000, 6_000)),
    Limited.MEANING: (Rate("actor", 7_200, 600), Rate("wiki", 36_000, 3_000)),
    Limited.EVERYWHERE: (Rate("person", 1_800, 300),),
    Limited.GIT: (Rate("actor", 3_600, 600), Rate("wiki", 18_000, 3_000)),
    Limited.VIEW: (Rate("network", 72_000, 20_000),),
    Limited.CRAWL: (Rate("crawler in a wiki", 3_600, 300), Rate("wiki", 7_200, 600), Rate(ALL, 36_000, 3_000)),
    Limited.CERTIFICATE: (Rate(ALL, 36_000, 6_000),),
}
"""The defaults. Settings scale a rule as a whole (`of_settings`)."""


class TooOften(Exception):
    """Somebody did something more often than they may; `wait_s` is how long until they may again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(sentence_of(wait_s))
        self.wait_s = wait_s

    @property
    def retry_after(self) -> str:
        """The value of `Retry-After` (RFC 9110, section 10.2.3): whole seconds, never too few."""
        return retry_after(self.wait_s)


class LimitObserver(Protocol):
    """Told of each thing that is limited when it was done, or was refused; must not block."""

    def __call__(self, kind: Limited, *, refused: bool) -> None: ...


class Limits:
    """Counts what is done, and says when it is too often. `per_hour` is in place of a rule's first rate; 0: no limit.

    All in memory, bounded, and some microseconds each. A restart forgets it.
    """

    def __init__(
        self,
        per_hour: Mapping[Limited, int] | None = None,
        *,
        observer: LimitObserver | None = None,
        clock: Clock = steady_clock,
    ) -> None:
        self._clock = clock
        self._per_hour = dict(per_hour or {})
        self._rates = {kind: _rates(rules, self._per_hour.get(kind), clock) for kind, rules in RULES.items()}
        self._observer = observer
        self._sparse = SparseLog(log, clock=clock)

    @classmethod
    def of_settings(
        cls, settings: Settings, *, observer: LimitObserver | None = None, clock: Clock = steady_clock
    ) -> Limits:
        """The limits that an operator wants."""
        return cls(_per_hour(settings), observer=observer, clock=clock)

    def take_over(self, settings: Settings) -> None:
        """Count by other settings from now on; what was done is forgotten where the limit is another."""
        for kind, per_hour in _per_hour(settings).items():
            if per_hour != self._per_hour.get(kind):
                self._per_hour[kind] = per_hour
                self._rates[kind] = _rates(RULES[kind], per_hour, self._clock)

    def take(self, kind: Limited, *keys: str) -> float:
        """Do it once: 0 when that is all right, else the seconds until it is, and nothing is counted.

        `keys` are whose, in the order of the rule; a rate that all share needs none.
        """
        wait_s = self.wait(kind, *keys)
        if not wait_s:
            self.note(kind, *keys)
        return wait_s

    def demand(self, kind: Limited, *keys: str) -> None:
        """`take` that raises `TooOften`."""
        wait_s = self.take(kind, *keys)
        if wait_s:
            raise TooOften(wait_s)

    def wait(self, kind: Limited, *keys: str) -> float:
        """The seconds until it may be done; 0 for now. Nothing is counted, which is for what counts when it fails."""
        rates = self._rates[kind]
        for place, (whose, rate) in enumerate(rates):
            key = "" if whose == ALL else keys[place]
            wait_s = rate.wait(key)
            if wait_s:
                self._sparse.warn(f"{kind} {key}", "too many %s: %s %s waits %d s", kind, whose, key, math.ceil(wait_s))
                self._tell(kind, refused=True)
                return wait_s
        return 0.0

    def note(self, kind: Limited, *keys: str) -> None:
        """It was done."""
        for place, (whose, rate) in enumerate(self._rates[kind]):
            rate.spend("" if whose == ALL else keys[place])
        self._tell(kind, refused=False)

    def _tell(self, kind: Limited, *, refused: bool) -> None:
        if self._observer is not None:
            self._observer(kind, refused=refused)


def _per_hour(settings: Settings) -> Mapping[Limited, int]:
    return {
        Limited.SIGN_IN: settings.sign_ins_per_hour,
        Limited.REGISTRATION: settings.oauth_registrations_per_hour,
        Limited.WRITE: settings.writes_per_hour,
        Limited.SEARCH: settings.searches_per_hour,
        Limited.MEANING: settings.searches_per_hour // 2,
        Limited.GIT: settings.git_requests_per_hour,
        Limited.VIEW: settings.anonymous_requests_per_hour,
        Limited.CRAWL: settings.crawler_requests_per_hour,
    }


def _rates(rules: Sequence[Rate], per_hour: int | None, clock: Clock) -> Sequence[tuple[str, RateLimit]]:
    """Whose they are, and the counters; none at all where nothing is limited."""
    factor = 1 if per_hour is None else per_hour / rules[0].per_hour
    if not factor:
        return ()
    return [
        (rate.key, RateLimit(rate.per_hour * factor, burst=max(1, rate.burst * factor), clock=clock)) for rate in rules
    ]


def retry_after(wait_s: float) -> str:
    """Whole seconds, never too few."""
    return str(max(1, math.ceil(wait_s)))


def sentence_of(wait_s: float) -> str:
    """What to do about a limit, in words that are right for people and for programs."""
    return f"{WHY} Try again {waiting_time(wait_s)}."
