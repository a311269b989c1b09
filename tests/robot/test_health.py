"""Whether a host says that it is ready, and to whom it says why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from robot.client_address import LOOPBACK
from robot.health import KEPT_S, Health
from robot.machine import Disk, MachineFacts
from robot.metrics.exposition import Exposition
from robot.metrics.meters import Meters
from robot.page_cache import CacheTally
from robot.readiness import LEAST_FREE_BYTES, LONGEST_STILL_S, check_all, failing
from robot.search.values import Backlog
from robot.service_status import sentence_of
from tests.robot.front_host import front_host
from tests.robot.small_host import FakeClock, SmallHost
from wikihost.fleet import WorkerStatus

WELL = MachineFacts(
    version="1",
    up_s=60,
    disk=Disk(free=10**12, total=10**13, database=10**6),
    workers=[WorkerStatus("w_1", "ready", 1, 0, 7, 1, None), WorkerStatus("w_2", "asleep", 0, 0, None, None, None)],
    max_awake=50,
    has_zygote=True,
    backlog=Backlog(),
    pages=CacheTally(),
    loop_delay_s=0.001,
    database_problem="",
    backup_age_s=None,
    troubles=[],
)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"database_problem": "The disk is broken."}, "database"),
        ({"disk": replace(WELL.disk, free=LEAST_FREE_BYTES - 1)}, "disk"),
        ({"backlog": Backlog(wikis=2, oldest_s=4_000, still_s=LONGEST_STILL_S + 1)}, "index"),
        ({"has_zygote": False}, "zygote"),
    ],
)
def test_what_keeps_a_host_from_being_ready(change: dict[str, Any], name: str) -> None:
    ill = replace(WELL, **change)
    assert [check.name for check in failing(ill)] == [name]
    assert len(check_all(ill)) == 4
    assert sentence_of(ill, 3).startswith("Not ready: ")
    assert "\n" not in sentence_of(replace(ill, database_problem="a\nREADY=1"), 3)


def test_a_host_that_has_much_to_index_is_ready() -> None:
    busy = replace(WELL, backlog=Backlog(wikis=1, oldest_s=10_000, still_s=2))
    assert not failing(busy)
    assert sentence_of(busy, 1_234) == "1 of 50 wikis awake, 1,234 requests in the last minute, indexing 1 wiki."
    assert sentence_of(WELL, 1) == "1 of 50 wikis awake, 1 request in the last minute, nothing to index."


async def test_the_reasons_are_for_the_operator_alone(host: SmallHost) -> None:
    async with front_host(host) as front, front.client() as inside:
        assert (await inside.get("/readyz")).json() == {
            "status": "ok",
            "checks": {"database": "ok", "disk": "ok", "index": "ok", "zygote": "ok"},
        }
        passed_on = await inside.get("/readyz", headers={"X-Forwarded-For": "203.0.113.5"})
        assert passed_on.json() == {"status": "ok"}
    host.db.close()
    async with front_host(host) as front:
        async with front.client(peer="203.0.113.5") as outside:
            answer = await outside.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failing": ["database"]})
            assert (await outside.get("/healthz")).json() == {"status": "ok"}
        async with front.client("http://127.0.0.1:8080") as inside:
            answer = await inside.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["checks"]["database"].startswith("the platform database failed")
            text = (await inside.get("/metrics")).text
            assert "robot_database_up 0.0" in text
            assert "robot_people" not in text


async def test_a_disk_that_cannot_be_asked_is_named(host: SmallHost) -> None:
    host.data.root.rename(host.data.root.with_name("elsewhere"))
    async with front_host(host) as front, front.client("http://127.0.0.1:8080") as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["failing"]) == (503, ["disk"])
        assert answer.json()["checks"]["disk"].endswith("cannot be asked: No such file or directory.")
        assert (await client.get("/metrics")).status_code == 503


async def test_a_host_that_stops_is_not_ready(host: SmallHost) -> None:
    async with front_host(host) as front, front.client() as client:
        front.front.drain()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
        assert (await client.get("/metrics")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200


async def test_strangers_who_ask_often_are_told_what_was_found_a_moment_ago(host: SmallHost) -> None:
    steady, sent = FakeClock(), []
    health = Health(host.machine, Exposition(Meters(), host.machine, host.db), LOOPBACK, steady=steady)

    async def ask() -> int:
        async def send(message: Any) -> None:
            sent.append(message)

        await health({"path": "/readyz", "headers": [], "client": ("203.0.113.5", 1)}, None, send)  # type: ignore[arg-type]
        return int(next(one["status"] for one in reversed(sent) if one["type"] == "http.response.start"))

    assert await ask() == 200
    host.db.close()
    assert await ask() == 200
    steady.now += KEPT_S
    assert await ask() == 503
