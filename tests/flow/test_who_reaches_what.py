"""A private wiki at every door, for nobody, its reader, its writer, and whoever may do all in another wiki.

The routes of REST are taken from the door itself: one that is open to somebody whom no row here names fails.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from werkzeug.routing import Rule

from tests.flow.owner import Owner, signed_in_owner
from tests.harness import Robot
from tests.mcp_message import message
from tests.robot.agent_doors import open_doors

pytestmark = pytest.mark.flow

OPEN_TO_ALL = {"health", "openapi"}
PAGES = [
    "/", "/Home", "/Home/history", "/Home/source", "/Home/blame", "/Home/diff", "/Home/attachments", "/Home/a.txt",
    "/Home/edit", "/Home?raw", "/-/index", "/-/changelog", "/-/changelog/feed.rss", "/-/search?query=home", "/-/admin",
    "/-/create", "/Nothing", "/Home.md", "/Nothing.md", "/llms.txt",
]  # fmt: skip
FORMS = ["/Home/save", "/Home/rename", "/Home/delete", "/Home/attachments", "/-/admin", "/-/search", "/Home/preview"]


@dataclass
class Scene:
    robot: Robot
    owner: Owner
    slug: str
    tokens: dict[str, str]  # "of another wiki", "reader", "writer"

    def client(self, who: str) -> httpx2.Client:
        origin = self.robot.wiki_origin(self.slug)
        client = self.robot.agent(self.tokens[who], origin) if who in self.tokens else self.robot.client(origin)
        # Whoever is refused before the body is there finds the connection closed, so each request has its own.
        client.headers["Connection"] = "close"
        return client


@pytest.fixture(scope="module")
def scene(robot: Robot) -> Iterator[Scene]:
    with signed_in_owner(robot) as owner:
        slug, other = (f"{name}-{secrets.token_hex(4)}" for name in ("mine", "other"))
        tokens = {"writer": owner.make_wiki(slug), "reader": owner.make_token(slug, "read")}
        yield Scene(robot, owner, slug, {**tokens, "of another wiki": owner.make_wiki(other)})


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    return list(open_doors(tmp_path_factory.mktemp("doors") / "data").rest.url_map.iter_rules())


WHO = ["nobody", "of another wiki", "reader", "writer"]


@pytest.mark.parametrize("who", WHO)
def test_rest(scene: Scene, rules: list[Rule], who: str) -> None:
    assert len(rules) > 20
    with scene.client(who) as client:
        for rule in rules:
            path = re.sub(r"<(?:path:)?\w+>", "Not there", rule.rule)
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                status = client.request(method, path, json={} if method not in ("GET", "HEAD") else None).status_code
                shown = f"{who}: {method} {rule} answered {status}"
                if who == "nobody" and rule.endpoint in OPEN_TO_ALL:
                    assert status == 200, shown
                elif who in ("nobody", "of another wiki"):
                    assert status == 401, shown
                elif who == "reader" and method not in ("GET", "HEAD"):
                    assert status == 403, shown
                else:
                    assert status not in (401, 403, 500), shown


@pytest.mark.parametrize(
    ("who", "fetch", "push"),
    [("nobody", 401, 401), ("of another wiki", 401, 401), ("reader", 200, 403), ("writer", 200, 200)],
)
def test_git(scene: Scene, who: str, fetch: int, push: int) -> None:
    with scene.client(who) as client:
        for service, expected in (("git-upload-pack", fetch), ("git-receive-pack", push)):
            assert client.get(f"/.git/info/refs?service={service}").status_code == expected
            kind = {"Content-Type": f"application/x-{service}-request"}
            assert client.post(f"/.git/{service}", content=b"0000", headers=kind).status_code == expected
        for file in ("HEAD", "config", "objects/info/packs", "index", "info/refs"):
            assert client.get(f"/.git/{file}").status_code == (401 if who == "of another wiki" else 404)


@pytest.mark.parametrize("who", WHO)
def test_mcp(scene: Scene, who: str) -> None:
    def ask(method: str, **parameters: Any) -> httpx2.Response:
        return client.post(**message(method, **parameters))

    with scene.client(who) as client:
        listed = ask("tools/list")
        written = ask("tools/call", name="write_note", arguments={"path": f"By {who}", "content": "x"})
        if who in ("nobody", "of another wiki"):
            assert (listed.status_code, written.status_code) == (401, 401)
            return
        names = {tool["name"] for tool in listed.json()["result"]["tools"]}
        assert {"read_note", "search_notes"} <= names
        assert ("write_note" in names) is (who == "writer")
        assert written.json()["result"]["isError"] is (who == "reader")


@pytest.mark.parametrize("who", ["nobody", "of another wiki", "writer", "in another wiki"])
def test_pages(scene: Scene, who: str) -> None:
    """A wiki's pages know its own cookie alone: no token opens them, nor does the cookie of another wiki."""
    client = scene.client(who)
    if who == "in another wiki":
        cookies = scene.robot.hand_off(scene.robot.wiki, dict(scene.owner.cookies))
        client = scene.robot.client(scene.robot.wiki_origin(scene.slug), cookies=cookies)
    with client:
        client.headers["Sec-Fetch-Site"] = "same-origin"
        answers = [client.get(path) for path in PAGES] + [client.post(path, data={"content": "x"}) for path in FORMS]
        for answer in answers:
            assert answer.status_code == 404, (who, answer.request.url)
            assert answer.text == "There is no such wiki, or you may not read it.\n"
        browser = client.get("/Home", headers={"Accept": "text/html"})
        assert (browser.status_code, browser.headers["location"]) == (303, "/auth/start?next=%2FHome")
