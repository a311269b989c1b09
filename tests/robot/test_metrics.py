"""The figures of a host: who may read them, what they say, and what they never say."""

from __future__ import annotations

import ipaddress
import itertools
import math
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from robot.finished import Face, Finished, Phase
from robot.limits import Limited, Limits
from robot.machine import last_backup_age_s
from robot.metrics.meters import Meters
from robot.metrics.summary import Figures, quantile, summarize
from robot.model import Scope
from robot.tokens import create_token
from tests.mcp_message import tool_call
from tests.robot.front_host import FrontHost, front_host
from tests.robot.small_host import ADDRESS, SmallHost, small_host

BY_ADDRESS = "http://127.0.0.1:8080"


async def read(front: FrontHost) -> str:
    async with front.client(BY_ADDRESS) as prometheus:
        answer = await prometheus.get("/metrics")
    assert answer.status_code == 200
    return answer.text


async def test_who_may_read_the_figures(host: SmallHost) -> None:
    await host.make_wiki("notes")
    forwarded = [{name: "127.0.0.1"} for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "x-forwarded-proto")]
    inside = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("127.0.0.0/8"))
    async with front_host(host, metrics_from=inside) as front:

        async def ask(peer: str, origin: str, headers: dict[str, str] | None = None) -> httpx2.Response:
            async with front.client(origin, peer=peer) as client:
                return await client.get("/metrics", headers=headers)

        for peer, origin in (
            ("127.0.0.1", BY_ADDRESS),
            ("10.1.2.3", "http://10.1.0.1"),
            ("::ffff:10.1.2.3", "http://localhost"),
        ):
            answer = await ask(peer, origin)
            assert answer.status_code == 200, peer
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            for header in forwarded:
                assert (await ask(peer, origin, header)).status_code == 404
        for peer in ("203.0.113.5", "10.2.0.1", "::1", "", "fe80::1"):
            assert (await ask(peer, BY_ADDRESS)).status_code == 404, peer
        # A proxy that says nothing of its client passes on the name of a host.
        assert (await ask("127.0.0.1", ADDRESS.platform_origin)).status_code == 404
        # What is there at a wiki's own host is a page of it.
        assert (await ask("127.0.0.1", "https://notes.wiki.test")).text == "The door to pages.\n"


async def test_the_figures_tell_what_was_done_at_each_door(tmp_path: Path) -> None:
    meters = Meters()
    async with small_host(tmp_path, limits=Limits({Limited.WRITE: 1}, observer=meters.limited)) as host:
        wiki = await host.make_wiki("notes")
        host.contents.subscribe(meters.change)
        secret, _ = await create_token(host.db, host.ada, wiki, "laptop", [Scope.READ, Scope.WRITE])
        async with front_host(host, meters=meters) as front:
            async with front.client("https://notes.wiki.test", secret) as agent:
                assert (await agent.put("/api/v1/pages/New", json={"content": "x"})).status_code == 201
                assert (await agent.put("/api/v1/pages/New", json={"content": "y"})).status_code == 429
                assert (await agent.post(**tool_call("read_note", path="New"))).status_code == 200
            async with front.client("https://notes.wiki.test", "robot_wrong") as stranger:
                assert (await stranger.get("/api/v1/pages")).status_code == 401
            figures = Figures(await read(front))
    assert figures.one("robot_requests_total", face="rest", status="2xx") == 1
    assert figures.one("robot_requests_total", face="rest", status="4xx") == 2
    assert figures.one("robot_request_seconds_count", face="rest") == 3
    assert figures.one("robot_agent_calls_total", door="rest", operation="write_page", outcome="ok") == 1
    assert figures.one("robot_agent_calls_total", door="mcp", operation="read_note", outcome="ok") == 1
    assert figures.one("robot_too_often_total", kind="write") == 1
    assert figures.one("robot_auth_failures_total", kind="credential") == 1
    assert figures.one("robot_changes_total") == 1
    assert (figures.one("robot_wikis", state="ready"), figures.one("robot_people")) == (1, 2)
    assert figures.one("robot_backup_age_seconds") is None


async def test_the_figures_name_no_wiki_and_nobody(host: SmallHost) -> None:
    wiki = await host.make_wiki("secretproject")
    secret, token = await create_token(host.db, host.ada, wiki, "laptop", [Scope.READ])
    async with front_host(host) as front:
        async with front.client("https://secretproject.wiki.test", secret) as agent:
            assert (await agent.get("/api/v1/pages/Home?word=hidden")).status_code == 200
            assert (await agent.get("/api/v1/pages/Launch")).status_code == 404
        text = await read(front)
    for word in ("secretproject", wiki.id, "ada", token.id, "laptop", "Home", "Launch", "hidden"):
        assert word not in text, word


@given(st.lists(st.tuples(st.sampled_from(Face), st.integers(0, 999), st.sampled_from(Phase))))
def test_whatever_is_asked_for_there_are_so_many_series(requests: list[tuple[Face, int, Phase]]) -> None:
    meters = Meters()
    for face, status, phase in requests:
        meters.request(Finished("r", face, "GET", "/", status, True, 0.1, {phase: 0.1}, 5, None, None, ""))
    series = {
        (sample.name, *sample.labels.values())
        for metric in meters.registry.collect()
        for sample in metric.samples
        if sample.name == "robot_requests_total"
    }
    assert {labels[1:] for labels in series} <= set(
        itertools.product(Face, ("none", *(f"{hundreds}xx" for hundreds in range(1, 10))))
    )
    assert meters.requests_so_far == len(requests)


async def test_the_age_of_a_backup_counts_from_what_is_surely_in_it(host: SmallHost) -> None:
    def put(name: str, mark_at: int, finished_at: int | None, problem: str) -> None:
        columns = "id, destination, started_at, mark_at, finished_at, problem"
        sql = f"INSERT INTO backups ({columns}) VALUES (?, '/b', ?, ?, ?, ?)"
        row = (name, mark_at, mark_at, finished_at, problem)
        host.db.transact(lambda connection: connection.execute(sql, row))

    assert last_backup_age_s(host.db, 1_000) is None
    put("good", 600, 700, "")
    put("broken", 800, 810, "The disk is full.")
    put("running", 900, None, "")
    assert last_backup_age_s(host.db, 1_000) == 400
    assert last_backup_age_s(host.db, 500) == 0
    put("later, by a clock that was put back", 300, 310, "")
    assert last_backup_age_s(host.db, 1_000) == 700


@given(st.lists(st.floats(0.0001, 60), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_value_that_it_stands_for(values: list[float], share: float) -> None:
    bounds = [0.01, 0.1, 1.0, 10.0, math.inf]
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in bounds}
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    bucket = next(bound for bound in bounds if exact <= bound)
    below = max((bound for bound in bounds if bound < bucket), default=0.0)
    assert below <= quantile(share, buckets) <= bucket
    assert quantile(share, {}) == 0


def test_what_is_not_ours_is_not_summarized() -> None:
    for text in ("", "up 1\n", "<html>"):
        with pytest.raises(ValueError, match=r"."):
            summarize(text)


async def test_prometheus_can_read_it(host: SmallHost) -> None:
    async with front_host(host) as front:
        families = list(text_string_to_metric_families(await read(front)))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert family.documentation
        assert not [sample for sample in family.samples if sample.name.endswith("_created")]
