"""The composition root: builds every part, owns the root nursery, and knows the order of start and stop.

Start: data directory, listening sockets, database, front (answers `/healthz`), zygote, then the doors in a thread
(their imports take a second), then READY. Stop: drain and stop accepting, end agents' streams, let requests in flight
finish until the deadline, then workers and index nursery, last the databases.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import trio

from proxy.forward import Forwarder
from proxy.listen import FrontConfig, open_listeners, serve
from robot import sdnotify
from robot.activity import Activity, ActivityLimits, Witness, Witnesses
from robot.actors import Actors
from robot.address import PublicAddress, public_address
from robot.alerts.runs import noted_run
from robot.alerts.secrets import AlertSecrets, read_alert_secrets
from robot.audit import AuditKeeper
from robot.client_address import ClientNetworks
from robot.contents import Contents
from robot.crash_policy import Crashes, Part, Policy, run_under
from robot.credential_uses import CredentialUses
from robot.datadir import DataDirLock
from robot.db import Database
from robot.descriptors import allow_many_descriptors
from robot.front import BodySizes, Front
from robot.garbage import loading
from robot.hosting import finish_interrupted
from robot.in_force import put_decisions_in_force
from robot.isolating import ensure_isolation
from robot.leaving import Departures
from robot.limits import Limits
from robot.loop_delay import LoopDelay
from robot.loop_watch import LoopWatch
from robot.metrics.meters import Meters
from robot.oauth.sweeping import Sweeper
from robot.purging import Purger
from robot.quotas import default_quota
from robot.release import keep_release
from robot.reloading import Apply, Load, Reloading, appliers
from robot.sdnotify import Stage
from robot.settings import Settings
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.client_secret import read_client_secret
from robot.signin.keys import load_session_key
from robot.signin.sessions import Sessions
from robot.slow_requests import SlowRequests
from robot.takedown import Clearance
from robot.traffic import Traffic
from robot.troubles import Troubles, counted_troubles
from robot.upkeep import Upkeep
from robot.visits import Visits
from robot.watchdog import Watchdog
from wikihost.fleet import Fleet, FleetOptions
from wikihost.layout import DataDir
from wikihost.transfer import sweep_transfers

if TYPE_CHECKING:
    from robot.doors import LoadedDoors

log = logging.getLogger(__name__)

LAST_WRITES_S = 5.0
"""For what is still to be written down when everything else has stopped."""

SWITCH_S = 0.001
"""How long a thread that computes in Python may keep the loop waiting: a fifth of the interpreter's default, whose
cost to the threads cannot be measured."""

CRASH_POLICY = {
    "watchdog": Policy.ESSENTIAL,
    "service status": Policy.BEST_EFFORT,
    "loop delay": Policy.BEST_EFFORT,
    "fleet": Policy.REPLACEABLE,
    "search": Policy.REPLACEABLE,
    "imports": Policy.REPLACEABLE,
    "oauth clients": Policy.REPLACEABLE,
    "mcp": Policy.ESSENTIAL,  # the SDK's manager can be run only once
    "listening": Policy.REPLACEABLE,
    "credential uses": Policy.BEST_EFFORT,
    "reloading": Policy.REPLACEABLE,
    "activity": Policy.BEST_EFFORT,
    "visits": Policy.BEST_EFFORT,
    "upkeep": Policy.REPLACEABLE,
    "purging": Policy.REPLACEABLE,
    "audit": Policy.REPLACEABLE,
    "oauth tokens": Policy.REPLACEABLE,
    "departures": Policy.REPLACEABLE,
    "handles": Policy.REPLACEABLE,
    "domains": Policy.REPLACEABLE,
    "alerts": Policy.REPLACEABLE,
    "clearance": Policy.REPLACEABLE,
}
"""What the failure of each part means. The server itself is essential: it runs in the root nursery."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is open before the loop turns, and until it has ended."""

    settings: Settings
    address: PublicAddress
    data: DataDir
    sockets: list[socket.socket]
    db: Database
    credential_uses: CredentialUses
    sessions: Sessions
    troubles: Troubles
    alert_secrets: AlertSecrets


@dataclass(frozen=True, slots=True)
class Core:
    """The parts that live as long as the process. It is for composing alone: each part gets what it needs of it."""

    settings: Settings
    address: PublicAddress
    data: DataDir
    db: Database
    contents: Contents
    sessions: Sessions
    credential_uses: CredentialUses
    activity: Activity
    witness: Witness
    fleet: Fleet
    forwarder: Forwarder
    limits: Limits
    networks: ClientNetworks
    troubles: Troubles
    slow_requests: SlowRequests
    visits: Visits
    crashes: Crashes
    alert_secrets: AlertSecrets
    meters: Meters
    loop_delay: LoopDelay
    front: Front

    def awake_wikis(self) -> list[str]:
        """The ids of the wikis that have a worker."""
        return [worker.wiki_id for worker in self.fleet.status() if worker.pid is not None]

    async def let_go(self, wiki_id: str) -> None:
        """As `deletion.LetGo`: stop the wiki's worker and close its content, as before its directory goes."""
        await self.fleet.stop_worker(wiki_id)
        self.contents.close(wiki_id)


Announce = Callable[[Core], Awaitable[None]]


def run(settings: Settings, announce: Announce, load: Load | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is awaited once everything answers.

    `load` reads the settings anew at SIGHUP; without it, that ends the process as it does any other.

    Raises `DataDirError`, `OSError` (cannot listen), `DatabaseError`, `SchemaTooNew` and `IsolationMissing` before
    anything is served.
    """
    address = public_address(settings)
    data = DataDir(settings.data.absolute())
    ensure_isolation(settings, data)
    allow_many_descriptors()
    sys.setswitchinterval(SWITCH_S)
    watch = [LoopWatch()] if settings.log_level == "debug" else []
    with _laid_ground(settings, address, data) as ground:
        trio.run(_main, ground, announce, load, instruments=watch)


@contextmanager
def _laid_ground(settings: Settings, address: PublicAddress, data: DataDir) -> Iterator[Ground]:
    with ExitStack() as stack:
        troubles = stack.enter_context(counted_troubles())
        sockets = [stack.enter_context(sock) for sock in _listeners(settings)]
        stack.enter_context(DataDirLock(data))
        sdnotify.say_stage(Stage.DATABASE)
        db = Database.open(data.robot_db)
        stack.callback(db.close)
        keep_release(data)
        uses = CredentialUses(db)
        sessions = Sessions(db, load_session_key(data.keys), issuer=address.platform_origin, uses=uses)
        if settings.bluesky:
            ClientKeys(data.keys).load()  # made by now, or said to be damaged, before anybody wants to sign in
        read_client_secret(settings)  # likewise said to be unreadable
        secrets = read_alert_secrets(settings)
        yield Ground(settings, address, data, sockets, db, uses, sessions, troubles, secrets)


def leave() -> NoReturn:
    """End the process at once, after `run` has put everything away.

    The interpreter would spend over a second on taking itself apart, and wait for a model that is being loaded.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _listeners(settings: Settings) -> list[socket.socket]:
    passed = sdnotify.passed_descriptors()
    try:
        return open_listeners([] if passed else [(settings.host, settings.port)], passed)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; choose another with --port or ROBOT_PORT") from error


async def _main(ground: Ground, announce: Announce, load: Load | None) -> None:
    core = _compose(ground)
    try:
        with _signals() as stop_signal:
            async with noted_run(core.db), trio.open_nursery() as services:
                if load is not None:
                    reloading = Reloading(core.settings, load, _appliers(core))
                    await _start(core, services, "reloading", reloading.run)
                await _serve(core, services, ground.sockets, announce, stop_signal)
                sdnotify.say_stage(Stage.WORKERS)
                services.cancel_scope.cancel()
    finally:
        sdnotify.say_stage(Stage.LAST_WRITES)
        core.forwarder.close()
        core.contents.close_all()
        with trio.move_on_after(LAST_WRITES_S, shield=True):
            await core.credential_uses.flush()
            await core.activity.flush()
            await core.visits.flush()


def _compose(ground: Ground) -> Core:
    """Build what needs a running loop, and start none of it."""
    settings, db, data, uses = ground.settings, ground.db, ground.data, ground.credential_uses
    contents, forwarder, meters = Contents(data), Forwarder(), Meters()
    activity = Activity(db, ActivityLimits(settings.activity_days, settings.activity_calls))
    told = (contents.changed_by_worker, forwarder.drop, meters.woken, meters.worker_failed)
    limits = Limits.of_settings(settings, observer=meters.limited)
    networks = ClientNetworks(settings.trusted_proxies)
    slow, visits = SlowRequests(settings.slow_request), Visits(data, settings.access_log_days)
    actors, observers = Actors(db, ground.sessions, uses), (slow, visits, meters.request)
    sizes, traffic = BodySizes(settings.max_body_bytes, settings.max_push_bytes), Traffic(limits, networks)
    front = Front(ground.address, db, actors, sizes, traffic, networks, observers)
    return Core(
        settings=settings,
        address=ground.address,
        data=data,
        db=db,
        contents=contents,
        sessions=ground.sessions,
        credential_uses=uses,
        activity=activity,
        witness=Witnesses(activity.note, meters.deed),
        fleet=Fleet(data.run, _fleet_options(settings), *told),
        forwarder=forwarder,
        limits=limits,
        networks=networks,
        troubles=ground.troubles,
        slow_requests=slow,
        visits=visits,
        crashes=Crashes(),
        alert_secrets=ground.alert_secrets,
        meters=meters,
        loop_delay=LoopDelay(meters.loop_delay),
        front=front,
    )


async def _serve(
    core: Core,
    services: trio.Nursery,
    sockets: list[socket.socket],
    announce: Announce,
    wait_for_signal: Callable[[], Awaitable[None]],
) -> None:
    """Start everything, wait for the signal, and stop what faces clients."""
    shutdown = trio.Event()
    config = FrontConfig(sockets, graceful_timeout_s=core.settings.stop_timeout)
    async with trio.open_nursery() as serving:
        await serving.start(partial(serve, core.front, config, shutdown_trigger=shutdown.wait))
        async with trio.open_nursery() as until_signal:
            until_signal.start_soon(_open_doors, core, services, until_signal, sockets, announce)
            await wait_for_signal()
            log.info("stopping")
            sdnotify.mention("STOPPING=1")
            sdnotify.say_stage(Stage.IN_FLIGHT)
            core.front.drain()
            shutdown.set()
            services.start_soon(_end_waits, core)
            # Agents' streams have no end of their own: theirs is now, while the server still lets others finish.
            until_signal.cancel_scope.cancel()


async def _end_waits(core: Core) -> None:
    """When requests in flight have had their time, do not let writes wait for a lock that somebody else keeps."""
    await trio.sleep(core.settings.stop_timeout)
    core.contents.stop_waiting()


async def _open_doors(
    core: Core,
    services: trio.Nursery,
    until_signal: trio.Nursery,
    sockets: Sequence[socket.socket],
    announce: Announce,
) -> None:
    """Start the parts behind the front, open its doors, and say that we are ready."""

    start = partial(_start, core, services)
    await start("watchdog", Watchdog(sockets).run)
    await start("loop delay", core.loop_delay.run)
    await start("credential uses", core.credential_uses.run)
    await start("activity", core.activity.run)
    await start("visits", core.visits.run)
    await start("fleet", core.fleet.run)
    sdnotify.say_stage(Stage.DOORS)
    doors = await trio.to_thread.run_sync(_load_doors, core)
    for name, part in doors.parts.items():
        await start(name, part)
    await _start(core, until_signal, "listening", doors.listening)
    upkeep = Upkeep(core.data)
    core.fleet.answer_with(doors.answer)
    for listener in (*doors.listeners, upkeep.notify, core.meters.change):
        core.contents.subscribe(listener)
    sdnotify.say_stage(Stage.INTERRUPTED)
    for wiki_id in await finish_interrupted(core.db, core.data):
        log.warning("removed the remains of wiki %s, whose making or deleting was interrupted", wiki_id)
    await put_decisions_in_force(core.db, core.data, default_quota(core.settings))
    await trio.to_thread.run_sync(sweep_transfers, core.data)
    sdnotify.say_stage(Stage.PARTS)
    await start("upkeep", upkeep.run)
    await start("purging", Purger(core.db, core.data, core.let_go).run)
    await start("clearance", Clearance(core.db, core.awake_wikis, core.let_go).run)
    await start("oauth tokens", Sweeper(core.db).run)
    await start("departures", Departures(core.db).run)
    await start("audit", AuditKeeper(core.db, core.settings.audit_days).run)
    core.front.open(doors.front)
    await announce(core)
    sdnotify.notify("READY=1\nSTATUS=")


async def _start(core: Core, nursery: trio.Nursery, name: str, part: Part) -> None:
    """Start a part, and go on when it says that it runs; what its end means, the table says."""
    await nursery.start(run_under, CRASH_POLICY[name], name, part, core.crashes)


def _appliers(core: Core) -> Mapping[str, Apply]:
    return appliers(
        limits=core.limits, networks=core.networks, slow=core.slow_requests, visits=core.visits, fleet=core.fleet
    )


def _load_doors(core: Core) -> LoadedDoors:
    """Import and build what answers behind the front: about a second, so in a thread."""
    with loading():
        from robot.doors import load_doors  # noqa: PLC0415  (the import is the work)

        return load_doors(core)


def _fleet_options(settings: Settings) -> FleetOptions:
    return FleetOptions(
        idle_s=settings.worker_idle,
        max_awake=settings.max_awake_wikis,
        wake_timeout_s=settings.wake_timeout,
        max_upload_bytes=settings.max_body_bytes,
        isolation=settings.isolation,
        memory_bytes=settings.worker_mebibytes * 1024 * 1024,
        log_level=settings.log_level.upper(),
    )


@contextmanager
def _signals() -> Iterator[Callable[[], Awaitable[None]]]:
    """Give a function that waits for SIGTERM or SIGINT; a second signal changes nothing."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:

        async def wait() -> None:
            await anext(received)

        yield wait
