"""Letting a program into a wiki with two addresses: both are names of one resource."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from robot.audit import ROBOT
from robot.domains.claims import claim_domain, give_up
from robot.domains.names import Domain
from robot.oauth.connections import list_connections
from tests.mcp_message import tool_call
from tests.robot.front_host import front_host
from tests.robot.oauth_client import a_program
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
FIRST = f"{ADDRESS.wiki_origin('notes')}/mcp"
OWN = "https://notes.example/mcp"


async def test_a_token_asked_for_under_either_name_opens_the_wiki_at_both(host: SmallHost) -> None:
    notes, other = await host.make_wiki("notes"), await host.make_wiki("other")
    await host.give_domain(notes, "notes.example")
    await host.give_domain(other, "other.example")
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    for asked, shown in ((FIRST, OWN), (OWN, FIRST)):
        page = await text_of(await program.ask(browser, resource=asked))
        assert ">notes.example</span>" in page  # whichever the program named: the person knows the wiki by this one
        assert ">notes.wiki.test<" not in page
        code = await program.get_code(browser, resource=asked)
        answer = await program.redeem(code, resource=shown)
        assert answer.status_code == 200, await text_of(answer)
        tokens = await answer.get_json()
        for again in (FIRST, OWN, None):
            answer = await program.refresh(tokens["refresh_token"], resource=again)
            assert answer.status_code == 200
            tokens = await answer.get_json()
        async with front_host(host) as front:
            for address, status in ((FIRST, 200), (OWN, 200), ("https://other.example/mcp", 401)):
                async with front.client(address.removesuffix("/mcp"), tokens["access_token"]) as client:
                    assert (await client.post(**tool_call("list_notes"))).status_code == status
    assert len(list_connections(host.db, notes)) == 1


async def test_names_of_other_wikis_and_of_none_are_refused(host: SmallHost) -> None:
    notes, other = await host.make_wiki("notes"), await host.make_wiki("other")
    await host.give_domain(notes, "notes.example")
    await host.give_domain(other, "other.example")
    await claim_domain(host.db, await host.make_wiki("wants"), Domain("wanted.example"), ROBOT)
    program, browser = await a_program(host, "notes"), await host.signed_in(host.ada)
    for foreign in ("https://wanted.example/mcp", "https://elsewhere.example/mcp", "https://notes.example:8443/mcp"):
        page = await text_of(await program.ask(browser, resource=foreign))
        assert "resource is no wiki of this host" in page
    for foreign in ("https://other.example/mcp", "https://elsewhere.example/mcp"):
        answer = await program.redeem(await program.get_code(browser), resource=foreign)
        assert (await answer.get_json())["error"] == "invalid_target"
    # A domain that the wiki has given up is a name of nothing. Who names none, or the first, goes on.
    tokens = await program.connect(browser)
    await give_up(host.db, notes, ROBOT)
    answer = await program.refresh(tokens["refresh_token"], resource=OWN)
    assert (await answer.get_json())["error"] == "invalid_target"
    assert (await program.refresh(tokens["refresh_token"], resource=FIRST)).status_code == 200


async def test_what_a_program_discovers_at_the_own_domain_is_of_that_domain(host: SmallHost) -> None:
    await host.give_domain(await host.make_wiki("notes"), "notes.example")
    async with front_host(host) as front, front.client("https://notes.example") as own, front.client() as platform:
        resource = (await own.get("/.well-known/oauth-protected-resource/mcp")).json()
        assert (resource["resource"], resource["resource_name"]) == (OWN, "notes.example")
        assert resource["authorization_servers"] == [PLATFORM]
        server = (await own.get("/.well-known/oauth-authorization-server")).json()
        assert server["issuer"] == PLATFORM
        # One from before resource indicators is led on with the domain that it came from.
        asks = await platform.get(f"{server['authorization_endpoint']}?client_id=c")
    assert parse_qs(urlsplit(asks.headers["location"]).query)["resource"] == [OWN]


async def test_who_is_to_sign_in_reads_the_domain_that_the_program_named(host: SmallHost) -> None:
    await host.give_domain(await host.make_wiki("notes"), "notes.example")
    program, browser = await a_program(host, "notes"), Browser(host)
    answer, _ = await browser.follow(await program.ask(browser, resource=OWN), PLATFORM)
    assert "notes.example" in await text_of(answer)
