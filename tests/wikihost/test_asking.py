"""A worker's questions: answered, refused, too late, from a worker that is not to be trusted, and about a dead one."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from urllib.parse import quote

import httpcore2
import pytest
import trio
import trio.lowlevel

from tests.wikihost.fleets import PATIENCE_S, FleetInThread, ask, eventually, hosted, is_running, running_fleet
from wikihost import answering
from wikihost.answering import Answering
from wikihost.attendance import Attendance
from wikihost.child import asking
from wikihost.child.asking import Asking
from wikihost.event_channel import EventChannel
from wikihost.fleet_states import Ending, Failed, FleetOptions, Worker
from wikihost.questions import Answer, Findings, NoAnswer, Question, Search, Section
from wikihost.worker_protocol import (
    MADE_AT_HEADER,
    MAX_MESSAGE_BYTES,
    Find,
    FindFailed,
    Found,
    WorkerReady,
    channel,
    decode,
    encode,
)
from wikihost.zygote import Child

QUESTION = Search("crane", 20)
NOTHING = Findings((), 0)
HOSTILE = "'\"><script>alert(1)</script>"


class Wire:
    """A worker's side of the channel as it uses it, with a thread that hears what core says."""

    def __init__(self, theirs: socket.socket) -> None:
        self._sock = theirs
        self.asking = Asking(lambda find: theirs.send(encode(find)))
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def _hear(self) -> None:
        while packet := self._sock.recv(MAX_MESSAGE_BYTES):
            message = decode(packet)
            assert isinstance(message, Found | FindFailed)
            self.asking.hear(message)

    async def ask(self) -> Findings | str:
        def wait() -> Findings | str:
            try:
                return self.asking.ask(QUESTION)
            except NoAnswer as why:
                return str(why)

        return await trio.to_thread.run_sync(wait)

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._sock.close()


@asynccontextmanager
async def wired(answer: Answer, at_once: int = 4) -> AsyncIterator[Wire]:
    ours, theirs = channel()
    events = EventChannel(ours)
    answers, wire = Answering("w1", events, answer, at_once), Wire(theirs)

    async def listen() -> None:
        while packet := await events.receive():
            message = decode(packet)
            assert isinstance(message, Find)
            answers.begin(nursery, message)

    with events:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            yield wire
            await trio.to_thread.run_sync(wire.close)
            nursery.cancel_scope.cancel()


async def test_answers_reach_whoever_asked_whatever_their_order() -> None:
    gates = [trio.Event() for _ in range(3)]
    asked: list[Question] = []

    async def answer(wiki_id: str, question: Question) -> Findings:
        number = len(asked)
        asked.append(question)
        await gates[number].wait()
        return Findings((), number, wiki_id)

    got: list[int] = []
    async with wired(answer) as wire, trio.open_nursery() as nursery:

        async def one() -> None:
            found = await wire.ask()
            assert isinstance(found, Findings)
            assert found.note == "w1"
            got.append(found.total)

        for number in range(3):
            nursery.start_soon(one)
            await eventually(lambda number=number: len(asked) > number)  # type: ignore[misc]
        for number in (2, 0, 1):
            gates[number].set()
            await eventually(lambda number=number: number in got)  # type: ignore[misc]
    assert got == [2, 0, 1]
    assert asked == [QUESTION] * 3


async def test_a_refusal_and_a_fault_are_told(caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = [NoAnswer("Not today."), RuntimeError("a bug")]

    async def answer(_wiki_id: str, _question: Question) -> Findings:
        raise failures.pop(0)

    async with wired(answer) as wire:
        assert await wire.ask() == "Not today."
        assert await wire.ask() == "Search by meaning failed."
    assert "a bug" in caplog.text


async def test_nobody_waits_longer_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "TOLD_LATE_S", 0.05)

    async def never(_wiki_id: str, _question: Question) -> Findings:
        return await trio.sleep_forever()

    async with wired(never) as wire:
        assert await wire.ask() == "Search by meaning took too long."
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 0.05)
    async with wired(never, at_once=0) as wire:
        assert await wire.ask() == "Search by meaning did not answer."


async def test_what_is_late_is_finished_for_whoever_asks_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the model must be read first: cancelled at each question, it would never be there."""
    monkeypatch.setattr(answering, "TOLD_LATE_S", 0.05)
    read_on, model_is_read = trio.Event(), trio.Event()

    async def answer(_wiki_id: str, _question: Question) -> Findings:
        await read_on.wait()
        model_is_read.set()
        return NOTHING

    async with wired(answer) as wire:
        assert await wire.ask() == "Search by meaning took too long."
        read_on.set()
        with trio.fail_after(PATIENCE_S):
            await model_is_read.wait()
        assert await wire.ask() == NOTHING


async def test_a_question_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "TOLD_LATE_S", 0.01)
    monkeypatch.setattr(answering, "FINISHED_S", 0.05)
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 0.1)
    begun = 0

    async def never(_wiki_id: str, _question: Question) -> Findings:
        nonlocal begun
        begun += 1
        return await trio.sleep_forever()

    async with wired(never, at_once=1) as wire:
        for number in (1, 2):
            with trio.fail_after(PATIENCE_S):
                while begun < number:  # the place of the one before may not be free yet
                    assert await wire.ask() in ("Search by meaning took too long.", "Search by meaning did not answer.")


async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    waiting = Asking(lambda _: None)
    waiting.hear(Found(99, NOTHING))
    waiting.hear(FindFailed(99, "No."))


async def test_a_channel_that_is_closed_is_no_error_of_the_page() -> None:
    ours, theirs = channel()
    ours.close()
    with theirs, pytest.raises(NoAnswer):
        Asking(lambda find: theirs.send(encode(find))).ask(QUESTION)


async def test_a_worker_that_asks_without_end_costs_a_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads no answers either."""
    monkeypatch.setattr(answering, "_SEND_S", 0.05)
    most = running = 0
    go = trio.Event()

    async def answer(_wiki_id: str, _question: Question) -> Findings:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return Findings([Section("P", "x" * 9_000, "", [], [], "")] * 6, 1)

    ours, theirs = channel()
    events = EventChannel(ours)
    with theirs, events:
        answers = Answering("w1", events, answer, 2)
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for number in range(500):
                    if number == 100:
                        go.set()
                    answers.begin(nursery, Find(number, QUESTION))
                    await trio.lowlevel.checkpoint()
    assert most == 2


class Immortal:
    """A process of which nothing is asked but that it goes on."""

    exit_code: int | None = None

    async def wait(self) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("nonsense", [b"[" * 60_000, b'["Find", {"request": 1, "question": {}}]', b"x" * 70_000])
async def test_nonsense_ends_a_worker_and_its_questions(nonsense: bytes) -> None:
    asked, ended = trio.Event(), trio.Event()

    async def answer(_wiki_id: str, _question: Question) -> Findings:
        asked.set()
        try:
            return await trio.sleep_forever()
        finally:
            ended.set()

    ours, theirs = channel()
    with theirs, EventChannel(ours) as events:
        attendance = Attendance(
            Worker("w1", 1, "nowhere", 1, "secret"),
            cast(Child, Immortal()),
            events,
            FleetOptions(),
            on_ready=lambda: None,
            on_saved=lambda _: None,
            on_described=lambda _: None,
            answer=answer,
        )
        endings: list[Ending] = []

        async def watch() -> None:
            endings.append(await attendance.watch(trio.sleep_forever))

        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                theirs.send(encode(WorkerReady()))
                theirs.send(encode(Find(1, QUESTION)))
                await asked.wait()
                theirs.send(nonsense)
        assert ended.is_set()
        assert isinstance(endings[0], Failed)
        assert "not a message" in endings[0].reason


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, Question]]:
    return []


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, Question]]) -> Iterator[FleetInThread]:
    async def answer(wiki_id: str, question: Question) -> Findings:
        asked.append((wiki_id, question))
        if question == Search(HOSTILE, 20):
            return Findings([Section(HOSTILE, HOSTILE, HOSTILE, [(0, 9)], [HOSTILE], HOSTILE)], 1, HOSTILE)
        return Findings([Section("Home", "Home", f"of {wiki_id}", [(0, 2)], ["Tools"], "tools")], 1, "A note.")

    with FleetInThread(tmp_path_factory.mktemp("fleet") / "run", answer) as running:
        yield running


async def test_each_worker_asks_about_its_own_wiki(
    fleet: FleetInThread, asked: list[tuple[str, Question]], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        worker = await fleet.wake(hosted(tmp_path, name))
        answer = await ask(worker, "/-/search?query=crane&tag=sea&sections=3")
        assert MADE_AT_HEADER not in answer.headers
        assert answer.headers["cache-control"] == "private, no-cache"
        page = answer.text
        assert f"<mark>of</mark> {name}" in page
        assert "A note." in page
        assert 'href="/Home#tools"' in page
        wiki_id, question = asked[-1]
        assert (wiki_id, question) == (name, Search("crane", 20, sections_per_page=3, tag="sea"))


async def test_nothing_that_was_found_is_markup(fleet: FleetInThread, tmp_path: Path) -> None:
    worker = await fleet.wake(hosted(tmp_path))
    page = (await ask(worker, f"/-/search?query={quote(HOSTILE)}")).text
    assert page.count("&lt;script&gt;alert(1)") >= 5
    assert "<script>alert(1)" not in page
    assert '"><script' not in page


async def test_a_worker_that_is_killed_while_it_waits_leaves_nothing_behind(tmp_path: Path) -> None:
    waiting, ended = trio.Event(), trio.Event()

    async def answer(_wiki_id: str, _question: Question) -> Findings:
        waiting.set()
        try:
            return await trio.sleep_forever()
        finally:
            ended.set()

    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet:
        fleet.answer_with(answer)
        async with fleet.lease(wiki) as worker, trio.open_nursery() as nursery:

            async def search() -> None:
                with pytest.raises((httpcore2.RemoteProtocolError, httpcore2.ReadError)):
                    await ask(worker, "/-/search?query=crane")

            nursery.start_soon(search)
            await waiting.wait()
            os.kill(worker.pid, signal.SIGKILL)
            with trio.fail_after(PATIENCE_S):
                await ended.wait()
            await eventually(lambda: not is_running(worker.pid))
        async with fleet.lease(wiki) as again:
            assert (await ask(again, "/Home")).status == 200


async def test_without_an_answer_words_are_searched_and_the_page_says_why(tmp_path: Path) -> None:
    async def answer(_wiki_id: str, _question: Question) -> Findings:
        raise NoAnswer("The model is <away>.")

    wiki = hosted(tmp_path, pages={"Home": "# Home\n\nThe crane lifts.\n"})
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        page = (await ask(worker, "/-/search?query=crane")).text
        assert "Search by meaning is not here yet. Only words were searched" in page
        assert "<mark>crane</mark>" in page
        fleet.answer_with(answer)
        page = (await ask(worker, "/-/search?query=crane")).text
        assert "The model is &lt;away&gt;. Only words were searched" in page
        assert "<mark>crane</mark>" in page
