"""Rates and bursts as numbers, with a clock that tests move; and what requests count as."""

from __future__ import annotations

import gc
import re
import time
import tracemalloc
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.router import Route
from robot import crawlers
from robot.client_address import ClientNetworks
from robot.crawlers import crawler_of, read_list
from robot.garbage import loading
from robot.limits import ALL, RULES, Limited, Limits, TooOften, retry_after, sentence_of
from robot.model import Actor, Agent, Anonymous, Person, Role, Visibility, WikiRequest
from robot.rates import MAX_KEYS, RateLimit
from robot.settings import load
from robot.traffic import Traffic, kind_of, wiki_key
from robot.web import limiting
from tests.robot.agent_doors import ADA, ORIGIN, a_wiki, an_agent
from tests.robot.small_host import FakeClock, SmallHost

HOUR_S = 3600


@pytest.mark.parametrize("kind", list(Limited))
def test_each_kind_lets_its_burst_through_at_once_and_then_its_rate(kind: Limited) -> None:
    clock = FakeClock(1_000.0)
    limits = Limits(clock=clock)
    first = RULES[kind][0]
    keys = [rate.key for rate in RULES[kind] if rate.key != ALL]
    for _ in range(first.burst):
        assert limits.take(kind, *keys) == 0
    wait_s = limits.take(kind, *keys)
    assert wait_s == pytest.approx(HOUR_S / first.per_hour)
    clock.now += wait_s / 2
    assert limits.take(kind, *keys) == pytest.approx(wait_s / 2)
    clock.now += wait_s
    assert limits.take(kind, *keys) == 0
    if keys:
        assert limits.take(kind, "somebody else", *keys[1:]) == 0


@pytest.mark.parametrize("kind", [kind for kind, rules in RULES.items() if len(rules) > 1])
def test_a_crowd_meets_the_rate_that_it_shares(kind: Limited) -> None:
    limits = Limits({kind: 60}, clock=FakeClock(1_000.0))
    shared = [rate.key for rate in RULES[kind][1:] if rate.key != ALL]
    taken = next(number for number in range(10_000) if limits.take(kind, f"person {number}", *shared))
    first, *others = RULES[kind]
    least = min(rate.burst for rate in others)
    assert taken == pytest.approx(max(1, least * 60 / first.per_hour), abs=1)


def test_no_limit_at_all() -> None:
    limits = Limits(dict.fromkeys(Limited, 0), clock=FakeClock(1_000.0))
    assert not any(limits.take(Limited.WRITE, "a", "b") for _ in range(50_000))


def test_settings_scale_rules_as_a_whole() -> None:
    clock = FakeClock(1_000.0)
    chosen = load(default=None, overrides={"writes_per_hour": 72, "git_requests_per_hour": 0}).settings
    limits = Limits.of_settings(chosen, clock=clock)
    assert sum(not limits.take(Limited.WRITE, "a", "w") for _ in range(100)) == 50
    assert not any(limits.take(Limited.GIT, "a", "w") for _ in range(10_000))
    usual = Limits.of_settings(load(default=None).settings, clock=clock)
    for kind, rules in RULES.items():
        keys = [rate.key for rate in rules if rate.key != ALL]
        taken = sum(not usual.take(kind, *keys) for _ in range(rules[0].burst + 10))
        assert taken == rules[0].burst, kind


def test_what_is_refused_takes_nothing() -> None:
    limits = Limits({Limited.WRITE: 72}, clock=FakeClock(1_000.0))
    for _ in range(1_000):
        limits.take(Limited.WRITE, "busy", "wiki")
    assert limits.take(Limited.WRITE, "other", "wiki") == 0, "of the wiki's share, busy used no more than its own"
    with pytest.raises(TooOften) as caught:
        limits.demand(Limited.WRITE, "busy", "wiki")
    assert caught.value.retry_after == "50"


@pytest.mark.parametrize("jump_s", [-10 * 365 * 86_400.0, -1.0, 1.0, 10 * 365 * 86_400.0])
def test_a_clock_that_jumps_locks_nobody_out(jump_s: float) -> None:
    clock = FakeClock(1_000.0)
    rate = RateLimit(60, burst=5, clock=clock)
    for _ in range(5):
        assert rate.take("a") == 0
    clock.now += jump_s
    assert rate.take("a") <= 61
    clock.now += 61
    assert rate.take("a") == 0


@given(
    st.integers(1, 100_000),
    st.integers(1, 10_000),
    st.lists(st.floats(0, 10_000, allow_nan=False), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate(per_hour: int, burst: int, gaps: list[float]) -> None:
    clock = FakeClock(0.0)
    rate = RateLimit(per_hour, burst=burst, clock=clock)
    taken = 0
    for gap in gaps:
        clock.now += gap
        taken += not rate.take("a")
        assert taken <= burst + clock.now * per_hour / HOUR_S + 1e-3
    clock.now += HOUR_S / per_hour * (burst + 1)
    assert rate.take("a") == 0


def test_memory_is_bounded() -> None:
    rate = RateLimit(60)
    tracemalloc.start()
    try:
        for number in range(100_000):
            rate.take(f"2001:db8:{number:x}::/56")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < MAX_KEYS * 300


async def test_what_limits_cost_a_request() -> None:
    limits = Limits()
    traffic = Traffic(limits, ClientNetworks())
    headers = [(b"host", b"notes.robot.test"), (b"x-forwarded-for", b"198.51.100.9"), (b"accept", b"text/html")]
    scope: Any = {"method": "GET", "path": "/-/search", "client": ("127.0.0.1", 9), "headers": headers}
    request = WikiRequest(a_wiki(Visibility.PUBLIC), Anonymous(), ORIGIN, "r1")
    read_list()
    with loading():  # a collection of all that other tests left would count as ours
        began = time.thread_time()
        for _ in range(600):
            assert traffic.wait(scope, Route.OTHER, request) == 0
        spent_s = time.thread_time() - began
    gc.unfreeze()
    assert spent_s / 600 < 100e-6, "20 µs, and as much again and again for a slow machine"


@pytest.mark.parametrize(
    ("method", "path", "route", "expected"),
    [
        ("GET", "/Home", Route.OTHER, None),
        ("POST", "/Home/save", Route.OTHER, Limited.WRITE),
        ("POST", "/Home/rename", Route.OTHER, Limited.WRITE),
        ("POST", "/Home/delete", Route.OTHER, Limited.WRITE),
        ("POST", "/Home/attachments", Route.OTHER, Limited.WRITE),
        ("POST", "/Home/inline_attachment", Route.OTHER, Limited.WRITE),
        ("POST", "/-/revert/0a1b2c3", Route.OTHER, Limited.WRITE),
        ("POST", "/-/create", Route.OTHER, Limited.WRITE),
        ("POST", "/Home/preview", Route.OTHER, None),
        ("POST", "/Home/draft", Route.OTHER, None),
        ("POST", "/Home/draft/discard", Route.OTHER, None),
        ("GET", "/-/search", Route.OTHER, Limited.MEANING),
        ("POST", "/-/search", Route.OTHER, Limited.MEANING),
        ("GET", "/-/search/words", Route.OTHER, Limited.MEANING),
        ("GET", "/-/searching", Route.OTHER, None),
        ("GET", "/api/v1/pages", Route.API, None),
        ("GET", "/api/v1/search", Route.API, Limited.SEARCH),
        ("GET", "/api/v1/find", Route.API, Limited.MEANING),
        ("GET", "/api/v1/semantic-search", Route.API, Limited.MEANING),
        ("GET", "/api/v1/pages/Home/similar", Route.API, Limited.MEANING),
        ("PUT", "/api/v1/pages/Home", Route.API, Limited.WRITE),
        ("PATCH", "/api/v1/pages/Home/preview", Route.API, Limited.WRITE),
        ("DELETE", "/api/v1/pages/Home", Route.API, Limited.WRITE),
        ("GET", "/.git/info/refs", Route.GIT, Limited.GIT),
        ("POST", "/.git/git-receive-pack", Route.GIT, Limited.GIT),
        ("POST", "/mcp", Route.MCP, None),
        ("POST", "/auth/logout", Route.AUTH, None),
    ],
)
def test_what_requests_to_a_wiki_count_as(method: str, path: str, route: Route, expected: Limited | None) -> None:
    assert kind_of(method, path, route) is expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", None),
        ("GET", "/auth/login", None),
        ("POST", "/auth/begin", Limited.SIGN_IN),
        ("POST", "/auth/connect", Limited.SIGN_IN),
        ("POST", "/auth/login", Limited.LINK),
        ("POST", "/auth/sign-up", Limited.SIGN_UP),
        ("GET", "/invite", Limited.LINK),
        ("POST", "/app/wiki/notes/people/invitations", Limited.INVITATION),
        ("POST", "/app/wiki/notes/people/invitations/link", Limited.INVITATION),
        ("POST", "/app/wiki/notes/domain", Limited.DOMAIN_CHECK),
        ("POST", "/app/wiki/notes/domain/check", Limited.DOMAIN_CHECK),
        ("POST", "/app/wiki/notes/domain/remove", Limited.FORM),
        ("GET", "/auth/callback", Limited.SIGN_IN_ANSWER),
        ("GET", "/auth/callback/oidc", Limited.SIGN_IN_ANSWER),
        ("GET", "/auth/link", Limited.LINK),
        ("POST", "/auth/link", Limited.LINK),
        ("POST", "/oauth/consent", Limited.CONSENT),
        ("POST", "/oauth/register", Limited.REGISTRATION),
        ("POST", "/oauth/token", Limited.REFUSED_GRANT),
        ("GET", "/app/search", Limited.EVERYWHERE),
        ("HEAD", "/app/search", Limited.EVERYWHERE),
        ("HEAD", "/auth/callback", Limited.SIGN_IN_ANSWER),
        ("HEAD", "/auth/login", None),
        ("POST", "/app/wiki/notes/import", Limited.IMPORT),
        ("POST", "/app/wiki/notes/import/a1/confirm", Limited.FORM),
        ("POST", "/app/create", Limited.FORM),
        ("POST", "/app/wiki/notes/settings", Limited.FORM),
    ],
)
def test_what_requests_to_the_platform_count_as(method: str, path: str, expected: Limited | None) -> None:
    assert limiting.kind_of(method, path) is expected


async def test_every_rule_of_the_table_fits_a_page_there_is(host: SmallHost) -> None:
    """A page that moves would else leave its limit behind."""
    served = [
        (method, re.sub(r"<[^>]*>", "notes", rule.rule))
        for rule in host.platform.url_map.iter_rules()
        for method in rule.methods or ()
    ]
    for methods, path, kind in limiting.TABLE:
        assert any(method in methods.split("|") and path.fullmatch(at) for method, at in served), kind


def test_strangers_use_up_nothing_that_members_need() -> None:
    wiki = a_wiki(Visibility.PUBLIC)
    members: list[Actor] = [an_agent(), Person(ADA, Role.VIEWER)]
    strangers: list[Actor] = [Anonymous(), Person(ADA, None)]
    assert {wiki_key(actor, wiki) for actor in members} == {wiki.id}
    assert {wiki_key(actor, wiki) for actor in strangers} == {f"{wiki.id} strangers"}
    assert {type(actor) for actor in (*members, *strangers)} == set(get_args(Actor)) == {Agent, Anonymous, Person}


@pytest.mark.parametrize(
    ("wait_s", "header", "words"), [(0.2, "1", "in a second."), (59.1, "60", "in 60 s"), (900, "900", "in 15 m")]
)
def test_how_long_to_wait(wait_s: float, header: str, words: str) -> None:
    assert retry_after(wait_s) == header
    assert f"Try again {words}" in sentence_of(wait_s)


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GPTBOT = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"


@pytest.mark.parametrize(
    ("user_agent", "is_crawler"),
    [
        (BROWSER, False),
        ("", False),
        ("curl/8.5.0", False),
        ("python-httpx/0.28", False),
        ("git/2.39.5", False),
        ("Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 30) AppleWebKit/537.36", False),
        (GPTBOT, True),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("NobodyKnowsMeBot/0.1 (+https://example.org)", True),
        ("a-new-spider", True),
        ("x" * 1_000_000, False),
    ],
)
def test_crawlers_are_known_by_what_they_call_themselves(user_agent: str, is_crawler: bool) -> None:
    assert bool(crawler_of(user_agent)) is is_crawler


def test_of_a_long_name_no_more_is_kept_than_is_read() -> None:
    kept = {crawlers._crawler_of.cache_info().currsize for n in range(3) if crawler_of(f"{'y' * 10_000}{n}") == ""}
    assert len(kept) == 1


def visit(traffic: Traffic, user_agent: str, client: str, *, path: str = "/Home", slug: str = "notes") -> float:
    wiki = replace(a_wiki(Visibility.PUBLIC), id=slug)
    request = WikiRequest(wiki, Anonymous(), ORIGIN, "r1")
    headers = [(b"user-agent", user_agent.encode())]
    scope: dict[str, Any] = {"method": "GET", "path": path, "headers": headers, "client": (client, 1)}
    return traffic.wait(scope, Route.OTHER, request)


def test_a_crawler_waits_wherever_it_comes_from_and_nobody_else_does() -> None:
    traffic = Traffic(Limits(clock=FakeClock(1_000.0)), ClientNetworks())
    burst = RULES[Limited.CRAWL][0].burst
    waits = [visit(traffic, GPTBOT, f"203.0.113.{number % 250}") for number in range(burst + 1)]
    assert not any(waits[:burst])
    assert waits[burst] == pytest.approx(1.0)
    assert not visit(traffic, GPTBOT, "203.0.113.1", path="/robots.txt"), "it may always read what is asked of it"
    assert not visit(traffic, GPTBOT, "203.0.113.1", slug="other"), "each wiki has a share of its own"
    assert not visit(traffic, "Googlebot/2.1", "203.0.113.1")
    assert not visit(traffic, BROWSER, "203.0.113.1")
