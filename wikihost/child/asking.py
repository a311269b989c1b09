"""A worker's questions to core, on the channel on which it also tells of its saves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from wikihost.questions import Findings, NoAnswer, Question
from wikihost.worker_protocol import Find, FindFailed, Found

# People wait for it, with a thread of the worker; core says sooner that it has no answer (`answering.TOLD_LATE_S`).
ANSWERED_WITHIN_S: Final = 2.0
_ASKING: Final = "robot_asking"
_SILENT: Final = "Search by meaning did not answer."


class Asking:
    """Sends questions, and waits for their answers. Thread-safe."""

    def __init__(self, send: Callable[[Find], object]) -> None:
        self._send = send
        self._waiting: dict[int, Future[Findings]] = {}
        self._numbers = itertools.count(1)

    def ask(self, question: Question) -> Findings:
        """The answer, within two seconds. Raises `NoAnswer`."""
        request, answer = next(self._numbers), Future[Findings]()
        self._waiting[request] = answer
        try:
            self._send(Find(request, question))
            return answer.result(ANSWERED_WITHIN_S)
        except OSError as error:  # a TimeoutError is one, and so is what a closed channel raises
            raise NoAnswer(_SILENT) from error
        finally:
            self._waiting.pop(request, None)

    def hear(self, answer: Found | FindFailed) -> None:
        """Hand an answer to whoever waits for it; one that comes too late is nobody's."""
        waiting = self._waiting.pop(answer.request, None)
        if waiting is None:
            return
        match answer:
            case Found(_, findings):
                waiting.set_result(findings)
            case FindFailed(_, reason):
                waiting.set_exception(NoAnswer(reason))


def install(app: Any, asking: Asking) -> None:
    """Let the application ask. One that is no worker's has nobody to ask."""
    app.extensions[_ASKING] = asking


def asking_of(app: Any) -> Asking | None:
    found: Asking | None = app.extensions.get(_ASKING)
    return found
