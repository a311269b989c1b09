"""Writes of the REST door: in whose name, and once only for each `Idempotency-Key`.

A client that got no answer sends the same request with the same key again, and gets the answer of the first one. Both
the write and the keeping of its answer happen in one thread, which goes on when the client is gone.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from quart import Response, request

from robot.access import folder_of
from robot.authorship import author_of
from robot.contents import WikiContents
from robot.model import Agent, Person
from robot.rest import refusals
from robot.rest.answers import Json, answer
from robot.rest.bodies import acting, wiki_request
from robot.rest.conditions import etag
from robot.rest.operations import KEY
from robot.rest.refusals import Refused
from robot.rest.witnessing import remember_outcome
from wikihost.content import Content
from wikihost.errors import ContentError, QuotaExceeded, WikiFrozen
from wikihost.replays import Claim, KeptAnswer
from wikihost.values import Author

_MAX_KEPT_CHARS = 64 * 1024  # a longer answer is kept without its texts


class Reply(NamedTuple):
    """An answer in the making; `revision` is what its ETag stands for."""

    status: int
    body: Json
    revision: str | None = None


Work = Callable[[Content, Author], Reply]


class Changing:
    """Carries out writes."""

    def __init__(self, contents: WikiContents, domain: str) -> None:
        self._contents = contents
        self._domain = domain

    async def run(self, work: Work, said: bytes) -> Response:
        """Do `work` in a thread and answer. Raises `ContentError`, `Refused`.

        `said` stands for the request's body, such as its digest: of two requests with one key, it tells whether they
        are the same.
        """
        actor = acting()
        author = author_of(actor, self._domain, "rest")
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return _response(await self._contents.change(wiki_request().wiki, lambda content: work(content, author)))
        if re.fullmatch(KEY, key) is None:
            sentence = "An Idempotency-Key has 1 to 255 printable ASCII characters."
            raise Refused(422, "invalid_idempotency_key", sentence)
        asked = (request.method.encode(), request.scope["raw_path"], request.query_string, said)
        reply, replayed = await self._contents.change(
            wiki_request().wiki,
            lambda content: _once(content, _claim(actor, key, asked), lambda: work(content, author)),
        )
        return _response(reply, {"Idempotent-Replayed": "true"} if replayed else {})


def _once(content: Content, claim: Claim, work: Callable[[], Reply]) -> tuple[Reply, bool]:
    """The kept answer to this request, or that of doing it now; True with the former."""
    replays = content.replays()
    kept = replays.begin(claim)
    match kept:
        case "other":
            sentence = "This Idempotency-Key was used for another request; take a new one for each request."
            raise Refused(422, "idempotency_key_reused", sentence)
        case "running":
            sentence = "The first request with this Idempotency-Key is still at work; ask again in a moment."
            raise Refused(409, "idempotency_in_progress", sentence, {"Retry-After": "1"})
        case KeptAnswer():
            return Reply(kept.status, json.loads(kept.body), kept.revision), True
        case None:
            pass
    try:
        reply = work()
    except ContentError as error:
        status, body = refusals.of_content(error)
        # Whoever makes room sends the same request again, and is not to be told that there was none.
        if status >= 500 or isinstance(error, (QuotaExceeded, WikiFrozen)):
            replays.forget(claim)
            raise
        reply = Reply(status, body)
    except BaseException:
        replays.forget(claim)
        raise
    replays.keep(claim, KeptAnswer(reply.status, _kept_body(reply.body), reply.revision))
    return reply, False


def _kept_body(body: Json) -> str:
    text = json.dumps(body)
    if len(text) <= _MAX_KEPT_CHARS:
        return text
    short = {name: value for name, value in body.items() if name != "current_text"}
    return json.dumps(short | ({"diff": ""} if "diff" in body else {}))


def _claim(actor: Person | Agent, key: str, asked: tuple[bytes, ...]) -> Claim:
    """The key belongs to one person and what they reach; `asked` is what makes a request the same, its body too."""
    fingerprint = hashlib.sha256()
    for part in asked:
        fingerprint.update(b"%d:" % len(part) + part)
    owner = "\n".join(part for part in (actor.user.id, folder_of(actor), key) if part)
    return Claim(hashlib.sha256(owner.encode()).hexdigest(), fingerprint.hexdigest(), time.time())


def _response(reply: Reply, headers: dict[str, str] | None = None) -> Response:
    remember_outcome(reply.status, reply.body)
    return answer(reply.status, reply.body, {**(etag(reply.revision) if reply.revision else {}), **(headers or {})})
