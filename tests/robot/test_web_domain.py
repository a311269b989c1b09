"""The page on which an owner gives a wiki a domain."""

from __future__ import annotations

import re

from markupsafe import escape

from robot.domains.claims import find_claim
from robot.wikis import find_wiki_by_domain
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
DOMAIN = "/app/wiki/notes/domain"


async def shown(browser: Browser, path: str = DOMAIN) -> str:
    answer = await browser.get(PLATFORM, path)
    assert answer.status_code == 200
    return await text_of(answer)


async def sent(browser: Browser, path: str, **form: str) -> str:
    """The page after a form was sent."""
    answer, _ = await browser.follow(await browser.post(PLATFORM, path, form=form), PLATFORM)
    return await text_of(answer)


async def test_from_asking_to_in_force_and_back(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    assert f'href="{DOMAIN}"' in await shown(ada, "/app/wiki/notes/settings")
    page = await sent(ada, DOMAIN, domain=" Bücher.Example ")
    claim = find_claim(host.db, wiki)
    assert claim is not None
    copied = [re.sub(r"<.*?>", "", text) for text in re.findall(r"<pre.*?</pre>", page)]
    name = "xn--bcher-kva.example"
    assert copied == [f"_robot-challenge.{name}", claim.challenge, name, "notes.wiki.test"]
    assert "bücher.example" in page
    assert page.count("Not checked yet") == 2
    page = await sent(ada, f"{DOMAIN}/check")
    assert f"There is no TXT record at _robot-challenge.{name} yet." in page
    assert f"{name} leads nowhere yet." in page
    assert "Not in force yet." in page
    host.dns.texts[f"_robot-challenge.{name}"] = [claim.challenge]
    host.dns.cnames[name] = "notes.wiki.test"
    page = await sent(ada, f"{DOMAIN}/check")
    assert page.count("<b>Found.</b>") == 2
    assert f'href="https://{name}/auth/start"' in page
    host.dns.texts.clear()
    assert "In force, but not for long." in await sent(ada, f"{DOMAIN}/check")
    page = await sent(ada, f"{DOMAIN}/remove")
    assert "The domain is removed." in page
    assert find_wiki_by_domain(host.db, name) is None
    await sent(ada, f"{DOMAIN}/remove")  # a second click does no harm


async def test_what_is_no_domain_is_shown_as_it_was_typed(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for typed in ("", 'x"><b>', "https://notes.example/", "wiki.test", "other.wiki.test", "127.0.0.1", "a" * 300):
        answer = await ada.post(PLATFORM, DOMAIN, form={"domain": typed})
        assert answer.status_code == 400
        page = await text_of(answer)
        assert 'id="domain-problem"' in page
        assert f'value="{escape(typed)}"' in page
    assert find_claim(host.db, wiki) is None


async def test_a_second_domain_is_refused_while_there_is_one(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    await sent(ada, DOMAIN, domain="notes.example")
    answer = await ada.post(PLATFORM, DOMAIN, form={"domain": "other.example"})
    assert answer.status_code == 400
    assert "Remove that first" in await text_of(answer)


async def test_checking_is_limited(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    await sent(ada, DOMAIN, domain="notes.example")
    statuses = {(await ada.post(PLATFORM, f"{DOMAIN}/check")).status_code for _ in range(40)}
    assert statuses == {303, 429}


async def test_what_dns_says_is_shown_as_text(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    await sent(ada, DOMAIN, domain="notes.example")
    host.dns.texts["_robot-challenge.notes.example"] = ["<script>alert(1)</script>" * 9]
    host.dns.cnames["notes.example"] = "<b>.example"
    page = await sent(ada, f"{DOMAIN}/check")
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;.example" in page
