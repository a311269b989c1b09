"""A credential that reaches one folder, at every REST operation and every MCP tool, with a real index behind them.

Whatever is asked: nothing that is only said outside the folder comes back, and no file outside changes.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import trio
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from robot.contents import Contents
from robot.mcp.tools import TOOLS
from robot.model import Scope
from robot.rest.app import OPERATIONS
from robot.rest.operations import BYTES, Operation
from robot.search.service import SearchService
from tests.mcp_message import message
from tests.robot.agent_doors import AUTHOR, Doors, an_agent, open_doors, serving
from tests.robot.search_wiki import WatchedModel, running, settled
from tests.wikihost.wikis import git
from wikihost.content import Content
from wikihost.errors import ContentError
from wikihost.layout import DataDir
from wikihost.reach import Reach

FOLDER = "Projects/Apollo/"
CONFINED = an_agent(Scope.READ, Scope.WRITE, folder=FOLDER)
HEADERS = {"Authorization": "Bearer confined"}

INSIDE = [f"Projects/Apollo{end}" for end in ("", "/Plan", "/Log book", "/Old", "/Away")]
OUTSIDE = ["Home", "Projects", "Projects/Apollon zqname", "Vault zqname/Keys", "Vault zqname/Index", "Zqname"]
FREE = ["Projects/Apollo/New", "Projects/Apollo/Log_book", "Projects/Apollo/Deep/Down", "Elsewhere", "Projects/New"]
FILES = ["plan.txt", "zqfile.txt", "new.bin"]
SECRETS = ["zqname", "zqtext", "zqtag", "zqfile", "zqmessage", "zqtitle"]
FILE_SECRET = b"zqtext in a file of an outside page"
WORDS = [
    "otter",
    "launch otter",
    "tag:zqtag",
    "path:vault",
    "category:hidden -nothing",
    "[[Home]]",
    "Projects",
    "x" * 40,
]

Json = dict[str, Any]


def outside_page(number: int, links: list[str]) -> str:
    linked = " ".join(f"[[{name}]]" for name in links)
    return (
        f"---\ntitle: zqtitle {number}\ntags: [zqtag]\ncategory: Hidden\n---\n# zqtext heading {number}\n\n"
        f"An otter zqtext {number} for the launch. {linked}\n"
    )


def inside_page(number: int, links: list[str]) -> str:
    linked = " ".join(f"[[{name}]]" for name in links)
    return f"---\ntags: [open]\n---\n# Heading {number}\n\nAn otter number {number} for the launch. {linked}\n"


@dataclass
class Confined:
    """The doors of a wiki of which the agent reaches one folder, and what it has been told or said itself."""

    doors: Doors
    http: httpx2.AsyncClient
    root: Path
    service: SearchService
    model: WatchedModel
    said: set[str] = field(default_factory=set)

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Send a request; its answer says nothing that the agent did not know."""
        self._note(path, more)
        answer = await self.http.request(method, path, **more)
        self._check(answer)
        return answer

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Json:
        """Call a tool; as `ask`."""
        answer = await self.mcp("tools/call", name=name, arguments=arguments)
        assert "result" in answer, answer
        result: Json = answer["result"]
        return result

    async def mcp(self, method: str, **params: Any) -> Json:
        """Send a message; as `ask`."""
        sent = message(method, **params)
        answer: Json = (await self.ask("POST", sent.pop("url"), **sent)).json()
        return answer

    def _note(self, *sent: object) -> None:
        text = repr(sent).casefold()
        self.said.update(secret for secret in SECRETS if secret in text)

    def _check(self, answer: httpx2.Response) -> None:
        assert answer.status_code < 500, answer.text
        told = answer.content.decode("utf-8", "replace").casefold() + repr(answer.headers).casefold()
        leaked = [secret for secret in SECRETS if secret in told and secret not in self.said]
        assert not leaked, (leaked, answer.request.method, str(answer.request.url), told)
        assert base64.b64encode(FILE_SECRET).decode().casefold() not in told
        assert "for the launch. zq" not in told

    def outside(self) -> str:
        """The files outside, as git has them."""
        reach, home = Reach(FOLDER), DataDir(self.root).wiki(self.doors.wiki.id)
        lines = git(home, "ls-tree", "-r", "HEAD").splitlines()
        return "\n".join(line for line in lines if not reach.covers_file(line.partition("\t")[2]))


def fill(content: Content, links: Mapping[str, list[str]]) -> None:
    for number, name in enumerate([*OUTSIDE, *INSIDE]):
        make = inside_page if name in INSIDE else outside_page
        text = make(number, links.get(name, []))
        message = f"Page {number}" if name in INSIDE else f"zqmessage {number}"
        there = {page.path: page.revision for page in content.list_pages()}
        content.write_page(name, text, base=there.get(name), author=AUTHOR, message=message)
    content.write_attachment("Projects/Apollo/Plan", "plan.txt", b"a plan", author=AUTHOR)
    content.write_attachment("Home", "zqfile.txt", FILE_SECRET, author=AUTHOR)
    for name, target in (("Projects/Apollo/Old", "Projects/Apollo/Plan"), ("Projects/Apollo/Away", "Home")):
        text = f'---\nredirect: "{target}"\n---\n\nThis page is now [[{target}]].\n'
        content.write_page(name, text, base=content.read_page(name).revision, author=AUTHOR)
    # One commit of both sides: it rewrites links inside, which may name it then.
    content.rename_page("Projects", "Projects of old", author=AUTHOR, message="zqmessage: moved zqname")


@asynccontextmanager
async def confined(root: Path, links: Mapping[str, list[str]]) -> AsyncIterator[Confined]:
    contents = Contents(DataDir(root))
    model = WatchedModel()
    service = SearchService(contents, lambda _: doors.wiki, model)
    doors = open_doors(root, search=service)
    doors.actors["confined"] = CONFINED
    async with running(service), serving(doors) as base, httpx2.AsyncClient(base_url=base, headers=HEADERS) as http:
        await doors.contents.change(doors.wiki, lambda content: fill(content, links))
        service.notify(doors.wiki.id)
        await settled(service, doors.wiki)
        yield Confined(doors, http, root, service, model)
    contents.close_all()
    doors.contents.close_all()


@dataclass(frozen=True)
class Step:
    """One request in the making: an operation or a tool, and what is said of it by the names of its parameters."""

    door: Operation | str
    path: Mapping[str, str]
    query: Json
    body: Json


def value_for(name: str, schema: Json) -> st.SearchStrategy[Any]:
    """Something that a parameter of that name may be, by its JSON schema."""
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([value_for(name, each) for each in schema[several]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer" | "number":
            return st.integers(0, 60)
        case "array":
            return st.lists(value_for(name, schema.get("items", {})), min_size=1, max_size=3)
        case "object":
            return st.just({})
    if name in ("revision", "since", "cursor", "base"):
        return st.sampled_from(["@head", "@own", "@first", ""])
    if name in ("updated_since", "updated_before"):
        return st.sampled_from(["2020-01-01", "2100-01-01", ""])
    if name in ("filename", "new_filename"):
        return st.sampled_from(FILES)
    if name in ("content", "old_string", "new_string", "text"):
        return st.sampled_from(["", "otter", "Words of its own. [[Home]] [[Projects/Apollo/Plan]]", "aGVsbG8="])
    if name in ("q", "query", "commit_message", "tag", "category", "section", "heading"):
        return st.sampled_from([*WORDS, "zqtag", "hidden"])
    return st.sampled_from([*INSIDE * 2, *OUTSIDE, *FREE, FOLDER, "Vault", "Projects/"])


def said_of(model: type[BaseModel] | None) -> st.SearchStrategy[Json]:
    if model is None:
        return st.just({})
    schema = model.model_json_schema()
    fields = {name: value_for(name, each) for name, each in schema.get("properties", {}).items()}
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: value for name, value in fields.items() if name in needed},
        optional={name: value for name, value in fields.items() if name not in needed},
    )


def operation_steps(operation: Operation) -> st.SearchStrategy[Step]:
    names = st.sampled_from([*INSIDE * 3, *OUTSIDE, *FREE])
    path = st.fixed_dictionaries(
        {"name": names, "filename": st.sampled_from(FILES), "revision": value_for("revision", {})}
    )
    body = operation.body if isinstance(operation.body, type) else None
    return st.builds(Step, st.just(operation), path, said_of(operation.query), said_of(body))


def tool_steps(name: str, model: type[BaseModel]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), st.just({}), st.just({}), said_of(model))


STEPS = st.one_of(
    [operation_steps(operation) for operation in OPERATIONS] + [tool_steps(tool.name, tool.arguments) for tool in TOOLS]
)
LINKS = st.dictionaries(
    st.sampled_from([*INSIDE, *OUTSIDE]),
    st.lists(st.sampled_from([*INSIDE, "Home", "Missing", "Projects"]), max_size=3),
    max_size=6,
)


async def take(wiki: Confined, step: Step) -> None:
    """Do a step; revisions are what they are by now."""

    def revisions(content: Content) -> dict[str, str]:
        head = content.head()
        first = content.changelog(1_000)[0][-1].commit.revision
        try:
            own = content.read_page(str(step.path.get("name") or step.body.get("path"))).revision
        except ContentError:
            own = head
        return {"@head": head, "@own": own, "@first": first}

    known = await wiki.doors.contents.run(wiki.doors.wiki, revisions)

    def now(values: Json) -> Json:
        return {name: known.get(value, value) if isinstance(value, str) else value for name, value in values.items()}

    if isinstance(step.door, str):
        await wiki.call(step.door, now(step.body))
        return
    path = "/api/v1" + step.door.path.format(**{name: quote(value) for name, value in now(dict(step.path)).items()})
    more: Json = {"params": {name: str(value) for name, value in now(step.query).items() if value is not None}}
    if step.door.body == BYTES:
        more["content"] = b"bytes"
    elif step.door.body is not None:
        more["json"] = now(step.body)
    await wiki.ask(step.door.method, path, **more)


# No shrinking: a step is slow, and the message says which request it was.
@settings(
    max_examples=5,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(LINKS, st.lists(STEPS, min_size=20, max_size=30))
def test_nothing_outside_is_told_or_changed(links: Mapping[str, list[str]], steps: list[Step]) -> None:
    async def play(root: Path) -> None:
        async with confined(root, links) as wiki:
            before = wiki.outside()
            for step in steps:
                await take(wiki, step)
            assert wiki.outside() == before

    with tempfile.TemporaryDirectory() as root:
        trio.run(play, Path(root))


def plainly(model: type[BaseModel] | None, said: Json) -> Json:
    """What a model takes of `said`, with what it needs besides."""
    if model is None:
        return {}
    schema = model.model_json_schema()
    taken = {name: value for name, value in said.items() if name in schema["properties"]}
    missing = [name for name in schema.get("required", ()) if name not in taken]
    return taken | {name: find(value_for(name, schema["properties"][name]), bool) for name in missing}


async def test_every_operation_and_tool_is_asked_about_both_sides(tmp_path: Path) -> None:
    """What chance may leave out: each operation and tool about a page inside, and about one outside."""
    async with confined(tmp_path, {"Home": ["Projects/Apollo/Plan"]}) as wiki:
        before = wiki.outside()
        for name in ("Projects/Apollo/Plan", "Home"):
            said: Json = {name_of_it: name for name_of_it in ("path", "id", "old_path")} | {
                "paths": [name],
                "content": "An otter.",
                "revision": "@own",
                "old_string": "otter",
                "new_string": "seal",
                "new_path": f"{name} 2",
                "filename": "plan.txt",
                "since": "@first",
                "q": "otter launch",
                "query": "otter launch",
                "similar": 20,
            }
            for operation in OPERATIONS:
                body = operation.body if isinstance(operation.body, type) and operation.method != "DELETE" else None
                path = {"name": name, "filename": "plan.txt", "revision": "@own"}
                await take(wiki, Step(operation, path, plainly(operation.query, said), plainly(body, said)))
            for tool in TOOLS:
                await take(wiki, Step(tool.name, {}, {}, plainly(tool.arguments, said)))
        assert wiki.outside() == before


async def test_resources_prompts_and_names_to_complete_are_of_the_folder(tmp_path: Path) -> None:
    async with confined(tmp_path, {"Projects/Apollo/Plan": ["Home"]}) as wiki:
        address = f"wiki://{wiki.doors.wiki.slug}"
        listed = (await wiki.mcp("resources/list"))["result"]["resources"]
        assert sorted(each["name"] for each in listed) == sorted(INSIDE)
        template = {"type": "ref/resource", "uri": f"{address}/page/{{+path}}"}
        typed = {"name": "path", "value": "o"}
        completed = (await wiki.mcp("completion/complete", ref=template, argument=typed))["result"]["completion"]
        assert sorted(completed["values"]) == sorted(INSIDE)
        for page, file in (("Projects/Apollo/Plan", "plan.txt"), ("Home", "zqfile.txt")):
            answers = [
                await wiki.mcp("resources/read", uri=f"{address}/page/{page}"),
                await wiki.mcp("resources/read", uri=f"{address}/attachment/{page}/{file}"),
                await wiki.mcp("prompts/get", name="summarise_page", arguments={"path": page}),
                await wiki.mcp("prompts/get", name="weave_links", arguments={"path": page}),
            ]
            assert {"result" in answer for answer in answers} == {page in INSIDE}


async def test_what_a_confined_agent_is_told(tmp_path: Path) -> None:
    async with confined(tmp_path, {"Home": ["Projects/Apollo/Plan"], "Projects/Apollo/Plan": ["Projects"]}) as wiki:
        refused = await wiki.ask("PUT", "/api/v1/pages/Home", json={"content": "x"})
        sentence = f"This credential reaches only pages under {FOLDER}."
        assert (refused.status_code, refused.json()) == (403, {"error": sentence, "code": "outside_folder"})
        missing = await wiki.ask("GET", "/api/v1/pages/Home")
        assert (missing.status_code, missing.json()["error"]) == (404, "Page not found: Home")
        failed = await wiki.call("write_note", {"path": "Home", "content": "x"})
        assert failed["isError"]
        assert failed["content"][0]["text"].startswith(sentence)
        info = await wiki.call("get_wiki_info", {})
        assert (info["structuredContent"]["folder"], info["structuredContent"]["pages"]) == (FOLDER, len(INSIDE))
        assert FOLDER in info["content"][0]["text"]
        again = await wiki.ask("POST", "/api/v1/reindex")
        assert (again.status_code, again.json()["code"]) == (403, "outside_folder")
        moved = await wiki.ask(
            "POST", "/api/v1/pages/Projects/Apollo/Plan/rename", json={"new_path": "Projects/Apollo/Way"}
        )
        assert moved.json()["links_left"] == 1


async def test_search_finds_what_is_inside_however_much_is_outside(tmp_path: Path) -> None:
    """Outside passages are nearer to the question, and more than the ranking ever looks at."""
    async with confined(tmp_path, {}) as wiki:
        crowd = {f"Crowd {number}": "otter launch " * 5 for number in range(120)}
        await wiki.doors.seed(crowd)
        wiki.service.notify(wiki.doors.wiki.id)
        await settled(wiki.service, wiki.doors.wiki)
        routes = ["search", "find?mode=hybrid", "find?mode=semantic", "find?tag=open", "semantic-search?n=50"]
        for path in (*routes, "find?max_chunks_per_page=5&updated_since=2020-01-01", "semantic-search?tag=open"):
            joint = "&" if "?" in path else "?"
            found = (await wiki.ask("GET", f"/api/v1/{path}{joint}q=otter+launch")).json()
            names = {hit["path"] for hit in found["results"]}
            assert names, path
            assert all(Reach(FOLDER).covers(name) for name in names)
            assert found["total"] <= len(INSIDE) * 2
        for path in ("search", "find", "semantic-search"):
            for condition in ("tag=zqtag", "category=hidden", "prefix=Vault", "prefix=Crowd"):
                found = (await wiki.ask("GET", f"/api/v1/{path}?q=otter+launch&{condition}")).json()
                assert (found["results"], found["total"]) == ([], 0), (path, condition)
        near = (await wiki.ask("GET", "/api/v1/pages/Projects/Apollo/Plan/similar?limit=50")).json()
        assert {"Projects/Apollo", "Projects/Apollo/Log book"} <= {hit["path"] for hit in near["results"]} < set(INSIDE)
        status = (await wiki.ask("GET", "/api/v1/reindex/status")).json()
        assert (status["pages_total"], status["pages_indexed"]) == (len(INSIDE), len(INSIDE))


async def test_what_waits_outside_is_not_counted(tmp_path: Path) -> None:
    """An index that is behind outside of the folder is whole inside."""
    async with confined(tmp_path, {}) as wiki:
        before = (await wiki.ask("GET", "/api/v1/find?q=otter")).json()["head"]
        wiki.model.stop_before = len(wiki.model.embedded)
        await wiki.doors.seed({f"Waiting {number}": f"An otter waits {number} times." for number in range(3)})
        try:
            for path in ("find?q=otter", "semantic-search?q=otter", "pages/Projects/Apollo/Plan/similar"):
                told = (await wiki.ask("GET", f"/api/v1/{path}")).json()
                assert (told["pages_waiting"], told["note"], told["indexed_head"]) == (0, None, told["head"]), path
                if "q=" in path:
                    headers = {"Authorization": "Bearer writer"}
                    whole = (await wiki.http.get(f"/api/v1/{path}", headers=headers)).json()
                    assert (whole["pages_waiting"], whole["indexed_head"]) == (3, before)
                    assert whole["note"].startswith("3 pages are not yet found by meaning")
            agents = (await wiki.call("search", {"query": "otter"}))["structuredContent"]
            assert "note" not in agents
            # How long it takes is reckoned from the pages that were done, wherever they are.
            wiki.service._nursery.job(wiki.doors.wiki.id).pages_done = 2
            etas = [
                (await wiki.ask("GET", "/api/v1/reindex/status")).json()["eta_s"],
                (await wiki.http.get("/api/v1/reindex/status", headers=headers)).json()["eta_s"],
            ]
            assert (etas[0], etas[1] is None) == (None, False)
            await wiki.doors.seed({"Projects/Apollo/New": "An otter waits inside."})
            told = (await wiki.ask("GET", "/api/v1/find?q=otter")).json()
            assert (told["pages_waiting"], told["indexed_head"]) == (1, None)  # what the whole has is not told
        finally:
            wiki.model.go.set()


async def test_a_key_is_not_answered_for_another_reach(tmp_path: Path) -> None:
    """The same person's other token wrote with this key; what it was told is not for the confined one."""
    async with confined(tmp_path, {}) as wiki:
        request: Json = {"json": {"content": "zqtext"}, "headers": {"Idempotency-Key": "k"}}
        whole = {**request, "headers": {**request["headers"], "Authorization": "Bearer writer"}}
        written = await wiki.http.put("/api/v1/pages/Elsewhere", **whole)
        assert written.status_code == 201
        refused = await wiki.ask("PUT", "/api/v1/pages/Elsewhere", **request)
        assert (refused.status_code, refused.headers.get("Idempotent-Replayed")) == (403, None)
        assert json.loads(refused.text)["code"] == "outside_folder"


@pytest.mark.parametrize("actor", ["writer", "reader"])
async def test_others_see_the_whole_wiki(tmp_path: Path, actor: str) -> None:
    async with confined(tmp_path, {}) as wiki:
        headers = {"Authorization": f"Bearer {actor}"}
        listed = (await wiki.http.get("/api/v1/pages", headers=headers)).json()
        assert listed["total"] > len(INSIDE) + len(OUTSIDE)
