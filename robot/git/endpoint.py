"""Which git request it is, and whether its sender may: the door at `/.git` of a wiki's host.

Three addresses of the "smart" protocol are served, and nothing else below `/.git`: no file of the repository can be
asked for. Reading needs what reading the wiki needs, pushing what writing needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import trio

from proxy.asgi import Headers, Receive, Scope, Send, values_of
from proxy.guard import BodyRefused
from robot.access import folder_of, may
from robot.activity import OK, Deed, Witness
from robot.answers import answer, answer_json, answer_text
from robot.authorship import author_of
from robot.contents import Contents
from robot.finished import Phase
from robot.git.body import Body, ClientLeft
from robot.git.challenge import refuse_credentials
from robot.git.fetch import advertise_fetch, serve_fetch
from robot.git.packets import Malformed, advertise_push
from robot.git.push import PushLimits, serve_push
from robot.git.view import git_view
from robot.model import Action, Agent, Anonymous, Wiki, WikiRequest
from robot.shares import Shares
from robot.underway import measured
from wikihost.errors import FROZEN, StorageFailed, StorageFull
from wikihost.layout import DataDir
from wikihost.reach import Reach
from wikihost.transfer import Transfer

log = logging.getLogger(__name__)

MAX_FETCHES = 32
FETCHES_OF_A_WIKI = 16
MAX_FETCH_REQUEST_BYTES = 16 * 1024 * 1024
TURN_S = 20.0

_FETCH, _PUSH = "git-upload-pack", "git-receive-pack"
_PROTOCOLS = (b"version=1", b"version=2")
_NOT_FOUND = {"error": "There is nothing at this address.", "code": "not_found"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the smart protocol (gitprotocol-http(5)): the service, and whether it only asks what there is."""

    service: str
    advertise: bool

    @property
    def headers(self) -> Headers:
        kind = "advertisement" if self.advertise else "result"
        return [
            (b"content-type", f"application/x-{self.service}-{kind}".encode()),
            (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
            (b"x-content-type-options", b"nosniff"),
        ]


def parse_call(method: str, raw_path: bytes, query: bytes) -> Call | None:
    """The git request that this is, or None: everything else, the "dumb" protocol too, is nothing. Pure."""
    for service in (_FETCH, _PUSH):
        if method == "GET" and raw_path == b"/.git/info/refs" and query == b"service=" + service.encode():
            return Call(service, advertise=True)
        if method == "POST" and raw_path == b"/.git/" + service.encode() and not query:
            return Call(service, advertise=False)
    return None


class GitDoor:
    """The ASGI application behind `/.git` of every wiki; `judge_again` is the front's."""

    def __init__(
        self,
        *,
        contents: Contents,
        data: DataDir,
        domain: str,
        limits: PushLimits,
        witness: Witness,
        judge_again: Callable[[Scope], WikiRequest | None],
    ) -> None:
        self._judge_again = judge_again
        self._contents = contents
        self._data = data
        self._domain = domain
        self._limits = limits
        self._witness = witness
        self._fetches = trio.CapacityLimiter(MAX_FETCHES)
        self._shares = Shares(FETCHES_OF_A_WIKI)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: WikiRequest = scope["robot.request"]
        call = parse_call(scope["method"], scope["raw_path"], scope["query_string"])
        if call is None or _is_switched_off(request):
            await answer_json(send, 404, _NOT_FOUND)
        elif await _is_let_in(request, call, send) and await _has_right_type(scope, call, send):
            try:
                with measured(Phase.GIT):
                    await self._serve(request, call, scope, receive, send)
            except BodyRefused as error:
                await answer_text(send, error.status, f"{error}.".capitalize())
            except Malformed as error:
                await answer_text(send, 400, f"This is not a git request: {error}.")
            except StorageFull as error:
                await answer_text(send, 507, str(error))
            except StorageFailed as error:
                log.warning("git: %s", error)
                await answer_text(send, 503, str(error), (b"retry-after", b"5"))
            except ClientLeft:
                pass

    async def _serve(self, request: WikiRequest, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        wiki, agent = request.wiki, request.actor if isinstance(request.actor, Agent) else None
        if call.service == _FETCH:
            await self._fetch(wiki, call, scope, receive, send)
            if agent is not None and not call.advertise:
                self._witness.note(Deed(wiki, agent, "git", "fetch"))
            return
        async with git_view(self._data, self._data.wiki(wiki.id)) as transfer:
            if call.advertise or agent is None:  # nobody else is let in
                told = advertise_push(transfer.head, transfer.branch)
            else:
                body = Body(receive, scope["headers"], max_bytes=self._limits.request_bytes)
                told = await self._push(wiki, agent, transfer, body, scope)
        await answer(send, 200, call.headers, told)

    async def _push(self, wiki: Wiki, agent: Agent, transfer: Transfer, body: Body, scope: Scope) -> bytes:
        by = author_of(agent, self._domain, "git")

        def is_let_in_still() -> bool:
            now = self._judge_again(scope)
            return now is not None and may(now.actor, Action.WRITE, now.wiki) and not _is_switched_off(now)

        pushed = await serve_push(transfer, body, self._contents, wiki, self._limits, by, is_let_in_still)
        if pushed.asked:
            outcome = OK if pushed.revision else "push_refused"
            self._witness.note(Deed(wiki, agent, "git", "push", outcome=outcome, revision=pushed.revision))
        return pushed.answer

    async def _fetch(self, wiki: Wiki, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        asked = values_of(scope["headers"], b"git-protocol")
        protocol = asked[0].decode("ascii") if len(asked) == 1 and asked[0] in _PROTOCOLS else None
        async with AsyncExitStack() as turn:
            try:
                with trio.fail_after(TURN_S):
                    await turn.enter_async_context(self._shares.turn(wiki.id))
                    await turn.enter_async_context(self._fetches)
            except trio.TooSlowError:
                await answer_text(send, 503, "Too many clones at once; try again.", (b"retry-after", b"10"))
                return
            async with git_view(self._data, self._data.wiki(wiki.id)) as transfer:
                if call.advertise:
                    await advertise_fetch(transfer, send, call.headers, protocol)
                else:
                    body = Body(receive, scope["headers"], max_bytes=MAX_FETCH_REQUEST_BYTES)
                    await serve_fetch(transfer, body, send, call.headers, protocol)


def _is_switched_off(request: WikiRequest) -> bool:
    """Whether there is no git here for somebody who may know that there is a wiki.

    To others it looks like a wiki that does not exist, which asks for a token as a private one does.
    """
    return not request.wiki.git_enabled and may(request.actor, Action.READ, request.wiki)


async def _is_let_in(request: WikiRequest, call: Call, send: Send) -> bool:
    """Whether the sender may; refused otherwise, a wiki that they may not read as one that is not there."""
    action = Action.READ if call.service == _FETCH else Action.WRITE
    folder = folder_of(request.actor)
    if folder is None and may(request.actor, action, request.wiki):
        return True
    if isinstance(request.actor, Anonymous):
        await refuse_credentials(send, request.origin, token_sent=False)
    elif not may(request.actor, Action.READ, request.wiki):
        await answer_json(send, 404, _NOT_FOUND)
    elif folder is not None:
        sentence = f"{Reach(folder).sentence}, and git gives the whole wiki: use MCP or the API."
        await answer_text(send, 403, sentence)
    elif request.wiki.is_frozen:
        await answer_text(send, 403, FROZEN)
    else:
        await answer_text(send, 403, "You may read this wiki, and not write to it, with this token.")
    return False


async def _has_right_type(scope: Scope, call: Call, send: Send) -> bool:
    """Whether a POST says that it is git's: no form of a web page can."""
    wanted = f"application/x-{call.service}-request".encode()
    if call.advertise or values_of(scope["headers"], b"content-type") == [wanted]:
        return True
    await answer_text(send, 415, f"Send {wanted.decode()}.")
    return False
