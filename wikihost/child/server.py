"""A worker's life after it became its wiki: serve until told to end."""

from __future__ import annotations

import hmac
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from waitress import create_server

from wikihost.child.asking import Asking
from wikihost.child.logs import request_at_hand
from wikihost.worker_protocol import (
    MAX_MESSAGE_BYTES,
    PROBE_HEADER,
    PROBE_PATH,
    Described,
    FindFailed,
    Found,
    Saved,
    WorkerReady,
    WorkerSpec,
    decode,
    encode,
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

# WSGI's spelling of the header (PEP 3333).
_PROBE_VARIABLE = "HTTP_" + PROBE_HEADER.upper().replace("-", "_")

logger = logging.getLogger("robot.worker")


class Events:
    """The worker's end of its event channel; any thread may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.asking = Asking(lambda find: sock.send(encode(find)))

    def ready(self) -> None:
        self._sock.send(encode(WorkerReady()))

    def saved(self, head: str) -> None:
        """Say that the branch moved. Core that has gone is no error: this process ends with it."""
        try:
            self._sock.send(encode(Saved(head, request_at_hand())))
        except OSError:
            logger.debug("core is gone, nobody hears of commit %s", head)

    def heed_core(self, describe: Callable[[Described], None]) -> None:
        """Do what core says, and end this process as soon as core's end of the channel is closed."""

        def watch() -> None:
            while packet := self._sock.recv(MAX_MESSAGE_BYTES):
                match decode(packet):
                    case Described() as described:
                        describe(described)
                        self._sock.send(packet)
                    case (Found() | FindFailed()) as answer:
                        self.asking.hear(answer)

        def watch_or_end() -> None:
            try:
                watch()
            except OSError:
                os._exit(0)  # core is gone
            except Exception:
                logger.exception("the worker cannot do what it was told")
                os._exit(1)  # and the next one will know it from the start
            os._exit(0)

        threading.Thread(target=watch_or_end, name="lifeline", daemon=True).start()


def serve(application: WsgiApplication, listener: socket.socket, spec: WorkerSpec, events: Events) -> None:
    """Serve until SIGTERM; requests that began are finished (waitress waits five seconds for them)."""
    server = create_server(
        application,
        sockets=[listener],
        threads=spec.threads,
        ident=None,
        # Only core reaches this socket, and it sets these headers itself.
        trusted_proxy="*",
        trusted_proxy_count=1,
        trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto"},
        max_request_body_size=spec.max_upload_bytes,
        # Core bounds how long it waits; a second, shorter bound here would only cut slow answers.
        channel_timeout=300,
        connection_limit=1000,
    )
    signal.signal(signal.SIGTERM, _end)
    events.ready()
    server.run()


def with_probe(application: WsgiApplication, secret: str, check: Callable[[], None]) -> WsgiApplication:
    """Answer core's health probe, which is told from a visitor's request by its secret."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ.get(_PROBE_VARIABLE)
        if sent is None or environ.get("PATH_INFO") != PROBE_PATH:
            return application(environ, start_response)
        if not hmac.compare_digest(sent.encode("latin-1"), secret.encode()):
            return application(environ, start_response)
        check()
        start_response("204 No Content", [])
        return []

    return answer


def _end(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
