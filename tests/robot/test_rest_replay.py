"""`Idempotency-Key`, dry runs, two wikis, and who may change what."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from robot.model import Visibility
from robot.rest.answers import Json
from tests.robot.agent_doors import Doors, open_doors
from tests.robot.test_rest import script
from tests.robot.test_rest_moving import head
from wikihost.content import Content
from wikihost.replays import KEPT_S, MAX_KEPT, Claim, KeptAnswer, Replays

KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def test_a_request_that_is_sent_again_is_done_once(doors: Doors) -> None:
    async with script(doors) as http:
        first = await http.put("pages/New", json={"content": "x"}, headers=KEY)
        after = await head(doors)
        again = await http.put("pages/New", json={"content": "x"}, headers=KEY)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["etag"] == first.headers["etag"]
        assert await head(doors) == after
        other = await http.put("pages/New", json={"content": "y"}, headers=KEY)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        refused = await http.put("pages/New", json={"content": "z"}, headers={"Idempotency-Key": "k-2"})
        assert refused.status_code == 409
        assert (await http.put("pages/New", json={"content": "z"}, headers={"Idempotency-Key": "k-2"})).json() == (
            refused.json()
        )
        for method, path, body in (
            ("POST", "pages/New/rename", {"new_path": "Newer"}),
            ("PUT", "pages/Newer/attachments/f", {"any": "bytes"}),
            ("DELETE", "pages/Newer/attachments/f", None),
            ("DELETE", "pages/Newer", None),
        ):
            once = {"Idempotency-Key": f"{method} {path}"}
            done = [await http.request(method, path, json=body, headers=once) for _ in range(2)]
            assert done[0].is_success
            assert done[0].json() == done[1].json()
        for odd in ("x" * 256, "", "\xe9"):
            header = {b"Idempotency-Key": odd.encode("latin-1")}
            answer = await http.put("pages/New", json={"content": "x"}, headers=header)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_idempotency_key")


async def test_of_parallel_requests_with_one_key_one_is_done(doors: Doors) -> None:
    statuses: list[int] = []
    async with script(doors) as http:

        async def send() -> None:
            answer = await http.put("pages/New", json={"content": "x"}, headers=KEY)
            statuses.append(answer.status_code)
            if answer.status_code == 409:
                assert answer.json()["code"] == "idempotency_in_progress"
                assert answer.headers["retry-after"] == "1"

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(send)
        assert 201 in statuses
        assert set(statuses) <= {201, 409}
        assert len((await http.get("pages/New/history")).json()["history"]) == 1


async def test_kept_answers_are_bounded_and_end(doors: Doors) -> None:
    now = time.time()

    def fill(content: Content) -> None:
        replays = Replays(content.catalog)
        for number in range(MAX_KEPT + 5):
            claim = Claim(f"{number}", "f", now + number / 1_000)
            assert replays.begin(claim) is None
            replays.keep(claim, KeptAnswer(200, "{}", None))
        assert replays.begin(Claim("0", "f", now + 10)) is None, "the oldest made room"
        assert replays.begin(Claim("1004", "f", now + 10)) == KeptAnswer(200, "{}", None)
        assert replays.begin(Claim("0", "f", now + 20)) == "running"
        assert replays.begin(Claim("0", "f", now + 100)) is None, "whoever claimed it died"
        assert replays.begin(Claim("1004", "f", now + KEPT_S + 100)) is None, "a day is over"

    await doors.contents.run(doors.wiki, fill)


async def test_a_clock_that_is_set_back_neither_blocks_a_key_nor_forgets_it(doors: Doors) -> None:
    """What was begun or kept before counts as of now: it would have a day more, and push out what comes after it."""
    now = time.time()

    def work(content: Content) -> None:
        replays = Replays(content.catalog)
        assert replays.begin(Claim("died", "f", now)) is None
        for number in range(MAX_KEPT - 1):
            claim = Claim(f"before {number}", "f", now)
            assert replays.begin(claim) is None
            replays.keep(claim, KeptAnswer(200, "{}", None))
        yesterday = now - KEPT_S
        first = Claim("first", "f", yesterday)
        assert replays.begin(first) is None
        replays.keep(first, KeptAnswer(201, "{}", None))
        assert replays.begin(Claim("second", "f", yesterday + 1)) is None
        assert replays.begin(Claim("first", "f", yesterday + 2)) == KeptAnswer(201, "{}", None)
        assert replays.begin(Claim("died", "f", yesterday + 3)) in ("running", None)
        assert replays.begin(Claim("died", "f", yesterday + 120)) is None

    await doors.contents.run(doors.wiki, work)


async def test_kept_answers_outlive_the_catalog_being_built_anew(doors: Doors) -> None:
    async with script(doors) as http:
        first = await http.put("pages/New", json={"content": "x"}, headers=KEY)

        def make_old(content: Content) -> None:
            content.catalog.write(
                lambda connection: connection.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
            )
            content.catalog.close()

        await doors.contents.run(doors.wiki, make_old)
        assert (await http.put("pages/New", json={"content": "x"}, headers=KEY)).json() == first.json()


async def test_a_dry_run_changes_nothing_and_says_what_would(doors: Doors) -> None:
    before, revision = await head(doors), await doors.revision("Welcome")
    cases: list[tuple[str, str, Json, str]] = [
        ("PUT", "pages/New", {"content": "fresh"}, "+fresh"),
        ("PUT", "pages/Welcome", {"content": "other", "revision": revision}, "+other"),
        ("PATCH", "pages/Welcome", {"revision": revision, "old_string": "Welcome", "new_string": "Hi"}, "+Hi."),
        ("POST", "pages/Welcome/rename", {"new_path": "Home"}, ""),
        ("DELETE", "pages/Welcome", {}, "-Welcome."),
    ]
    async with script(doors) as http:
        for method, path, body, line in cases:
            answer = await http.request(method, f"{path}?dry_run=1", json=body)
            assert answer.status_code == 200, answer.json()
            assert answer.json()["dry_run"] is True
            assert line in answer.json()["diff"]
        stale = await http.put("pages/Welcome?dry_run=1", json={"content": "x", "revision": "0" * 40})
        assert stale.status_code == 409
    assert await head(doors) == before


async def test_an_edit_may_name_its_revision_in_if_match(doors: Doors) -> None:
    edit = {"old_string": "Welcome", "new_string": "Hi"}
    async with script(doors) as http:
        assert (await http.patch("pages/Welcome", json=edit)).status_code == 422
        etag = f'"{await doors.revision("Welcome")}"'
        assert (await http.patch("pages/Welcome", json=edit, headers={"If-Match": etag})).status_code == 200


async def test_two_wikis_never_mix(tmp_path: Path) -> None:
    one, two = open_doors(tmp_path / "one"), open_doors(tmp_path / "two")
    await one.seed({"Secret": "[[Welcome]]"})
    async with script(one) as http, script(two) as other:
        first = await http.put("pages/Same", json={"content": "one"}, headers=KEY)
        second = await other.put("pages/Same", json={"content": "one"}, headers=KEY)
        assert "idempotent-replayed" not in second.headers
        assert first.json()["revision"] != second.json()["revision"]
        since = first.json()["revision"]
        for path in ("pages/Secret/history", "pages/Secret/attachments", f"changes?since={since}"):
            assert (await other.get(path)).status_code == 404
        assert (await other.get("links/Welcome")).json()["linked_from"] == []
        assert (await other.get(f"pages/Welcome?revision={since}")).status_code == 404


READS = ["pages/Welcome/history", "pages/Welcome/attachments", "links", "links/Welcome", "changelog"]
WRITES = [
    ("DELETE", "pages/Welcome"),
    ("POST", "pages/Welcome/rename"),
    ("POST", "pages/Welcome/attachments"),
    ("PUT", "pages/Welcome/attachments/x"),
    ("DELETE", "pages/Welcome/attachments/x"),
    ("DELETE", "pages/Welcome?dry_run=1"),
]


@pytest.mark.parametrize(
    ("visibility", "token", "read", "write"),
    [
        (Visibility.PRIVATE, None, 401, 401),
        (Visibility.PRIVATE, "stranger", 403, 403),
        (Visibility.PRIVATE, "viewer", 200, 403),
        (Visibility.PUBLIC, None, 200, 401),
    ],
)
async def test_who_may(tmp_path: Path, visibility: Visibility, token: str | None, read: int, write: int) -> None:
    async with script(open_doors(tmp_path, visibility), token) as http:
        for path in READS:
            assert (await http.get(path)).status_code == read, path
        for method, path in WRITES:
            answer = await http.request(method, path, headers=KEY)
            assert (answer.status_code, answer.headers["content-type"]) == (write, "application/json"), path


async def test_every_address_answers_in_json_and_in_our_words(doors: Doors) -> None:
    async with script(doors) as http:
        for method, path, status, code in (
            ("GET", "nothing", 404, "not_found"),
            ("GET", "pages/Welcome/attachments/a/b", 404, "page_not_found"),
            ("PUT", "links", 405, "method_not_allowed"),
            ("POST", "changelog", 405, "method_not_allowed"),
            ("PATCH", "changes", 405, "method_not_allowed"),
            ("POST", "pages/Welcome/attachments/x", 405, "method_not_allowed"),
            ("POST", "pages/Welcome/rename", 415, "unsupported_media_type"),
            ("POST", "pages/Welcome/attachments", 415, "unsupported_media_type"),
        ):
            answer = await http.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
            assert "URL" not in answer.json()["error"]
            assert "server" not in answer.json()["error"]
