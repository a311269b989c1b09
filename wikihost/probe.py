"""Core's question to a worker: are you well?"""

from __future__ import annotations

import trio

from wikihost.fleet_states import Worker
from wikihost.worker_protocol import PROBE_HEADER, PROBE_PATH

_STATUS_LINE_BYTES = 256


async def probe(worker: Worker) -> str | None:
    """Ask once; None when all is well, else what is wrong. The caller bounds how long it takes."""
    request = (
        f"GET {PROBE_PATH} HTTP/1.1\r\nHost: worker\r\n{PROBE_HEADER}: {worker.probe_secret}\r\n"
        "Connection: close\r\n\r\n"
    )
    answer = b""
    try:
        stream = await trio.open_unix_socket(worker.socket_path)
        async with stream:
            await stream.send_all(request.encode("ascii"))
            while len(answer) < _STATUS_LINE_BYTES:
                chunk = await stream.receive_some(_STATUS_LINE_BYTES)
                if not chunk:
                    break
                answer += chunk
    except (OSError, trio.BrokenResourceError) as error:
        return f"it refused a health probe ({error})"
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if status.startswith("HTTP/1.1 204"):
        return None
    return f"its repository or database could not be read (health probe: {status or 'no answer'})"
