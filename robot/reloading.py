"""Settings that are taken over while the host runs, at SIGHUP: those where that is safe. Others wait for a restart.

Each file of settings is taken as a whole or not at all: with a mistake in it, those before stay in force.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import trio

from robot import logs, sdnotify
from robot.client_address import ClientNetworks
from robot.limits import Limits
from robot.settings import Settings, SettingsError
from robot.slow_requests import SlowRequests
from robot.visits import Visits
from wikihost.fleet import Fleet

log = logging.getLogger(__name__)

Load = Callable[[], Settings]
"""Reads the settings anew, from where they came; blocks. Raises `SettingsError`."""
Apply = Callable[[Settings], None]
"""Has a part go by other settings from now on; it neither waits nor fails."""

LIMITS: Final = tuple(name for name in Settings.model_fields if name.endswith("_per_hour"))


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of settings that changed: those that can be taken over, and those that wait for a restart."""

    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def difference(running: Settings, wanted: Settings, appliers: Mapping[str, Apply]) -> Difference:
    """What changed (pure). Only names: values may be secrets."""
    changed = [name for name in Settings.model_fields if getattr(running, name) != getattr(wanted, name)]
    return Difference(
        tuple(name for name in changed if name in appliers), tuple(name for name in changed if name not in appliers)
    )


def appliers(
    *, limits: Limits, networks: ClientNetworks, slow: SlowRequests, visits: Visits, fleet: Fleet
) -> Mapping[str, Apply]:
    """Which settings can be taken over, and by whom."""

    def log_anew(settings: Settings) -> None:
        logs.configure(settings.log_level, settings.log_format)
        fleet.log_at(settings.log_level.upper())

    def measure_anew(settings: Settings) -> None:
        slow.threshold_s = settings.slow_request

    def keep_anew(settings: Settings) -> None:
        visits.days = settings.access_log_days

    def trust_anew(settings: Settings) -> None:
        networks.trust(settings.trusted_proxies)

    return {
        "log_level": log_anew,
        "log_format": log_anew,
        "slow_request": measure_anew,
        "access_log_days": keep_anew,
        "trusted_proxies": trust_anew,
        **dict.fromkeys(LIMITS, limits.take_over),
    }


class Reloading:
    """Waits for SIGHUP. `running` are the settings that are in force."""

    def __init__(self, running: Settings, load: Load, appliers: Mapping[str, Apply]) -> None:
        self.running = running
        self._load = load
        self._appliers = appliers

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reload at each SIGHUP until cancelled."""
        with trio.open_signal_receiver(signal.SIGHUP) as received:
            task_status.started()
            async for _ in received:
                sdnotify.notify("RELOADING=1")
                await self.reload()
                sdnotify.notify("READY=1")

    async def reload(self) -> None:
        """Read the settings anew and take over what can be; the log says what."""
        try:
            wanted = await trio.to_thread.run_sync(self._load)
        except SettingsError as error:
            problems = " ".join(str(error).splitlines())
            log.error("the settings stay as they were: %s", problems)  # noqa: TRY400  (the sentence says it all)
            return
        found = difference(self.running, wanted, self._appliers)
        for apply in dict.fromkeys(self._appliers[name] for name in found.taken):
            apply(wanted)
        self.running = self.running.model_copy(update={name: getattr(wanted, name) for name in found.taken})
        # A warning, so that whoever asked for it reads it at every level but one.
        log.warning("settings read anew: %s", said(found))


def said(found: Difference) -> str:
    """What there is to say of it (pure)."""
    taken = f"taken over: {', '.join(found.taken)}" if found.taken else "none to take over"
    return taken + (f"; after a restart: {', '.join(found.waiting)}" if found.waiting else "")
