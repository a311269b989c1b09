"""Removing and renaming pages over REST, and what can be asked of a wiki's history and links."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
import trio

from robot.rest.answers import Json
from tests.robot.agent_doors import Doors, open_doors
from tests.robot.test_rest import script
from tests.wikihost.wikis import assert_sound, git
from wikihost.layout import DataDir, WikiHome

HEX = 40


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


@pytest.fixture
def home(doors: Doors, tmp_path: Path) -> WikiHome:
    return DataDir(tmp_path).wiki(doors.wiki.id)


async def head(doors: Doors) -> str:
    return await doors.contents.run(doors.wiki, lambda content: content.head())


def files_of_head(home: WikiHome) -> set[str]:
    return set(git(home, "show", "--format=", "--name-only", "--no-renames", "HEAD").splitlines())


async def test_a_page_goes_with_its_attachments_in_one_commit(doors: Doors, home: WikiHome) -> None:
    await doors.seed({"Old": "# Old", "Old/Below": "stays"})
    async with script(doors) as http:
        for name in ("a.png", "b c.csv"):
            assert (await http.put(f"pages/Old/attachments/{name}", content=b"x")).status_code == 201
        revision = await doors.revision("Old")
        stale = await http.delete("pages/Old", params={"revision": "0" * HEX})
        assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
        assert stale.json()["current_revision"] == revision
        tried = (await http.delete("pages/Old?dry_run=1")).json()
        assert tried["deleted"] is False
        assert "-# Old" in tried["diff"]
        assert tried["attachments"] == ["a.png", "b c.csv"]
        done = await http.request(
            "DELETE", "pages/Old", json={"commit_message": "Outdated"}, headers={"If-Match": f'"{revision}"'}
        )
        assert done.status_code == 200
        assert done.json() | {"revision": ""} == {
            "deleted": True,
            "path": "Old",
            "attachments": ["a.png", "b c.csv"],
            "revision": "",
        }
        assert files_of_head(home) == {"Old.md", "Old/a.png", "Old/b c.csv"}
        assert git(home, "log", "-1", "--format=%s") == "Outdated"
        for path in ("pages/Old", "pages/Old/attachments", "pages/Old/history"):
            assert (await http.get(path)).status_code == 404
        assert (await http.get("pages/Old/Below")).status_code == 200
        assert (await http.delete("pages/Old")).json()["error"] == "Page not found: Old"
    assert_sound(home)


async def test_a_rename_takes_links_and_files_along(doors: Doors, home: WikiHome) -> None:
    await doors.seed(
        {
            "On Call": "See [[me|On_Call#who]].",
            "A": "---\ntags: [x]\n---\n[[On Call]] and [[ shown |/On_Call.md#top]], `[[On Call]]`\n\n"
            "```\n[[On Call]]\n```\n",
            "B": "`[[On Call]]` only",
            "On Call/Below": "stays",
        }
    )
    async with script(doors) as http:
        await http.put("pages/On Call/attachments/plan.pdf", content=b"%PDF")
        before = await head(doors)
        tried = (await http.post("pages/On_Call/rename?dry_run=1", json={"new_path": "Ops/Duty"})).json()
        assert "+[[Ops/Duty]]" in tried["diff"]
        assert await head(doors) == before
        done = (await http.post("pages/On_Call/rename", json={"new_path": "Ops/Duty"})).json()
        assert done == {
            "old_path": "On Call",
            "new_path": "Ops/Duty",
            "updated_pages": ["A"],
            "redirect": True,
            "revision": await head(doors),
        }
        assert files_of_head(home) == {"A.md", "On Call.md", "On Call/plan.pdf", "Ops/Duty.md", "Ops/Duty/plan.pdf"}
        assert git(home, "log", "-1", "--format=%s") == "[api] Rename: On Call -> Ops/Duty"
        assert await doors.text("Ops/Duty") == "See [[me|Ops/Duty#who]]."
        assert await doors.text("A") == (
            "---\ntags: [x]\n---\n[[Ops/Duty]] and [[ shown |/Ops/Duty#top]], `[[On Call]]`\n\n```\n[[On Call]]\n```\n"
        )
        stub = (await http.get("pages/On Call?redirect=0")).json()
        assert stub["frontmatter"] == {"redirect": "Ops/Duty"}
        assert stub["links_to"] == ["Ops/Duty"]
        messages = [entry["message"] for entry in (await http.get("pages/Ops/Duty/history")).json()["history"]]
        assert messages == ["[api] Rename: On Call -> Ops/Duty", "[api] Create: On Call"]
        assert (await http.get("pages/Ops/Duty/attachments/plan.pdf?raw=1")).content == b"%PDF"
        # And back again: the redirect to the page itself is not in the way.
        back = await http.post("pages/Ops/Duty/rename", json={"new_path": "On Call", "redirect": False})
        assert back.status_code == 200
        assert (await http.get("pages/Ops/Duty")).status_code == 404
        told = (await http.get("changes", params={"since": before})).json()["changes"]
        assert {(change["path"], change["change"], change.get("from")) for change in told} >= {
            ("Ops/Duty", "renamed", "On Call"),
            ("A", "updated", None),
        }
    assert_sound(home)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_body"),
        ({"new_path": ""}, 422, "invalid_body"),
        ({"new_path": "Welcome"}, 422, "invalid_page_name"),
        ({"new_path": "../x"}, 422, "invalid_page_name"),
        ({"new_path": "Taken"}, 409, "page_exists"),
        ({"new_path": "New", "revision": "0" * HEX}, 409, "conflict"),
        ({"new_path": "New", "revision": "abc"}, 422, "invalid_body"),
    ],
)
async def test_a_rename_that_cannot_be(doors: Doors, body: Json, status: int, code: str) -> None:
    await doors.seed({"Taken": "x"})
    before = await head(doors)
    async with script(doors) as http:
        answer = await http.post("pages/Welcome/rename", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await http.post("pages/No/rename", json={"new_path": "New"})).status_code == 404
    assert await head(doors) == before


async def test_a_name_in_another_spelling_is_a_rename_without_redirect(doors: Doors) -> None:
    await doors.seed({"On Call": "x", "A": "[[On Call]]"})
    async with script(doors) as http:
        done = (await http.post("pages/On Call/rename", json={"new_path": "On_Call"})).json()
        assert (done["redirect"], done["updated_pages"]) == (False, ["A"])
        assert (await http.get("pages")).json()["total"] == 3


async def test_of_parallel_renames_and_removals_with_one_revision_one_wins(doors: Doors, home: WikiHome) -> None:
    revision, statuses = await doors.revision("Welcome"), list[int]()
    async with script(doors) as http:

        async def rename(number: int) -> None:
            body = {"new_path": f"New {number}", "revision": revision, "redirect": False}
            statuses.append((await http.post("pages/Welcome/rename", json=body)).status_code)

        async def remove() -> None:
            statuses.append((await http.delete("pages/Welcome", params={"revision": revision})).status_code)

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(rename, number)
                nursery.start_soon(remove)
    assert sorted(statuses) == [200] + [404] * 7
    assert_sound(home)


async def test_what_happened(doors: Doors) -> None:
    first = await head(doors)
    await doors.seed({"A": "1", "B": "2"})
    async with script(doors) as http:
        await http.put("pages/A/attachments/f.txt", content=b"x")
        log = (await http.get("changelog?limit=2")).json()
        assert [entry["pages_affected"] for entry in log["entries"]] == [["A"], ["B"]]
        assert log["total"] == 4
        assert set(log["entries"][0]) == {"revision", "author", "date", "message", "pages_affected", "agent", "via"}
        rest = (await http.get("changelog", params={"cursor": log["cursor"]})).json()
        assert [entry["pages_affected"] for entry in rest["entries"]] == [["A"], ["Welcome"]]
        assert "cursor" not in rest
        for limit, count in (("bad", 4), ("-1", 4), ("1", 1)):
            assert len((await http.get("changelog", params={"limit": limit})).json()["entries"]) == count
        told = (await http.get("changes", params={"since": first[:7], "limit": 1})).json()
        assert [(change["path"], change["change"]) for change in told["changes"]] == [("A", "created")]
        assert told["more"] is True
        on = (await http.get("changes", params={"since": told["cursor"]})).json()
        assert [(change["path"], change["change"]) for change in on["changes"]] == [("B", "created")]
        assert (on["more"], on["cursor"], on["head"]) == (False, await head(doors), await head(doors))
        for path, status in (("changes", 422), ("changes?since=zz", 404), (f"changes?since={'0' * HEX}", 404)):
            assert (await http.get(path)).status_code == status
        for path in ("changelog?cursor=x", f"pages/A/history?cursor={'0' * HEX}"):
            assert (await http.get(path)).json()["code"] in ("invalid_cursor", "revision_not_found")


async def test_a_history_goes_on(doors: Doors) -> None:
    async with script(doors) as http:
        for number in range(3):
            body = {"content": f"{number}", "revision": await doors.revision("Welcome")}
            await http.put("pages/Welcome", json=body)
        whole = (await http.get("pages/Welcome/history")).json()["history"]
        part = (await http.get("pages/Welcome/history?limit=3")).json()
        rest = (await http.get("pages/Welcome/history", params={"cursor": part["cursor"]})).json()
        assert part["history"] + rest["history"] == whole
        old = await http.get("pages/Welcome", params={"revision": whole[-1]["revision"][:7]})
        assert old.json()["content"] == "Welcome."


async def test_links(doors: Doors) -> None:
    await doors.seed({"On Call": "[[Welcome]] [[Missing]] [[On_Call]]", "A": "[[On_Call]] [[On Call]] `[[No]]`"})
    async with script(doors) as http:
        graph = (await http.get("links")).json()
        assert graph["nodes"] == ["A", "On Call", "Welcome", "Missing"]
        assert [(edge["source"], edge["target"]) for edge in graph["edges"]] == [
            ("A", "On Call"),
            ("On Call", "Welcome"),
            ("On Call", "Missing"),
            ("On Call", "On Call"),
        ]
        around = (await http.get("links/On_Call")).json()
        assert around == {
            "path": "On Call",
            "links_to": ["Welcome", "Missing", "On Call"],
            "linked_from": ["A", "On Call"],
        }
        assert (await http.get("links/Missing")).json()["linked_from"] == ["On Call"]
        assert (await http.get("links/Nowhere")).json() == {"path": "Nowhere", "links_to": [], "linked_from": []}


async def test_a_list_by_date_goes_on(doors: Doors) -> None:
    await doors.seed({"B": "x", "A": "y"})
    async with script(doors) as http:
        part = (await http.get("pages?sort=updated&limit=2")).json()
        rest = (await http.get("pages", params={"sort": "updated", "cursor": part["cursor"]})).json()
        assert sorted(page["path"] for page in part["pages"] + rest["pages"]) == ["A", "B", "Welcome"]
        assert (await http.get("pages?sort=size")).json()["code"] == "invalid_parameter"


NAMES = ["Ü/日本", "100% sure", "a+b & c", "C#", "it's", "Foo/history", "Foo/attachments", "a;b", "[x]", "q?"]


@pytest.mark.parametrize("name", NAMES)
async def test_odd_names_through_every_route(doors: Doors, name: str) -> None:
    address = f"pages/{quote(name, safe='')}"
    async with script(doors) as http:
        assert (await http.put(address, json={"content": "x"})).json()["path"] == name
        assert len((await http.get(f"{address}/history")).json()["history"]) == 1
        assert (await http.put(f"{address}/attachments/f.bin", content=b"\0")).json()["path"] == name
        assert (await http.get(f"{address}/attachments")).json()["total"] == 1
        assert (await http.get(f"links/{quote(name, safe='')}")).json()["path"] == name
        assert (await http.post(f"{address}/rename", json={"new_path": f"{name} 2"})).json()["new_path"] == f"{name} 2"
        stub = (await http.get(f"{address}?redirect=0")).json()
        assert stub["frontmatter"] == {"redirect": f"{name} 2"}
        assert (await http.delete(address)).json()["path"] == name


@pytest.mark.parametrize("name", ["..", "a/../b", ".git/x", "-x", "a\x00b", "x.", " x", "a//b", "x" * 300])
async def test_names_that_are_none_through_every_route(doors: Doors, name: str) -> None:
    address = f"pages/{quote(name, safe='').replace('.', '%2E')}"
    async with script(doors) as http:
        for method, path, body in (
            ("GET", address, None),
            ("DELETE", address, None),
            ("GET", f"{address}/history", None),
            ("GET", f"{address}/attachments", None),
            ("PUT", f"{address}/attachments/f", None),
            ("POST", f"{address}/rename", {"new_path": "New"}),
            ("POST", "pages/Welcome/rename", {"new_path": name}),
        ):
            answer = await http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_page_name"), (method, path)
