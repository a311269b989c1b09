"""Clone and fetch: `git upload-pack` on a view of the wiki, streamed both ways with flat memory."""

from __future__ import annotations

import logging
import subprocess
from dataclasses import dataclass, field

import trio

from proxy.asgi import Headers, Send
from proxy.guard import BodyRefused
from robot.answers import answer_text
from robot.git.body import Body, ClientLeft
from robot.git.process import git_process, said
from wikihost.transfer import Transfer

log = logging.getLogger(__name__)

IDLE_S = 120.0
"""How long git may say nothing; it says that it is alive every five seconds while it counts."""

# git writes 8 KiB at a time, and a piece costs the loop the same whatever its size: it is let gather some.
_PIECE_BYTES = 256 * 1024
_GATHERING_S = 0.005


async def advertise_fetch(transfer: Transfer, send: Send, headers: Headers, protocol: str | None) -> None:
    """Answer what there is to fetch."""
    exchange = _Exchange(send, headers, b"" if protocol == "version=2" else b"001e# service=git-upload-pack\n0000")
    await exchange.run(["--http-backend-info-refs"], transfer, protocol, None)


async def serve_fetch(transfer: Transfer, body: Body, send: Send, headers: Headers, protocol: str | None) -> None:
    """Answer one request of a fetch. Raises `BodyRefused` when nothing was answered yet."""
    await _Exchange(send, headers, b"").run([], transfer, protocol, body)


@dataclass(slots=True)
class _Exchange:
    """One git process and the response that it makes."""

    send: Send
    headers: Headers
    prefix: bytes
    started: bool = False
    refused: BodyRefused | None = None
    words: str = field(default="")

    async def run(self, options: list[str], transfer: Transfer, protocol: str | None, body: Body | None) -> None:
        arguments = ["upload-pack", "--strict", "--stateless-rpc", *options, str(transfer.git_dir)]
        async with (
            git_process(
                arguments,
                stdin=subprocess.DEVNULL if body is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                environment={} if protocol is None else {"GIT_PROTOCOL": protocol},
            ) as process,
            trio.open_nursery() as nursery,
        ):
            if body is not None:
                nursery.start_soon(self._feed, process, body, nursery.cancel_scope)
            nursery.start_soon(self._listen, process)
            await self._relay(process)
            nursery.cancel_scope.cancel()
        if self.refused is not None and not self.started:
            raise self.refused

    async def _feed(self, process: trio.Process, body: Body, scope: trio.CancelScope) -> None:
        """Carry the request to git, then wait for the client to leave."""
        assert process.stdin is not None  # noqa: S101  (made as a pipe)
        try:
            try:
                while piece := await body.read():
                    await process.stdin.send_all(piece)
            except trio.BrokenResourceError:
                return  # git has heard enough; what it answers says why
            await process.stdin.aclose()
            await body.wait_for_leaving()
        except ClientLeft:
            pass
        except BodyRefused as error:
            self.refused = error
        scope.cancel()

    async def _listen(self, process: trio.Process) -> None:
        self.words = await said(process)

    async def _relay(self, process: trio.Process) -> None:
        assert process.stdout is not None  # noqa: S101  (made as a pipe)
        while True:
            piece: bytes | bytearray = b""
            with trio.move_on_after(IDLE_S) as patience:
                piece = await process.stdout.receive_some(_PIECE_BYTES)
            if patience.cancelled_caught:
                log.warning("git upload-pack said nothing for %g seconds", IDLE_S)
                return  # the response stays incomplete, and the client is not misled
            if not piece:
                break
            await self._start()
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
            if len(piece) < _PIECE_BYTES // 2:
                await trio.sleep(_GATHERING_S)
        # git closed its output: its end is near, and whatever the client still sends is not for it.
        await process.wait()
        await self._finish(process)

    async def _start(self) -> None:
        if self.started:
            return
        self.started = True
        await self.send({"type": "http.response.start", "status": 200, "headers": self.headers})
        if self.prefix:
            await self.send({"type": "http.response.body", "body": self.prefix, "more_body": True})

    async def _finish(self, process: trio.Process) -> None:
        if process.returncode != 0:
            log.info("git upload-pack ended with %s: %s", process.returncode, self.words)
            if not self.started:
                self.started = True
                await answer_text(self.send, 400, "git could not read this request.")
                return
        await self._start()
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})
