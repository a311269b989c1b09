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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import trio

from proxy.forward import Forwarder
from proxy.listen import FrontConfig, open_listeners, serve
from robot import sdnotify
from robot.activity import Activity, ActivityLimits
from robot.actors import Actors
from robot.address import PublicAddress, public_address
from robot.audit import AuditKeeper
from robot.client_address import ClientNetworks
from robot.contents import Contents
from robot.crash_policy import Part, Policy, run_under
from robot.credential_uses import CredentialUses
from robot.datadir import DataDirLock
from robot.db import Database
from robot.descriptors import allow_many_descriptors
from robot.freezing import apply_freezing
from robot.front import BodySizes, Front
from robot.garbage import loading
from robot.hosting import finish_interrupted
from robot.leaving import Departures
from robot.limits import Limits
from robot.loop_watch import LoopWatch
from robot.oauth.sweeping import Sweeper
from robot.purging import Purger
from robot.quotas import apply_quotas, default_quota
from robot.settings import Settings
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.client_secret import read_client_secret
from robot.signin.keys import load_session_key
from robot.signin.sessions import Sessions
from robot.traffic import Traffic
from robot.troubles import Troubles, counted_troubles
from robot.upkeep import Upkeep
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
    "fleet": Policy.REPLACEABLE,
    "search": Policy.REPLACEABLE,
    "imports": Policy.REPLACEABLE,
    "oauth clients": Policy.REPLACEABLE,
    "mcp": Policy.ESSENTIAL,  # the SDK's manager can be run only once
    "credential uses": Policy.BEST_EFFORT,
    "activity": Policy.BEST_EFFORT,
    "upkeep": Policy.REPLACEABLE,
    "purging": Policy.REPLACEABLE,
    "audit": Policy.REPLACEABLE,
    "oauth tokens": Policy.REPLACEABLE,
    "departures": Policy.REPLACEABLE,
    "handles": Policy.REPLACEABLE,
    "domains": Policy.REPLACEABLE,
}
"""What the failure of each part means. The server itself is essential: it runs in the root nursery."""


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
    fleet: Fleet
    forwarder: Forwarder
    limits: Limits
    networks: ClientNetworks
    troubles: Troubles
    front: Front

    async def let_go(self, wiki_id: str) -> None:
        """As `deletion.LetGo`: stop the wiki's worker and close its content, as before its directory goes."""
        await self.fleet.stop_worker(wiki_id)
        self.contents.close(wiki_id)


Announce = Callable[[Core], Awaitable[None]]


def run(settings: Settings, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is awaited once everything answers.

    Raises `DataDirError`, `OSError` (cannot listen), `DatabaseError`, `SchemaTooNew` before anything is served.
    """
    address = public_address(settings)
    data = DataDir(settings.data.absolute())
    allow_many_descriptors()
    sys.setswitchinterval(SWITCH_S)
    with ExitStack() as stack:
        troubles = stack.enter_context(counted_troubles())
        sockets = [stack.enter_context(sock) for sock in _listeners(settings)]
        stack.enter_context(DataDirLock(data))
        db = Database.open(data.robot_db)
        stack.callback(db.close)
        uses = CredentialUses(db)
        sessions = Sessions(db, load_session_key(data.keys), issuer=address.platform_origin, uses=uses)
        if settings.bluesky:
            ClientKeys(data.keys).load()  # made by now, or said to be damaged, before anybody wants to sign in
        read_client_secret(settings)  # likewise said to be unreadable
        watch = [LoopWatch()] if settings.log_level == "debug" else []
        trio.run(_main, settings, address, data, db, sessions, uses, troubles, sockets, announce, instruments=watch)


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


async def _main(
    settings: Settings,
    address: PublicAddress,
    data: DataDir,
    db: Database,
    sessions: Sessions,
    credential_uses: CredentialUses,
    troubles: Troubles,
    sockets: list[socket.socket],
    announce: Announce,
) -> None:
    contents = Contents(data)
    activity = Activity(db, ActivityLimits(settings.activity_days, settings.activity_calls))
    forwarder = Forwarder()
    fleet = Fleet(data.run, _fleet_options(settings), contents.changed, forwarder.drop)
    sizes = BodySizes(settings.max_body_bytes, settings.max_push_bytes)
    limits, networks = Limits.of_settings(settings), ClientNetworks(settings.trusted_proxies)
    front = Front(address, db, Actors(db, sessions, credential_uses), sizes, Traffic(limits, networks))
    core = Core(
        settings=settings,
        address=address,
        data=data,
        db=db,
        contents=contents,
        sessions=sessions,
        credential_uses=credential_uses,
        activity=activity,
        fleet=fleet,
        forwarder=forwarder,
        limits=limits,
        networks=networks,
        troubles=troubles,
        front=front,
    )
    try:
        with _signals() as stop_signal:
            async with trio.open_nursery() as services:
                await _serve(core, services, sockets, announce, stop_signal)
                services.cancel_scope.cancel()
    finally:
        core.forwarder.close()
        contents.close_all()
        with trio.move_on_after(LAST_WRITES_S, shield=True):
            await credential_uses.flush()
            await activity.flush()


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
            until_signal.start_soon(_open_doors, core, services, until_signal, announce)
            await wait_for_signal()
            log.info("stopping")
            sdnotify.notify("STOPPING=1")
            core.front.drain()
            shutdown.set()
            services.start_soon(_end_waits, core)
            # Agents' streams have no end of their own: theirs is now, while the server still lets others finish.
            until_signal.cancel_scope.cancel()


async def _end_waits(core: Core) -> None:
    """When requests in flight have had their time, do not let writes wait for a lock that somebody else keeps."""
    await trio.sleep(core.settings.stop_timeout)
    core.contents.stop_waiting()


async def _open_doors(core: Core, services: trio.Nursery, until_signal: trio.Nursery, announce: Announce) -> None:
    """Start the parts behind the front, open its doors, and say that we are ready."""

    async def start(name: str, part: Part, nursery: trio.Nursery = services) -> None:
        await nursery.start(run_under, CRASH_POLICY[name], name, part)

    await start("watchdog", sdnotify.keep_watchdog_quiet)
    await start("credential uses", core.credential_uses.run)
    await start("activity", core.activity.run)
    await start("fleet", core.fleet.run)
    doors = await trio.to_thread.run_sync(_load_doors, core)
    for name, part in doors.parts.items():
        await start(name, part)
    await start("mcp", doors.mcp, until_signal)
    upkeep = Upkeep(core.data)
    core.fleet.answer_with(doors.answer)
    for listener in (*doors.listeners, upkeep.notify):
        core.contents.subscribe(listener)
    for wiki_id in await finish_interrupted(core.db, core.data):
        log.warning("removed the remains of wiki %s, whose making or deleting was interrupted", wiki_id)
    await apply_quotas(core.db, core.data, default_quota(core.settings))
    await apply_freezing(core.db, core.data)
    await trio.to_thread.run_sync(sweep_transfers, core.data)
    await start("upkeep", upkeep.run)
    await start("purging", Purger(core.db, core.data, core.let_go).run)
    await start("oauth tokens", Sweeper(core.db).run)
    await start("departures", Departures(core.db).run)
    await start("audit", AuditKeeper(core.db, core.settings.audit_days).run)
    core.front.open(doors.front)
    await announce(core)
    sdnotify.notify("READY=1")


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
        log_level=settings.log_level.upper(),
    )


@contextmanager
def _signals() -> Iterator[Callable[[], Awaitable[None]]]:
    """Give a function that waits for SIGTERM or SIGINT; a second signal changes nothing."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:

        async def wait() -> None:
            await anext(received)

        yield wait
