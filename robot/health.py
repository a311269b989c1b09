"""The addresses at which programs ask how this host is: `/readyz`, and `/metrics` for those who may read it.

Whether the process turns (`/healthz`), and whether its doors are open at all, the front answers by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from proxy.asgi import Receive, Scope, Send
from proxy.hosts import parse_host
from robot.answers import NO_STORE, answer, answer_failure, answer_json
from robot.client_address import Network, asks_directly, is_address
from robot.clock import Clock, steady_clock
from robot.machine import Machine, disk_problem
from robot.metrics.exposition import CONTENT_TYPE, Exposition
from robot.readiness import Check, check_all

METRICS_PATH = "/metrics"

# Whoever asks more often is told what was found a moment ago: strangers may ask too.
KEPT_S = 1.0
DEADLINE_S = 5.0


class Health:
    """Answers for the whole host. `networks` are those whose programs may read the figures."""

    def __init__(
        self, machine: Machine, exposition: Exposition, networks: Sequence[Network], *, steady: Clock = steady_clock
    ) -> None:
        self._machine = machine
        self._exposition = exposition
        self._networks = networks
        self._steady = steady
        self._found: Sequence[Check] = ()
        self._found_at = float("-inf")
        self._looking = trio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for one of the addresses."""
        is_inside = asks_directly(scope, self._networks)
        if scope["path"] != METRICS_PATH:
            await self._answer_readiness(send, with_reasons=is_inside)
        elif is_inside and _names_no_host(scope):
            await self._answer_figures(scope, send)
        else:
            await answer_failure(scope, send, 404, "not_found", "There is nothing here", "There is nothing here.")

    async def _answer_figures(self, scope: Scope, send: Send) -> None:
        try:
            text = await self._exposition.text()
        except OSError as error:
            await answer_failure(scope, send, 503, "unavailable", "Not available", disk_problem(error))
        else:
            await answer(send, 200, [(b"content-type", CONTENT_TYPE.encode("ascii")), NO_STORE], text)

    async def _answer_readiness(self, send: Send, *, with_reasons: bool) -> None:
        """200, or 503 with the names of what does not hold; what exactly, for the operator's programs alone."""
        checks = await self._look()
        failing = [check.name for check in checks if check.problem]
        said: dict[str, object] = {"status": "not ready", "failing": failing} if failing else {"status": "ok"}
        if with_reasons:
            said["checks"] = {check.name: check.problem or "ok" for check in checks}
        await answer_json(send, 503 if failing else 200, said)

    async def _look(self) -> Sequence[Check]:
        async with self._looking:
            if self._steady() - self._found_at >= KEPT_S:
                self._found = await self._checks()
                self._found_at = self._steady()
            return self._found

    async def _checks(self) -> Sequence[Check]:
        try:
            with trio.fail_after(DEADLINE_S):
                return check_all(await self._machine.facts())
        except trio.TooSlowError:
            return [Check("disk", f"The disk where the data is said nothing for {DEADLINE_S:.0f} seconds.")]
        except OSError as error:
            return [Check("disk", disk_problem(error))]


def _names_no_host(scope: Scope) -> bool:
    """Whether this machine is asked for by its address; what a proxy passes on has a name."""
    host = parse_host(scope["headers"])
    return host is not None and is_address(host.name)
