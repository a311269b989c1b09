"""Whatever is asked of a search, at every door: an answer, or a sentence that says what to do."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from robot.contents import Contents
from robot.search.service import SearchService
from tests.mcp_message import tool_call
from tests.robot.agent_doors import open_doors, serving
from tests.robot.described import check_answer
from tests.robot.search_wiki import WatchedModel, running, settled
from wikihost.layout import DataDir

PAGES = {
    "Guides/Pump": "---\ntags: [pumps]\n---\n# Pump\n\n## Seal\nthe seal keeps oil inside\n",
    "Robbe": "# 海豹\n\n海豹住在水里。\n",
    "🦦": "otter 🦦\n",
}

QUERIES = {
    "empty": "",
    "blank": " \t\n",
    "10,000 characters": "seal oil " * 1_111,
    "one long word": "s" * 10_000,
    "emoji": "🦦🌊",
    "punctuation": "([",
    "open quotes": '"seal "oil',
    "only a minus": "-",
    "only exclusions": "-seal -tag:x",
    "syntax of FTS5": 'NEAR(seal, 2) AND ^oil OR {body title} : "x" *',
    "stars": "*" * 500,
    "syntax of SQL": "'; DROP TABLE page; --",
    "NUL": "seal\0oil",
    "only NUL": "\0",
    "control characters": "seal\x01\x1b[31m\x7f\x85\u2028\u202e\ufeff",
    "no character": "seal \ufffe\uffff",
    "fields without values": "tag: path: category: title: after: before:",
    "fields with odd values": 'tag:% path:_ category:\\ title:" after:never before:2026-99-99 after:99999-01-01',
    "ends of time": "seal after:0001-01-01 before:9999-12-31",
    "Chinese": "海豹",
}
ROUTES = ["search", "find", "find?mode=semantic", "find?mode=keyword", "semantic-search"]
TOOLS = ["search", "search_notes", "semantic_search"]

# What stands beside the query, and what the refusal says of it; None where there is none.
PARAMETERS: dict[str, str | None] = {
    "limit=abc": None,
    "limit=-7&cursor=-7": None,
    f"limit={'9' * 5_000}&cursor={'9' * 500}": None,
    "limit=&cursor=&tag=&category=&prefix=&updated_since=&updated_before=": None,
    "n=abc&max_chunks_per_page=many": None,
    "n=0&max_chunks_per_page=99": None,
    "tag=%25&category=%5C&prefix=_": None,
    "tag=%00&category=%ED%A0%80&prefix=..%2F..%2F": None,
    f"prefix={'x' * 5_000}": None,
    "updated_since=2026-01-31&updated_before=2025-01-31": None,
    "updated_since=0001-01-01T00:00:00%2B14:00&updated_before=9999-12-31T23:59:59-14:00": None,
    "unknown=1": None,
    "updated_since=yesterday": "updated_since: it is not an ISO date: write it as 2026-01-31.",
    "updated_before=2026-13-01": "updated_before: it is not an ISO date: write it as 2026-01-31.",
    "tag=a&tag=b": "The parameter tag is there more than once.",
}
OF_FIND = {
    "mode=magic": "mode: Input should be 'hybrid', 'keyword' or 'semantic'.",
    "mode=": "mode: Input should be 'hybrid', 'keyword' or 'semantic'.",
    "explain=perhaps": "explain: say true or false.",
}
ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no query": ({"query": ""}, "query: string should have at least 1 character"),
    "a long query": (
        {"query": "x" * 1_001},
        "query: string should have at most 1000 characters (ask with fewer words)",
    ),
    "no date": ({"updated_since": "yesterday"}, "updated_since is not an ISO date; write it as 2026-01-31"),
    "no such date": ({"updated_before": "2026-02-31"}, "updated_before is not an ISO date; write it as 2026-01-31"),
    "a filter that is none": ({"tags": "x"}, "tags is not known (did you mean tag?)"),
    "a list of tags": ({"tag": ["x"]}, "tag: input should be a valid string"),
}


@dataclass
class Asker:
    http: httpx2.AsyncClient

    async def rest(self, path: str) -> httpx2.Response:
        """The answer to a GET; a refusal says why, and nothing is ever a failure of ours."""
        answer = await self.http.get(f"/api/v1/{path}")
        assert answer.status_code in (200, 422), (path[:200], answer.text)
        if answer.status_code == 422:
            assert is_sentence(answer.json()["error"]), answer.text
        return answer

    async def tool(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool; a failure says why."""
        sent = tool_call(name, **arguments)
        answer = await self.http.post(sent.pop("url"), **sent)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        if result["isError"]:
            assert is_sentence(result["content"][0]["text"]), result
        return result


@asynccontextmanager
async def asker(root: Path) -> AsyncIterator[Asker]:
    """Asks both doors of a wiki whose pages are indexed; each REST answer is held to the OpenAPI document."""
    contents = Contents(DataDir(root))
    service = SearchService(contents, lambda _: doors.wiki, WatchedModel())
    doors = open_doors(root, search=service)
    await doors.seed(PAGES)

    async def check(answer: httpx2.Response) -> None:
        await answer.aread()
        if answer.request.url.path.startswith("/api/"):
            check_answer(doors.rest, answer)

    headers, hooks = {"Authorization": "Bearer writer"}, {"response": [check]}
    async with (
        running(service, 60),
        serving(doors) as base,
        httpx2.AsyncClient(base_url=base, headers=headers, event_hooks=hooks) as http,
    ):
        service.notify(doors.wiki.id)
        await settled(service, doors.wiki)
        yield Asker(http)


def is_sentence(text: str) -> bool:
    return text[:1].isalpha() and text.partition("\n")[0].endswith(".") and "Traceback" not in text


async def test_any_text_is_a_query_over_rest(tmp_path: Path) -> None:
    async with asker(tmp_path) as ask:
        for what, query in QUERIES.items():
            for route in ROUTES:
                answer = await ask.rest(f"{route}{'&' if '?' in route else '?'}q={quote(query)}")
                refused = what in ("empty", "blank")
                assert (answer.status_code == 422) is refused, (what, route, answer.text)
                if refused:
                    assert answer.json()["error"] == "The parameter q is missing."


async def test_bytes_that_are_no_characters_are_a_query_too(tmp_path: Path) -> None:
    async with asker(tmp_path) as ask:
        for raw in ("%ED%A0%80", "seal%FF%FE", "%C0%AF", "%zz", "%"):
            for route in ROUTES:
                assert (await ask.rest(f"{route}{'&' if '?' in route else '?'}q={raw}")).status_code == 200, raw


async def test_odd_parameters_are_taken_or_refused_in_words(tmp_path: Path) -> None:
    async with asker(tmp_path) as ask:
        for parameters, sentence in PARAMETERS.items():
            for route in ("search", "find", "semantic-search"):
                answer = await ask.rest(f"{route}?q=seal&{parameters}")
                assert answer.json().get("error") == sentence, (route, parameters[:80])
        for parameters, sentence in OF_FIND.items():
            assert (await ask.rest(f"find?q=seal&{parameters}")).json()["error"] == sentence
        for limit in ("abc", "-1", "0", "9" * 500, ""):
            assert (await ask.rest(f"pages/Robbe/similar?limit={limit}")).status_code == 200


async def test_any_text_is_a_query_of_an_agent(tmp_path: Path) -> None:
    async with asker(tmp_path) as ask:
        for what, query in QUERIES.items():
            for tool in TOOLS:
                result = await ask.tool(tool, query=query)
                assert result["isError"] is (not query or len(query) > 1_000), (what, tool, result)


async def test_odd_arguments_of_an_agent_are_refused_in_words(tmp_path: Path) -> None:
    async with asker(tmp_path) as ask:
        for what, (arguments, words) in ARGUMENTS.items():
            for tool in TOOLS:
                result = await ask.tool(tool, **{"query": "seal"} | arguments)
                assert words in result["content"][0]["text"], (what, tool)
        for mode, limit in (("magic", 5), ("hybrid", 0), ("hybrid", 51), ("hybrid", "abc")):
            assert (await ask.tool("search", query="seal", mode=mode, limit=limit))["isError"]
        assert not (await ask.tool("semantic_search", query="seal", n=-3, max_chunks_per_page=99))["isError"]
        for similar in (-1, 21, "abc"):
            assert (await ask.tool("get_links", path="Robbe", similar=similar))["isError"]
        missing = await ask.tool("get_links", path="Rob", similar=3)
        assert missing["content"][0]["text"].startswith("Page not found: Rob.\nNearest names")


# Syntax of ours and of FTS5, and what any text may have.
_PIECES = st.sampled_from(
    ["seal", '"', "-", "*", "(", ")", ":", "tag:", "after:", "NEAR", "OR", "\0", "海豹", "🦦", " "]
)
_TEXTS = st.one_of(st.text(max_size=30), st.lists(_PIECES, max_size=8).map("".join))


# One server for many texts; a shorter list would only be asked again.
@settings(max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(_TEXTS, min_size=12, max_size=12))
def test_whatever_is_typed_is_answered(texts: list[str]) -> None:
    async def ask_all(root: Path) -> None:
        async with asker(root) as ask:
            for text in texts:
                found = await ask.rest(f"find?q={quote(text)}&tag={quote(text)}")
                near = await ask.rest(f"semantic-search?q={quote(text)}&prefix={quote(text)}")
                assert found.status_code == near.status_code
                assert (await ask.tool("search", query=text, category=text))["isError"] is (not text)

    with tempfile.TemporaryDirectory() as root:
        trio.run(ask_all, Path(root))


async def test_half_a_character_is_refused_or_read_and_breaks_nothing(tmp_path: Path) -> None:
    """A lone surrogate, which JSON can say and UTF-8 cannot."""
    async with asker(tmp_path) as ask:
        for tool in TOOLS:
            sent = tool_call(tool, query="seal \ud800", tag="\udfff")
            body = json.dumps(sent["json"], ensure_ascii=True)
            kind = {"Content-Type": "application/json"}
            answer = await ask.http.post("/mcp", content=body, headers={**sent["headers"], **kind})
            assert answer.status_code in (200, 400), answer.text
