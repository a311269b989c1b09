"""What a freshly forked process does to become a worker."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import Any, NoReturn

from wikihost.child import asking, otter
from wikihost.child.logs import name_wiki_in_logs
from wikihost.child.server import Events, serve, with_probe
from wikihost.worker_protocol import WorkerFailed, WorkerSpec, encode

logger = logging.getLogger("robot.worker")


def run_worker(server: Any | None, spec: WorkerSpec, listener: socket.socket, events: socket.socket) -> NoReturn:
    """Be the wiki of `spec` until the end of this process.

    `server` is Otter Wiki as the zygote imported it, or None to import it here.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if server is None:
            server = otter.load(spec)
        name_wiki_in_logs(spec.wiki_id, spec.log_level)
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


def _leave(code: int) -> NoReturn:
    """End without the zygote's exit handlers, which this process inherited by the fork."""
    sys.stderr.flush()
    os._exit(code)
