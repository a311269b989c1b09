"""A wiki at its own domain: who is led there, who is not, and signing in over three hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from quart import Response

from robot.audit import ROBOT
from robot.domains.checking import Checks
from robot.domains.claims import claim_domain, give_up
from robot.domains.names import Domain
from robot.model import Scope, Visibility, Wiki
from robot.signin.cookies import NONCE_COOKIE, WIKI_COOKIE
from robot.tokens import create_token
from tests.mcp_message import tool_call
from tests.robot.front_host import FrontHost, front_host
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
FIRST = ADDRESS.wiki_origin("notes")
OWN = "https://notes.example"
PAGE = {"Accept": "text/html"}


@pytest.fixture
async def front(host: SmallHost) -> AsyncIterator[FrontHost]:
    async with front_host(host) as made:
        yield made


async def with_domain(host: SmallHost, visibility: Visibility = Visibility.PRIVATE) -> Wiki:
    wiki = await host.make_wiki("notes", visibility=visibility)
    assert await host.give_domain(wiki, "notes.example") == OWN
    return wiki


async def sign_in(browser: Browser, origin: str, path: str = "/") -> tuple[Response, str]:
    """Begin at `origin` and go where that leads, until nothing leads on or it leads to a page."""
    answer = await browser.get(origin, "/auth/start", query_string={"next": path})
    for _ in range(6):
        if answer.status_code != 303 or answer.headers["Location"] == path:
            break
        answer, origin = await browser.follow(answer, origin)
    return answer, origin


async def test_readers_are_led_to_the_same_page_of_the_own_domain(host: SmallHost, front: FrontHost) -> None:
    wiki = await with_domain(host, Visibility.PUBLIC)
    async with front.client(FIRST) as client:
        for method in ("GET", "HEAD"):
            for target in ("/", "/On%20Call/B%C3%BCcher", "/-/changelog/feed.rss", "/robots.txt", "/Home.md?a=%2F&b"):
                answer = await client.request(method, target)
                assert (answer.status_code, answer.headers["location"]) == (308, OWN + target)
                # No browser may keep it: the domain can be given up.
                assert answer.headers["cache-control"] == "no-store"
        await give_up(host.db, wiki, ROBOT)
        assert (await client.get("/")).status_code == 200
    async with front.client(OWN) as client:
        assert (await client.get("/")).status_code == 421


async def test_what_is_bound_to_an_address_works_at_both(host: SmallHost, front: FrontHost) -> None:
    wiki = await with_domain(host)
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE])
    for origin in (FIRST, OWN):
        async with front.client(origin, secret) as client:
            assert (await client.get("/api/v1/pages")).status_code == 200
            listed = await client.post(**tool_call("list_notes"))
            assert listed.status_code == 200
            found = (await client.get("/api/v1/search?q=wiki")).json()["results"]
            assert found
            assert all(hit["url"].startswith(f"{OWN}/") for hit in found)
            assert (await client.get("/.git/info/refs?service=git-upload-pack")).text == "The door to git.\n"
            assert (await client.get("/static/css/a.css")).text == "The door to files.\n"
            resource = (await client.get("/.well-known/oauth-protected-resource")).json()
            assert resource["resource"] == f"{origin}/mcp"
        async with front.client(origin, "robot_wrong") as client:
            challenge = (await client.post(**tool_call("list_notes"))).headers["www-authenticate"]
            assert f'resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp"' in challenge


async def test_whoever_is_at_the_first_address_already_goes_on_there(host: SmallHost, front: FrontHost) -> None:
    """Scripts, files and forms of a page that is open may not leave its origin."""
    await with_domain(host, Visibility.PUBLIC)
    async with front.client(FIRST) as client:
        assert (await client.get("/Home", headers={"Sec-Fetch-Site": "same-origin"})).status_code == 200
        assert (await client.post("/Home/preview")).status_code == 200
        for site in ("none", "same-site", "cross-site"):
            assert (await client.get("/Home", headers={"Sec-Fetch-Site": site})).status_code == 308


async def test_strangers_do_not_learn_that_a_private_wiki_has_a_domain(host: SmallHost, front: FrontHost) -> None:
    await with_domain(host)
    asked = [("GET", "/", PAGE), ("GET", "/Home", {}), ("HEAD", "/", {}), ("GET", "/auth/start?next=/Home", PAGE)]
    asked += [("GET", f"/.well-known/{name}", {}) for name in ("oauth-protected-resource", "openid-configuration")]
    seen = []
    for slug in ("notes", "never"):
        async with front.client(ADDRESS.wiki_origin(slug)) as client:
            answers = [await client.request(method, path, headers=headers) for method, path, headers in asked]
        for answer in answers:
            answer.headers.pop("x-request-id", None)
        told = [f"{answer.status_code} {sorted(answer.headers.items())} {answer.text}" for answer in answers]
        seen.append([_without_nonce(text.replace(slug, "x")) for text in told])
    for ours, theirs in zip(*seen, strict=True):
        assert ours == theirs
    assert "notes.example" not in str(seen)


def _without_nonce(text: str) -> str:
    """The answer without what is random in it."""
    random = ("challenge=", NONCE_COOKIE)
    return " ".join(word for word in text.replace("&", " ").split() if not any(part in word for part in random))


HOSTS = {
    "notes.example": 200,
    "NOTES.Example": 200,
    "notes.example.": 200,
    "notes.example:443": 200,
    "notes.example:8443": 200,
    "wanted.example": 421,
    "www.notes.example": 421,
    "example": 421,
    "notes.example.evil.test": 421,
    "notes.example@evil.test": 400,
    "notes.example, evil.test": 400,
    "127.0.0.2": 421,
    "x.notes.wiki.test": 404,
}


async def test_which_hosts_are_a_wikis_own(host: SmallHost, front: FrontHost) -> None:
    await with_domain(host, Visibility.PUBLIC)
    wanting = await host.make_wiki("wants", visibility=Visibility.PUBLIC)
    await claim_domain(host.db, wanting, Domain("wanted.example"), ROBOT)
    async with front.client(OWN) as client:
        for named, status in HOSTS.items():
            for path in ("/", "/api/v1/pages", "/.well-known/oauth-protected-resource", "/auth/start"):
                answer = await client.get(path, headers={"Host": named})
                expected = 303 if (status, path) == (200, "/auth/start") else status
                assert answer.status_code == expected, (named, path)


async def test_signing_in_at_either_address_ends_at_the_own_domain(host: SmallHost) -> None:
    await with_domain(host)
    for origin in (FIRST, OWN):
        browser = await host.signed_in(host.ada)
        answer, ended = await sign_in(browser, origin, "/On%20Call")
        assert (ended, answer.headers["Location"]) == (OWN, "/On%20Call")
        assert set(browser.jars[OWN]) == {WIKI_COOKIE}
        assert WIKI_COOKIE not in browser.jars.get(FIRST, {})
        assert (await browser.get(OWN, "/auth/start?next=/Home")).headers["Location"] == "/Home"


async def test_who_was_signed_in_before_the_domain_came_is_signed_in_there_too(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    await sign_in(browser, FIRST)
    await host.give_domain(wiki, "notes.example")
    await sign_in(browser, FIRST, "/Home")
    assert WIKI_COOKIE in browser.jars[OWN]


async def test_a_person_without_a_role_learns_nothing_by_signing_in(host: SmallHost) -> None:
    await with_domain(host)
    for origin in (FIRST, OWN):
        browser = await host.signed_in(host.eve)
        answer, ended = await sign_in(browser, origin)
        assert (answer.status_code, ended) == (404, PLATFORM)
        assert "notes.example" not in await text_of(answer)


async def test_a_code_for_the_own_domain_opens_nothing_elsewhere(host: SmallHost) -> None:
    await with_domain(host, Visibility.PUBLIC)
    other = await host.make_wiki("other", visibility=Visibility.PUBLIC)
    foreign = await host.give_domain(other, "other.example")
    browser = await host.signed_in(host.ada)

    async def code() -> str:
        answer, _ = await browser.follow(await browser.get(OWN, "/auth/start"), OWN)
        return answer.headers["Location"].removeprefix(OWN)

    thief = Browser(host)
    await thief.get(OWN, "/auth/start")
    assert (await thief.get(OWN, await code())).status_code == 400
    for elsewhere in (foreign, FIRST):
        await browser.get(elsewhere, "/auth/start")
        assert (await browser.get(elsewhere, await code())).status_code == 400
        assert WIKI_COOKIE not in browser.jars[elsewhere]
    once = await code()
    assert (await browser.get(OWN, once)).status_code == 303
    assert (await browser.get(OWN, once)).status_code == 400


async def test_a_hand_off_to_a_domain_that_is_nobodys_leads_nowhere(host: SmallHost) -> None:
    """Neither one that a wiki wants, nor the platform's own, nor one of somebody else."""
    wiki = await host.make_wiki("notes")
    await claim_domain(host.db, wiki, Domain("wanted.example"), ROBOT)
    browser = await host.signed_in(host.ada)
    for domain in (
        "wanted.example",
        "evil.example",
        "wiki.test",
        "notes.wiki.test",
        "",
        "evil.example/\\@notes.example",
    ):
        query = {"domain": domain, "wiki": "notes", "challenge": "a" * 64}
        answer = await browser.get(PLATFORM, "/auth/handoff", query_string=query)
        assert answer.status_code == 404, domain


@pytest.mark.parametrize("how", ["given up", "gone from DNS", "shown for another wiki"])
async def test_the_domain_goes_while_somebody_is_signed_in_there(host: SmallHost, front: FrontHost, how: str) -> None:
    """Their browser sends the cookie to whoever has the name by then, so it opens nothing any more."""
    wiki = await with_domain(host)
    browser = await host.signed_in(host.ada)
    await sign_in(browser, OWN)
    cookie = {"Cookie": f"{WIKI_COOKIE}={browser.jars[OWN][WIKI_COOKIE]}", **PAGE}
    async with front.client(OWN) as own, front.client(FIRST) as first:
        for there in (own, first):
            assert (await there.get("/api/v1/pages", headers=cookie)).status_code == 200
        match how:
            case "given up":
                await give_up(host.db, wiki, ROBOT)
            case "gone from DNS":
                host.dns.cnames["notes.example"] = "elsewhere.example"
                await Checks(host.db, host.dns, ADDRESS).check(wiki)
            case _:
                await host.give_domain(await host.make_wiki("other"), "notes.example")
        assert (await own.get("/api/v1/pages", headers=cookie)).status_code == (421 if how == "given up" else 401)
        assert (await first.get("/api/v1/pages", headers=cookie)).status_code == 401
    answer, ended = await sign_in(browser, FIRST)
    assert (ended, answer.headers["Location"]) == (FIRST, "/")


async def test_nobody_is_sent_to_a_domain_that_may_be_somebody_elses_by_now(host: SmallHost, front: FrontHost) -> None:
    """Its records are gone: it still answers for a while, but a sign-in might end with a stranger."""
    wiki = await with_domain(host, Visibility.PUBLIC)
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    host.dns.texts.clear()
    await Checks(host.db, host.dns, ADDRESS).check(wiki)
    async with front.client(FIRST) as first, front.client(OWN, secret) as own:
        assert (await first.get("/Home")).status_code == 200
        assert (await own.get("/Home")).status_code == 200
        assert (await own.post(**tool_call("list_notes"))).status_code == 200
    for origin in (OWN, FIRST):
        browser = await host.signed_in(host.ada)
        _, ended = await sign_in(browser, origin)
        assert ended == FIRST
        assert WIKI_COOKIE not in browser.jars.get(OWN, {})
    page = await text_of(await browser.get(PLATFORM, "/app/wiki/notes"))
    assert OWN not in page


async def test_signing_out_at_the_own_domain(host: SmallHost) -> None:
    await with_domain(host)
    browser = await host.signed_in(host.ada)
    await sign_in(browser, OWN)
    assert (await browser.post(OWN, "/auth/logout")).status_code == 200
    assert browser.jars[OWN] == {}
    assert (await browser.get(PLATFORM, "/app/")).status_code == 200


SITES = {
    "platform": PLATFORM,
    "first": FIRST,
    "own": OWN,
    "other": ADDRESS.wiki_origin("other"),
    "other's own": "https://other.example",
}
TARGETS = (
    ("platform", "/auth/logout"),
    ("platform", "/app/wiki/notes/domain/remove"),
    ("own", "/Home/save"),
    ("own", "/auth/logout"),
    ("own", "/api/v1/pages"),
    ("own", "/mcp"),
    ("first", "/Home/save"),
    ("other's own", "/Home/save"),
)


async def test_no_page_of_another_host_changes_anything(host: SmallHost, front: FrontHost) -> None:
    """By what browsers say of the page that asks, and by its origin alone, as old ones do."""
    await with_domain(host, Visibility.PUBLIC)
    other = await host.make_wiki("other", visibility=Visibility.PUBLIC)
    await host.give_domain(other, "other.example")
    for place, path in TARGETS:
        async with front.client(SITES[place]) as client:
            for name, origin in SITES.items():
                site = "same-origin" if name == place else "cross-site"
                for headers in ({"Sec-Fetch-Site": site, "Origin": origin}, {"Origin": origin}):
                    answer = await client.post(path, headers={**headers, "Cookie": "a=b"})
                    refused = answer.status_code == 403 and "another site" in answer.text
                    assert refused is (name != place), (place, path, headers)


async def test_links_for_people_and_set_ups_for_agents_name_the_own_domain(host: SmallHost) -> None:
    await with_domain(host, Visibility.PUBLIC)
    browser = await host.signed_in(host.ada)
    for path in ("/", "/app/", "/app/wiki/notes", "/app/wiki/notes/agents", "/app/wiki/notes/settings"):
        page = await text_of(await browser.get(PLATFORM, path))
        assert OWN in page, path
        assert path == "/" or FIRST not in page, path  # the front page's example is of no wiki
    assert f"git clone {OWN}/.git" in await text_of(await browser.get(PLATFORM, "/app/wiki/notes"))
    assert f"{OWN}/mcp" in await text_of(await browser.get(PLATFORM, "/app/wiki/notes/agents"))
