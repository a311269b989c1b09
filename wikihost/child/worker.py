"""What a freshly forked process does to become a worker."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from wikihost.child import asking, otter
from wikihost.child.logs import log_to_core
from wikihost.child.server import Events, serve, with_probe
from wikihost.isolation.confinement import Confinement
from wikihost.layout import WikiHome
from wikihost.worker_protocol import WorkerFailed, WorkerSpec, encode

logger = logging.getLogger("robot.worker")


def run_worker(
    server: Any | None,
    confinement: Confinement | None,
    spec: WorkerSpec,
    listener: socket.socket,
    events: socket.socket,
) -> NoReturn:
    """Be the wiki of `spec` until the end of this process, and from the start reach nothing else.

    `server` is Otter Wiki as the zygote imported it, or None to import it here; `confinement` is None where workers
    are not isolated.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        settle(WikiHome(Path(spec.root)), confinement)
        if server is None:
            server = otter.load(spec)
        log_to_core(spec.log_level, spec.wiki_id)
        otter.bind(server, spec)
    except Exception as error:
        logger.exception("the wiki could not be opened")
        events.send(encode(WorkerFailed(f"{type(error).__name__}: {error}"[:1000])))
        _leave(1)
    application = with_probe(server.app.wsgi_app, spec.probe_secret, server.storage.check_health)
    channel = Events(events)
    server.storage.on_commit = channel.saved
    asking.install(server.app, channel.asking)
    channel.heed_core(partial(otter.describe, server))
    # Until it is there, git is asked for what the catalog would tell.
    threading.Thread(target=server.storage.catch_up_catalog, name="catalog", daemon=True).start()
    try:
        serve(application, listener, spec, channel)
    except BaseException:
        logger.exception("the worker ended")
        _leave(1)
    _leave(0)


def settle(home: WikiHome, confinement: Confinement | None) -> None:
    """Reach no more than this wiki, and keep temporary files there: of uploads, and of what git does."""
    if confinement is not None:
        confinement.enter(home)
    try:
        home.scratch.mkdir(mode=0o700)
    except FileExistsError:
        _empty(home.scratch)
    tempfile.tempdir = os.environ["TMPDIR"] = str(home.scratch)


def _empty(scratch: Path) -> None:
    """Remove what a worker that was killed left there."""
    for entry in scratch.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def _leave(code: int) -> NoReturn:
    """End without the zygote's exit handlers, which this process inherited by the fork."""
    sys.stderr.flush()
    os._exit(code)
