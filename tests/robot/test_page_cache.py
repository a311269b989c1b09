"""The policy of the page cache: which requests it answers, which answers it keeps, and how it gives them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from proxy.asgi import Headers, Message
from robot.page_cache import MAX_PAGE_BYTES, Asked, KeptAnswer, PageCache, Recorder
from robot.recent_pages import RecentPages
from tests.robot.agent_doors import ADA, a_wiki
from tests.wikihost.wikis import git, make_wiki
from wikihost.fleet import HostedWiki
from wikihost.page_state import PageStates

ORIGIN = "https://notes.robot.test"
ANYONE = {"x-otterwiki-permissions": "READ"}
ADA_READS = {**ANYONE, "x-otterwiki-name": "Ada", "x-otterwiki-email": "ada@users.robot.test"}
HTML: Headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"4")]


@dataclass
class Stage:
    """A cache over a real wiki, and a worker's answers played into it."""

    hosted: HostedWiki
    serving: HostedWiki
    cache: PageCache
    sent: list[Message] = field(default_factory=list)

    def ask(
        self,
        path: bytes = b"/Home",
        headers: Headers | None = None,
        identity: Mapping[str, str] = ANYONE,
        *,
        method: str = "GET",
        origin: str = ORIGIN,
        query: bytes = b"",
    ) -> Asked | None:
        scope = {"method": method, "raw_path": path, "query_string": query, "headers": headers or []}
        return self.cache.ask(scope, origin, self.hosted, identity)

    def asked(self, *args: Any, **more: Any) -> Asked:
        asked = self.ask(*args, **more)
        assert asked is not None
        return asked

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def worker_answers(
        self, asked: Asked, status: int = 200, headers: Headers = HTML, *parts: bytes, made_at: str | None = None
    ) -> None:
        recorder = Recorder(self.cache, asked, self.send)
        recorder.hear(asked.state.head if made_at is None else made_at, "Home")
        await recorder.send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts or (b"text",):
            await recorder.send({"type": "http.response.body", "body": part, "more_body": True})
        await recorder.send({"type": "http.response.body", "body": b"", "more_body": False})
        assert not recorder.holds

    async def given_again(self, kept: KeptAnswer, none_match: bytes = b"", *, head_only: bool = False) -> Message:
        self.sent.clear()
        await kept.send(self.send, head_only=head_only, none_match=none_match)
        return {**self.sent[0], "body": self.sent[1]["body"], "fields": dict(self.sent[0]["headers"])}


def seen(asked: Asked) -> tuple[bytes, object]:
    return asked.target, asked.look


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    home = make_wiki(tmp_path / "wiki")
    hosted = HostedWiki("w1", home, "Notes", "", "https://robot.test/app/wiki/notes")
    made = Stage(hosted, hosted, None)  # type: ignore[arg-type]  # it asks the stage
    made.cache = PageCache(PageStates(), lambda asked: asked == made.serving, 8 * MAX_PAGE_BYTES)
    return made


async def test_an_answer_is_given_again_byte_for_byte(stage: Stage) -> None:
    asked = stage.asked()
    assert stage.cache.find(asked) is None
    await stage.worker_answers(asked, 200, HTML, b"te", b"xt")
    first = stage.sent[:]
    kept = stage.cache.find(stage.asked())
    assert kept is not None
    again = await stage.given_again(kept)
    assert (again["status"], again["body"], kept.page) == (200, b"text", "Home")
    assert [m["type"] for m in first] == ["http.response.start", "http.response.body"]
    assert dict(first[0]["headers"]) == again["fields"]
    assert again["fields"][b"cache-control"] == b"private, no-cache"
    assert again["fields"][b"vary"] == b"Cookie"
    head = await stage.given_again(kept, head_only=True)
    assert (head["status"], head["body"], head["fields"]) == (200, b"", again["fields"])


async def test_a_client_that_has_it_is_told_so(stage: Stage) -> None:
    policy = (b"content-security-policy", b"object-src 'none'")
    await stage.worker_answers(stage.asked(), 200, [*HTML, policy])
    kept = stage.cache.find(stage.asked())
    assert kept is not None
    assert kept.etag is not None
    for tags in (kept.etag, b'"other", ' + kept.etag, b"W/" + kept.etag, b"*"):
        answer = await stage.given_again(kept, tags)
        assert (answer["status"], answer["body"]) == (304, b""), tags
        assert {b"etag", b"cache-control", b"vary", policy[0]} <= answer["fields"].keys()
        assert not {b"content-length", b"content-type"} & answer["fields"].keys()
    for tags in (b"", b'"other"', kept.etag[:-1]):
        assert (await stage.given_again(kept, tags))["status"] == 200, tags
    # Also when a worker had to make it once more.
    git(stage.hosted.home, "commit", "--allow-empty", "-qm", "another page")
    asked = stage.asked(headers=[(b"if-none-match", kept.etag)])
    stage.sent.clear()
    await stage.worker_answers(asked, 200, [*HTML, policy])
    assert stage.sent[0]["status"] == 304


async def test_a_missing_page_is_kept_and_has_no_etag(stage: Stage) -> None:
    await stage.worker_answers(stage.asked(b"/Nope"), 404)
    kept = stage.cache.find(stage.asked(b"/Nope"))
    assert kept is not None
    assert (await stage.given_again(kept, b"*"))["status"] == 404


@pytest.mark.parametrize(
    ("status", "headers", "made_at"),
    [
        (500, HTML, None),
        (206, HTML, None),
        (200, HTML, ""),
        (200, HTML, "0" * 40),
        (200, [*HTML, (b"set-cookie", b"__Host-wiki=x")], None),
        (200, [*HTML, (b"cache-control", b"no-store")], None),
        (200, HTML[:1], None),
        (200, [(b"content-length", b"%d" % (MAX_PAGE_BYTES + 1))], None),
    ],
)
async def test_other_answers_pass_as_they_are(stage: Stage, status: int, headers: Headers, made_at: str | None) -> None:
    asked = stage.asked()
    await stage.worker_answers(asked, status, headers, b"te", b"xt", made_at=made_at)
    assert stage.cache.find(stage.asked()) is None
    assert stage.sent[0] == {"type": "http.response.start", "status": status, "headers": headers}
    assert [m["body"] for m in stage.sent[1:]] == [b"te", b"xt", b""]


async def test_nothing_is_kept_of_a_wiki_that_changed_meanwhile(stage: Stage) -> None:
    asked = stage.asked()
    git(stage.hosted.home, "commit", "--allow-empty", "-qm", "meanwhile")
    await stage.worker_answers(asked)
    assert stage.cache.find(asked) is None
    assert stage.sent[0]["status"] == 200
    await stage.worker_answers(stage.asked())
    assert stage.cache.find(stage.asked()) is not None
    git(stage.hosted.home, "commit", "--allow-empty", "-qm", "later")
    assert stage.cache.find(stage.asked()) is None


async def test_a_worker_made_for_an_older_name_teaches_nothing(stage: Stage) -> None:
    stage.hosted = replace(stage.hosted, site_name="Renamed")
    await stage.worker_answers(stage.asked())
    assert stage.cache.find(stage.asked()) is None
    stage.serving = stage.hosted
    await stage.worker_answers(stage.asked())
    assert stage.cache.find(stage.asked()) is not None


async def test_whoever_sees_another_page_asks_for_another(stage: Stage) -> None:
    dark = [(b"cookie", b"halfmoon_preferredMode=dark-mode")]
    hidden = [(b"cookie", b"halfmoon_sidebar=hidden")]
    editor = {**ADA_READS, "x-otterwiki-permissions": "READ,WRITE,UPLOAD"}
    different = [
        stage.asked(),
        stage.asked(headers=dark),
        stage.asked(headers=hidden),
        stage.asked(headers=[*dark, *hidden]),
        stage.asked(identity=ADA_READS),
        stage.asked(identity=editor),
        stage.asked(identity={**editor, "x-otterwiki-permissions": "READ,WRITE,UPLOAD,ADMIN"}),
        stage.asked(b"/home"),
        stage.asked(b"/Hom%65"),
        stage.asked(query=b"revision=abc123"),
        stage.asked(origin="https://other.robot.test"),
    ]
    assert len({seen(asked) for asked in different}) == len(different)


async def test_whoever_sees_the_same_page_asks_for_the_same(stage: Stage) -> None:
    plain = stage.asked()
    for headers in (
        [(b"user-agent", b"x"), (b"accept-language", b"de"), (b"referer", b"https://evil.test/"), (b"accept", b"*/*")],
        [(b"cookie", b"__Host-robot_wiki=secret; other=1; remember_token=tossed")],
        [(b"cookie", b"halfmoon_sidebar=whatever")],
        [(b"x-otterwiki-permissions", b"ADMIN"), (b"authorization", b"Basic x")],
    ):
        asked = stage.asked(headers=headers)
        assert seen(asked) == seen(plain)
        assert asked.headers == []
    grace = {**ADA_READS, "x-otterwiki-email": "grace@users.robot.test", "x-otterwiki-name": "Grace"}
    assert seen(stage.asked(identity=grace)) == seen(stage.asked(identity=ADA_READS))


async def test_a_worker_sees_only_what_the_key_says(stage: Stage) -> None:
    sent = b"a=1; halfmoon_sidebar=hidden; halfmoon_preferredMode=dark-mode; halfmoon_preferredMode=tossed; b"
    asked = stage.asked(headers=[(b"accept", b"x"), (b"cookie", sent), (b"if-none-match", b'"t"')])
    assert asked.headers == [
        (b"if-none-match", b'"t"'),
        (b"cookie", b"halfmoon_preferredMode=dark-mode; halfmoon_sidebar=hidden"),
    ]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", []),
        ("OPTIONS", []),
        ("GET", [(b"cookie", b"x=1; __Host-wiki=session")]),
        ("GET", [(b"range", b"bytes=0-1")]),
        ("GET", [(b"content-length", b"3")]),
        ("GET", [(b"transfer-encoding", b"chunked")]),
    ],
)
async def test_some_requests_only_a_worker_answers(stage: Stage, method: str, headers: Headers) -> None:
    assert stage.ask(method=method, headers=headers) is None


async def test_a_cache_of_no_bytes_is_off(stage: Stage) -> None:
    off = PageCache(PageStates(), lambda _: True, 0)
    scope = {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
    assert off.ask(scope, ORIGIN, stage.hosted, ANYONE) is None


def test_recent_pages_are_of_one_person_in_one_wiki() -> None:
    recent = RecentPages()
    wiki, other = a_wiki(), replace(a_wiki(), id="w2")
    grace = replace(ADA, id="u2")
    for page in ("A/B", "C", *map(str, range(6)), "c"):
        recent.note(ADA, wiki, page)
    assert recent.of(ADA, wiki) == ("A/B", "0", "1", "2", "3", "4", "5", "c")
    recent.note(ADA, wiki, "last")
    assert recent.of(ADA, wiki) == ("0", "1", "2", "3", "4", "5", "c", "last")
    assert recent.of(grace, wiki) == recent.of(ADA, other) == ()
