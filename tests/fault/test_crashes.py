"""Processes die at bad moments: nothing acknowledged is lost, others go on, and what died comes back."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.harness import Robot
from tests.processes import (
    OF_THE_WORKER,
    command_of,
    descendants_of,
    kill,
    lives,
    wait_until,
    workers_of,
    zygote_of,
    zygotes_of,
)

pytestmark = pytest.mark.fault

BACK_S = 2.0


def statuses_while(robot: Robot, break_it: threading.Event, broken: threading.Event, until: int) -> list[int]:
    """Load a page again and again; let something break after the fifth; end after `until` loads."""
    seen: list[int] = []
    with robot.client() as browser:
        for number in range(until):
            if number == 5:
                break_it.set()
                assert broken.wait(10)
            seen.append(browser.get(OF_THE_WORKER).status_code)
    return seen


def test_a_killed_worker_costs_at_most_one_answer(own_robot: Robot) -> None:
    with own_robot.client() as browser:
        assert browser.get(OF_THE_WORKER).status_code == 200
    (worker,) = workers_of(own_robot.pid)
    break_it, broken = threading.Event(), threading.Event()

    def breaker() -> None:
        assert break_it.wait(10)
        kill(worker)
        broken.set()

    thread = threading.Thread(target=breaker)
    thread.start()
    seen = statuses_while(own_robot, break_it, broken, 12)
    thread.join()
    assert [status for status in seen if status != 200] in ([], [502])
    assert workers_of(own_robot.pid) != [worker]


@pytest.mark.alone
def test_a_killed_worker_is_back_in_two_seconds(own_robot: Robot) -> None:
    with own_robot.client() as browser:
        assert browser.get(OF_THE_WORKER).status_code == 200
        for _ in range(3):
            kill(workers_of(own_robot.pid)[0])
            assert (
                wait_until(lambda: browser.get(OF_THE_WORKER).status_code == 200, BACK_S, "the wiki answers again")
                < BACK_S
            )


def test_a_killed_zygote_comes_back(own_robot: Robot) -> None:
    with own_robot.client() as browser:
        assert browser.get(OF_THE_WORKER).status_code == 200
        before = zygote_of(own_robot.pid)
        kill(before)
        # The worker may live on for a moment, and answer.
        wait_until(lambda: zygotes_of(own_robot.pid) not in ([], [before]), 10, "another zygote")
        wait_until(lambda: browser.get(OF_THE_WORKER).status_code == 200, 10, "pages again")
    with own_robot.agent() as agent:
        assert agent.get("/api/v1/pages/Home").status_code == 200


def test_agents_do_not_notice_that_workers_die(own_robot: Robot) -> None:
    with own_robot.agent() as agent:
        kill(zygote_of(own_robot.pid))
        assert agent.get("/api/v1/pages/Home").status_code == 200
        assert agent.put("/api/v1/pages/Fine", json={"content": "Fine."}).status_code == 201


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphans(own_robot: Robot, how: signal.Signals) -> None:
    with own_robot.client() as browser:
        assert browser.get(OF_THE_WORKER).status_code == 200
    family = descendants_of(own_robot.pid)
    assert len(family) >= 2, [command_of(pid) for pid in family]
    own_robot.stop(how)
    wait_until(lambda: not any(map(lives, family)), 5, "all children are gone")
