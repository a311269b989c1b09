from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from mcp.shared.exceptions import MCPError

from robot.access import grant_role
from robot.activity import OTHER_CLIENTS, Activity, ActivityLimits, Deed
from robot.activity_log import list_agents, list_calls
from robot.authorship import author_of
from robot.model import Agent, Person, Role, Scope, User, Wiki
from robot.tokens import create_token
from robot.wikis import find_wiki_by_slug
from tests.robot.agent_doors import connected, open_doors, serving
from tests.robot.import_site import until
from tests.robot.mcp_client import fail, succeed
from tests.robot.small_host import ADDRESS, Browser, FakeClock, SmallHost
from tests.robot.test_rest import script
from wikihost.content import Content
from wikihost.values import Author

PLATFORM = ADDRESS.platform_origin
DAY_S = 86_400


async def agent_of(host: SmallHost, user: User, wiki: Wiki, name: str, client: str = "Claude Code") -> Agent:
    _, token = await create_token(host.db, user, wiki, name, [Scope.WRITE])
    return Agent(user, Role.EDITOR, token, client)


async def test_calls_and_what_they_add_up_to(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    agent = await agent_of(host, host.ada, wiki, "laptop")
    host.activity.note(Deed(wiki, agent, "mcp", "read_note", ["Home", "Plan"]))
    host.activity.note(Deed(wiki, agent, "mcp", "write_note", ["Plan"], revision="a" * 40))
    host.activity.note(Deed(wiki, agent, "rest", "write_page", ["Plan"], "conflict"))
    await host.activity.flush()
    host.activity.note(Deed(wiki, agent, "git", "fetch"))
    await host.activity.flush()
    [use] = await list_agents(host.db, wiki, None)
    assert (use.person, use.client, use.credential_name) == ("Ada Lovelace", "Claude Code", "laptop")
    assert (use.calls, use.pages_read, use.pages_written, use.errors) == (4, 2, 1, 1)
    calls = await list_calls(host.db, wiki, None, limit=10)
    assert [(call.door, call.operation, call.outcome, call.revision) for call in calls] == [
        ("git", "fetch", "ok", None),
        ("rest", "write_page", "conflict", None),
        ("mcp", "write_note", "ok", "a" * 40),
        ("mcp", "read_note", "ok", None),
    ]
    assert (list(calls[0].pages), list(calls[3].pages)) == ([], ["Home", "Plan"])
    assert [call.id for call in await list_calls(host.db, wiki, None, before=calls[1].id, limit=1)] == [calls[2].id]
    assert await list_calls(host.db, wiki, host.eve, limit=10) == []
    assert await list_agents(host.db, wiki, host.eve) == []


async def test_what_is_kept_is_bounded(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    agent, clock = await agent_of(host, host.ada, wiki, "laptop"), FakeClock()
    activity = Activity(host.db, ActivityLimits(days=2, calls=3), clock=clock)
    for number in range(5):
        activity.note(Deed(wiki, replace(agent, client=f"client {number}"), "mcp", f"tool {number}"))
        await activity.flush()
    calls = await list_calls(host.db, wiki, None, limit=10)
    assert [call.operation for call in calls] == ["tool 4", "tool 3", "tool 2"]
    assert len(await list_agents(host.db, wiki, None)) == 5
    for number in range(100):
        activity.note(Deed(wiki, replace(agent, client=f"other {number}"), "mcp", "tool"))
    await activity.flush()
    clients = {use.client: use.calls for use in await list_agents(host.db, wiki, None)}
    assert (len(clients), clients[OTHER_CLIENTS]) == (21, 85)
    clock.now += 3 * DAY_S
    async with trio.open_nursery() as nursery:
        await nursery.start(activity.run)
        await until(lambda: host.db.one("SELECT 1 FROM agent_days") is None)
        nursery.cancel_scope.cancel()
    assert await list_calls(host.db, wiki, None, limit=10) == []


async def test_what_cannot_be_written_waits_and_a_deleted_wiki_is_no_hindrance(host: SmallHost) -> None:
    gone, stays = await host.make_wiki("gone"), await host.make_wiki("stays")
    agent = await agent_of(host, host.ada, stays, "laptop")
    host.activity.note(Deed(gone, agent, "mcp", "read_note", ["Home"]))
    host.activity.note(Deed(stays, agent, "mcp", "read_note", ["Home"]))
    await host.db.write(lambda db: db.execute("DELETE FROM wikis WHERE id = ?", (gone.id,)))
    await host.db.write(lambda db: db.execute("ALTER TABLE agent_calls RENAME TO elsewhere"))
    await host.activity.flush()
    host.activity.note(Deed(stays, agent, "mcp", "read_note", ["Plan"]))
    await host.db.write(lambda db: db.execute("ALTER TABLE elsewhere RENAME TO agent_calls"))
    await host.activity.flush()
    assert [list(call.pages) for call in await list_calls(host.db, stays, None, limit=9)] == [["Plan"], ["Home"]]
    assert [use.calls for use in await list_agents(host.db, stays, None)] == [2]


async def test_noting_costs_the_loop_next_to_nothing(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    deed = Deed(wiki, await agent_of(host, host.ada, wiki, "laptop"), "mcp", "read_note", ["Some folder/Some page"])
    host.activity.note(deed)
    best = min(_seconds_of(host.activity, deed) for _ in range(5))
    assert best < 60e-6  # it takes 5 µs where nothing else runs


def _seconds_of(activity: Activity, deed: Deed) -> float:
    start = time.thread_time()
    for _ in range(200):
        activity.note(deed)
    return (time.thread_time() - start) / 200


async def test_tools_tell_what_they_did_and_no_words_of_anybody(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    async with serving(doors) as base, connected(base) as client:
        await succeed(client, "search_notes", query="secret words")
        await fail(client, "read_note", path="No such page")
        await fail(client, "read_note", nonsense="1")
        _, written = await succeed(client, "write_note", path="Plan", content="secret text")
        await succeed(client, "read_note", path="Plan")
    told = [(deed.operation, list(deed.pages), deed.outcome, deed.revision) for deed in doors.noted.deeds]
    assert told == [
        ("search_notes", [], "ok", None),
        ("read_note", ["No such page"], "page_not_found", None),
        ("read_note", [], "invalid_arguments", None),
        ("write_note", ["Plan"], "ok", written["revision"]),
        ("read_note", ["Plan"], "ok", None),
    ]
    assert {deed.door for deed in doors.noted.deeds} == {"mcp"}
    assert "secret" not in repr(doors.noted.deeds)


async def test_what_is_read_as_a_resource_or_with_a_prompt_is_told_too(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    async with serving(doors) as base, connected(base) as client:
        await client.read_resource("wiki://notes/page/Welcome")
        for uri in ("wiki://notes/page/No%20such", "https://elsewhere.example"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)
        await client.get_prompt("summarise_page", {"path": "Welcome"})
        await client.list_resources()
    told = [(deed.operation, list(deed.pages), deed.outcome) for deed in doors.noted.deeds]
    assert told == [
        ("resources/read", ["Welcome"], "ok"),
        ("resources/read", ["No such"], "refused"),
        ("resources/read", [], "refused"),
        ("prompts/get", ["Welcome"], "ok"),
    ]


async def test_rest_tells_what_scripts_did(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    async with script(doors) as http:
        await http.get("search", params={"q": "secret words"})
        made = (await http.put("pages/A/B", json={"content": "x"})).json()
        await http.put("pages/A/B", json={"content": "y", "revision": made["revision"]}, params={"dry_run": 1})
        await http.put("pages/A/B", json={"content": "y"})
        await http.get("pages/A%2FB")
        await http.get("nowhere")
    told = [(deed.operation, list(deed.pages), deed.outcome, deed.revision) for deed in doors.noted.deeds]
    assert told == [
        ("search", [], "ok", None),
        ("write_page", ["A/B"], "ok", made["revision"]),
        ("write_page", ["A/B"], "ok", None),
        ("write_page", ["A/B"], "revision_required", None),
        ("read_page", ["A/B"], "ok", None),
        ("unknown", [], "not_found", None),
    ]


async def test_a_change_is_taken_back_over_rest(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    async with script(doors) as http:
        made = (await http.put("pages/Plan", json={"content": "x"})).json()["revision"]
        tried = (await http.post(f"changes/{made[:8]}/undo", params={"dry_run": 1})).json()
        assert (tried["undone"], tried["revision"], tried["dry_run"]) == (made, None, True)
        done = (await http.post(f"changes/{made}/undo")).json()
        assert (done["pages_affected"], done["diff"]) == (["Plan"], tried["diff"])
        assert (await http.get("pages/Plan")).status_code == 404
        again = await http.post(f"changes/{made}/undo")
        assert (again.status_code, again.json()["code"]) == (409, "undo_refused")
        [entry, *_] = (await http.get("changelog")).json()["entries"]
        assert (entry["revision"], entry["agent"], entry["via"]) == (done["revision"], "laptop", "rest")


class Site:
    """A wiki in which an agent of Ada's and one of Eve's changed pages, and Ada changed one since."""

    def __init__(self, host: SmallHost, wiki: Wiki) -> None:
        self.host, self.wiki = host, wiki

    async def act(self, agent: Agent, name: str, text: str) -> str:
        revision = await self.write(author_of(agent, ADDRESS.domain, "mcp"), name, text)
        self.host.activity.note(Deed(self.wiki, agent, "mcp", "write_note", [name], revision=revision))
        return revision

    async def write(self, author: Author, name: str, text: str) -> str:
        def write(content: Content) -> str:
            base = next((page.revision for page in content.list_pages() if page.path == name), None)
            return content.write_page(name, text, base=base, author=author).revision

        return await self.host.contents.change(self.wiki, write)

    async def text(self, name: str) -> str | None:
        def read(content: Content) -> str | None:
            return next((content.read_page(name).text for page in content.list_pages() if page.path == name), None)

        return await self.host.contents.run(self.wiki, read)


async def a_site(host: SmallHost) -> tuple[Site, Agent, Agent]:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    site = Site(host, wiki)
    adas, eves = (
        await agent_of(host, host.ada, wiki, "laptop"),
        await agent_of(host, host.eve, wiki, "Eve's bot", "Bot"),
    )
    await site.act(adas, "Plan", "nonsense\n")
    await site.act(adas, "Free", "one\n")
    await site.act(eves, "Other", "from Eve\n")
    await site.write(author_of(Person(host.ada, Role.OWNER), ADDRESS.domain, "web"), "Free", "I say two\n")
    return site, adas, eves


async def test_an_owner_sees_all_and_others_their_own(host: SmallHost) -> None:
    _, adas, eves = await a_site(host)
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    page = await (await ada.get(PLATFORM, "/app/wiki/notes/activity?sort=calls")).get_data(as_text=True)
    assert all(word in page for word in ("Claude Code", "laptop", "Bot", "Eve&#39;s bot", "write note", "/-/commit/"))
    page = await (await eve.get(PLATFORM, "/app/wiki/notes/activity")).get_data(as_text=True)
    assert "Bot" in page
    assert "laptop" not in page
    mine, others = (
        f"/app/wiki/notes/activity/undo?{urlencode({'credential': agent.credential.id, 'since': 'day'})}"
        for agent in (eves, adas)
    )
    assert (await eve.get(PLATFORM, mine)).status_code == 200
    assert (await eve.get(PLATFORM, others)).status_code == 404
    assert (await ada.get(PLATFORM, mine)).status_code == 200
    assert (await ada.get(PLATFORM, mine.replace("day", "never"))).status_code == 404


async def test_an_agents_changes_are_shown_and_then_undone_in_one_commit(host: SmallHost) -> None:
    site, adas, _ = await a_site(host)
    ada = await host.signed_in(host.ada)
    asked = {"credential": adas.credential.id, "since": "day"}
    shown = await ada.get(PLATFORM, f"/app/wiki/notes/activity/undo?{urlencode(asked)}")
    page = await shown.get_data(as_text=True)
    assert "-nonsense" in page
    assert "it was changed since" in page
    assert await site.text("Plan") == "nonsense\n"
    form = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("since", "reviewed")}
    sent = {**asked, **form}
    done = await ada.post(PLATFORM, "/app/wiki/notes/activity/undo", form=sent)
    assert done.status_code == 303
    told = await (await ada.follow(done, PLATFORM))[0].get_data(as_text=True)
    assert "Undo what Ada Lovelace changed with “laptop”" in told
    assert "Free: it was changed since" in told
    assert [await site.text(name) for name in ("Plan", "Free", "Other")] == [None, "I say two\n", "from Eve\n"]


async def test_nothing_is_undone_that_was_not_looked_at(host: SmallHost) -> None:
    site, adas, _ = await a_site(host)
    ada = await host.signed_in(host.ada)
    sent = {"credential": adas.credential.id, "since": "ever", "reviewed": "0" * 64}
    refused = await ada.post(PLATFORM, "/app/wiki/notes/activity/undo", form=sent)
    assert (refused.status_code, await site.text("Plan")) == (409, "nonsense\n")
    assert "since you looked" in await refused.get_data(as_text=True)


async def test_a_wiki_without_agents(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada: Browser = await host.signed_in(host.ada)
    page = await (await ada.get(PLATFORM, "/app/wiki/notes/activity?before=x")).get_data(as_text=True)
    assert "No agent has done anything here yet" in page
    assert find_wiki_by_slug(host.db, "notes") is not None
