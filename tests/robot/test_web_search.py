"""The dashboard's search over all wikis of a person: what it finds, where it looks, and when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote_plus

import pytest
import trio

from robot.access import grant_role
from robot.freezing import freeze
from robot.model import Role, Visibility, Wiki
from robot.search.values import EverywhereAnswer
from robot.web.search_pages import MAX_AT_ONCE
from tests.robot.search_wiki import running, settled
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of, withdraw_role
from wikihost.values import Author

PLATFORM = ADDRESS.platform_origin
ADA = Author("Ada Lovelace", "ada@users.wiki.test")
PUMP = "# Pump\n\nA machine.\n\n## Seal\n\nThe zygomorphic seal keeps the **oil** inside, see [[Oils|Guides/Oil]].\n"


async def write(host: SmallHost, wiki: Wiki, path: str, text: str) -> None:
    await host.contents.change(wiki, lambda content: content.write_page(path, text, base=None, author=ADA))


async def search(browser: Browser, text: str, more: str = "", **headers: str) -> str:
    answer = await browser.get(PLATFORM, f"/app/search?q={quote_plus(text)}{more}", headers=headers)
    assert answer.status_code == 200
    return await text_of(answer)


async def test_it_finds_sections_of_all_wikis_in_which_the_person_has_a_role(host: SmallHost) -> None:
    for slug, owner in (("mine", host.ada), ("shared", host.eve)):
        wiki = await host.make_wiki(slug, owner)
        await write(host, wiki, f"Machines/{slug}", PUMP)
    await grant_role(host.db, host.ada, wiki, Role.VIEWER)
    page = await search(await host.signed_in(host.ada), "zygomorphic seal")
    assert "2 places in 2 wikis" in page
    for slug in ("mine", "shared"):
        assert f'<a href="https://{slug}.wiki.test/Machines/{slug}#seal">' in page
        assert f'<span class="badge">{slug.title()}</span><span class="step">Machines</span>' in page
        assert f"https://{slug}.wiki.test/-/search?query=zygomorphic+seal" in page
    assert "<mark>zygomorphic</mark> <mark>seal</mark> keeps the oil inside, see Oils." in page


@pytest.mark.parametrize("visibility", list(Visibility))
async def test_other_peoples_wikis_are_not_searched_whoever_asks(host: SmallHost, visibility: Visibility) -> None:
    """Nor public ones: one asks for one's own. The operator is a person like others here."""
    hers = await host.make_wiki("eves-own", host.eve, visibility)
    await write(host, hers, "Pump", PUMP)
    await host.make_wiki("mine")
    await host.db.write(lambda db: db.execute("UPDATE users SET is_operator = (id = ?)", (host.ada.id,)))
    ada = await host.signed_in(host.ada)
    for more in ("", "&wiki=eves-own", f"&wiki={hers.id}"):
        page = await search(ada, "zygomorphic", more)
        assert "Nothing was found" in page
        assert "eves" not in page.lower()


async def test_a_role_that_was_withdrawn_finds_nothing_from_that_moment(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await write(host, wiki, "Pump", PUMP)
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    eve = await host.signed_in(host.eve)
    assert "notes.wiki.test/Pump" in await search(eve, "zygomorphic")
    await withdraw_role(host.db, host.eve, wiki)
    page = await search(eve, "zygomorphic")
    assert "nothing to search yet" in page
    assert "notes" not in page


async def test_frozen_wikis_are_searched_like_others(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await write(host, wiki, "Pump", PUMP)
    await freeze(host.db, host.data, wiki)
    assert "notes.wiki.test/Pump#seal" in await search(await host.signed_in(host.ada), "zygomorphic")


async def test_one_wiki_can_be_chosen(host: SmallHost) -> None:
    for slug in ("one", "two"):
        await write(host, await host.make_wiki(slug), "Pump", PUMP)
    ada = await host.signed_in(host.ada)
    page = await search(ada, "zygomorphic", "&wiki=two")
    assert '<option value="two" selected>' in page
    assert "two.wiki.test/Pump" in page
    assert "one.wiki.test/Pump" not in page
    assert "One place in Two" in page
    nothing = await search(ada, "xylophone", "&wiki=two")
    assert '<a class="button plain" href="/app/search?q=xylophone">Search all my wikis</a>' in nothing


async def test_what_a_wiki_holds_is_text_here(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    script = "<script>alert(1)</script>"
    text = f"---\ntitle: '{script}'\n---\n# {script}\n\n## <b>zygomorphic</b> & co\n\n{script} zygomorphic\n"
    await write(host, wiki, "Evil", text)
    page = await search(await host.signed_in(host.ada), f'zygomorphic "{script}"')
    assert "notes.wiki.test/Evil" in page
    assert "<script>alert" not in page
    assert "<b>zygo" not in page


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_cannot_have_it_searched(host: SmallHost, site: str) -> None:
    """The time that it takes, or what is then loaded, would tell it what there is."""
    wiki = await host.make_wiki("notes")
    await write(host, wiki, "Pump", PUMP)
    ada = await host.signed_in(host.ada)
    page = await search(ada, "zygomorphic", **{"Sec-Fetch-Site": site})
    assert "Nothing was searched yet" in page
    assert 'value="zygomorphic"' in page
    assert "Pump" not in page
    for own in ("same-origin", "none"):
        assert "notes.wiki.test/Pump" in await search(ada, "zygomorphic", **{"Sec-Fetch-Site": own})


async def test_what_is_not_in_the_answer_is_said(host: SmallHost) -> None:
    wikis = [await host.make_wiki(slug) for slug in ("one", "two")]
    for wiki in wikis:
        await write(host, wiki, "Pump", PUMP)
    ada = await host.signed_in(host.ada)
    assert "Not all pages of One and Two are found by meaning yet; words find them already." in await search(ada, "oil")
    async with running(host.search):
        for wiki in wikis:  # whose indexes that search had built
            await settled(host.search, wiki)
        assert "by meaning yet" not in await search(ada, "oil")


async def test_a_missing_model_is_said_and_words_find(host: SmallHost) -> None:
    await write(host, await host.make_wiki("notes"), "Pump", PUMP)
    host.model.missing = "The embedding model is not installed."
    page = await search(await host.signed_in(host.ada), "zygomorphic")
    assert "Only words were searched: the embedding model is not installed." in page
    assert "notes.wiki.test/Pump" in page


async def test_conditions_alone_are_no_question(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for text in ("tag:pumps", "-draft", "🦦"):
        assert "There is no word in this to search for." in await search(ada, text)


async def test_a_wiki_that_cannot_be_read_is_named_and_leaves_the_others(host: SmallHost) -> None:
    await write(host, await host.make_wiki("fine"), "Pump", PUMP)
    broken = await host.make_wiki("broken")
    (host.data.wiki(broken.id).git_dir / "HEAD").write_text("garbage")
    page = await search(await host.signed_in(host.ada), "zygomorphic")
    assert "Not everything was searched" in page
    assert "<b>Broken</b>: " in page
    assert "fine.wiki.test/Pump" in page


async def test_a_person_has_a_few_searches_at_once_and_the_others_are_told(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug, owner in (("mine", host.ada), ("hers", host.eve)):
        await host.make_wiki(slug, owner)
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    go, begun = trio.Event(), trio.Semaphore(0)

    async def slow(wikis: Sequence[Wiki], text: str, *, limit: int) -> EverywhereAnswer:
        begun.release()
        await go.wait()
        return EverywhereAnswer((), ())

    monkeypatch.setattr(host.search, "find_everywhere", slow)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(MAX_AT_ONCE):
                nursery.start_soon(search, ada, "x")
                await begun.acquire()
            refused = await ada.get(PLATFORM, "/app/search?q=x")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
            assert "Your last searches are still running." in await text_of(refused)
            nursery.start_soon(search, eve, "x")
            await begun.acquire()
            go.set()
        assert "Nothing was found" in await search(ada, "x")


@pytest.mark.parametrize(
    "text", ["([", "🦦🦦", '"', "-", "tag:", "title:x -y", "a\0b", "the of and", "\ud800", "x" * 10_000, "path:Home"]
)
async def test_any_text_is_a_query(host: SmallHost, text: str) -> None:
    await host.make_wiki("notes")
    answer = await (await host.signed_in(host.ada)).get(
        PLATFORM, f"/app/search?q={quote_plus(text.encode('utf-8', 'surrogatepass'))}"
    )
    assert answer.status_code == 200
    page = await text_of(answer)
    assert "Nothing was found" in page or "place" in page


async def test_without_a_question_or_a_wiki_it_says_what_to_do(host: SmallHost) -> None:
    ada = await host.signed_in(host.ada)
    assert "Create your first wiki" in await search(ada, "x")
    await host.make_wiki("notes")
    for text in ("", "   "):
        page = await search(ada, text)
        assert "Searches by words and by meaning" in page
        assert "Nothing was found" not in page
    listed = await text_of(await ada.get(PLATFORM, "/app/"))
    assert 'action="/app/search"' in listed


async def test_nobody_searches_signed_out(host: SmallHost) -> None:
    answer = await Browser(host).get(PLATFORM, "/app/search?q=oil")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/auth/login?next=%2Fapp%2Fsearch%3Fq%3Doil"
