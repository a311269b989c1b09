"""A private wiki at every door, for nobody, its reader, its writer, and whoever may do all in another wiki.

And for those who could write and cannot any more, with the token that they wrote with: who was made a viewer, who was
removed, who is suspended.

The routes of REST are taken from the door itself: one that is open to somebody whom no row here names fails.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
import trio
from werkzeug.routing import Rule

from robot.access import first_owner, grant_role
from robot.accounts import create_user
from robot.db import Database
from robot.members import change_role, remove_member
from robot.model import Role, Scope, User
from robot.tokens import create_token
from robot.wikis import find_wiki_by_slug
from tests.flow.owner import Owner, signed_in_owner
from tests.harness import Robot
from tests.mcp_message import message
from tests.robot.agent_doors import open_doors
from wikihost.layout import DataDir

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
    tokens: dict[str, str]  # "of another wiki", "reader", "writer", and of those who were writers

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
        tokens["of another wiki"] = owner.make_wiki(other)
        yield Scene(robot, owner, slug, tokens | trio.run(_who_were_writers, robot, slug))


async def _who_were_writers(robot: Robot, slug: str) -> dict[str, str]:
    """Tokens that wrote, of people who may not any more."""
    db = Database.open(DataDir(robot.data).robot_db)
    try:
        wiki = find_wiki_by_slug(db, slug)
        assert wiki is not None
        owner, tokens = first_owner(db, wiki), {}
        for who in WERE_WRITERS:
            user = await create_user(db, f"{who}-{secrets.token_hex(4)}", who.title())
            await grant_role(db, user, wiki, Role.EDITOR)
            tokens[who], _ = await create_token(db, user, wiki, who, [Scope.WRITE])
            with robot.agent(tokens[who], robot.wiki_origin(slug)) as client:
                assert client.put(f"/api/v1/pages/By {who}", json={"content": "x"}).status_code == 201
            match who:
                case "lowered":
                    await change_role(db, wiki, owner, user, Role.VIEWER, limit=None)
                case "removed":
                    await remove_member(db, wiki, owner, user)
                case "suspended":
                    await db.write(partial(_suspend, user))
        return tokens
    finally:
        db.close()


def _suspend(user: User, connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE users SET suspended_at = 1 WHERE id = ?", (user.id,))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    return list(open_doors(tmp_path_factory.mktemp("doors") / "data").rest.url_map.iter_rules())


WERE_WRITERS = ["lowered", "removed", "suspended"]
WHO = ["nobody", "of another wiki", "reader", "writer", *WERE_WRITERS]
REFUSED = {"of another wiki", "removed", "suspended"}
READERS = {"reader", "lowered"}


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
                elif who == "nobody" or who in REFUSED:
                    assert status == 401, shown
                elif who in READERS and method not in ("GET", "HEAD"):
                    assert status == 403, shown
                else:
                    assert status not in (401, 403, 500), shown


@pytest.mark.parametrize(
    ("who", "fetch", "push"),
    [("nobody", 401, 401), *((who, 401, 401) for who in sorted(REFUSED)), ("writer", 200, 200)]
    + [(who, 200, 403) for who in sorted(READERS)],
)
def test_git(scene: Scene, who: str, fetch: int, push: int) -> None:
    with scene.client(who) as client:
        for service, expected in (("git-upload-pack", fetch), ("git-receive-pack", push)):
            assert client.get(f"/.git/info/refs?service={service}").status_code == expected
            kind = {"Content-Type": f"application/x-{service}-request"}
            assert client.post(f"/.git/{service}", content=b"0000", headers=kind).status_code == expected
        for file in ("HEAD", "config", "objects/info/packs", "index", "info/refs"):
            assert client.get(f"/.git/{file}").status_code == (401 if who in REFUSED else 404)


@pytest.mark.parametrize("who", WHO)
def test_mcp(scene: Scene, who: str) -> None:
    def ask(method: str, **parameters: Any) -> httpx2.Response:
        return client.post(**message(method, **parameters))

    with scene.client(who) as client:
        listed = ask("tools/list")
        written = ask("tools/call", name="write_note", arguments={"path": f"By {who}", "content": "x"})
        if who == "nobody" or who in REFUSED:
            assert (listed.status_code, written.status_code) == (401, 401)
            return
        names = {tool["name"] for tool in listed.json()["result"]["tools"]}
        assert {"read_note", "search_notes"} <= names
        assert ("write_note" in names) is (who == "writer")
        assert written.json()["result"]["isError"] is (who in READERS)


@pytest.mark.parametrize("who", ["nobody", "of another wiki", "writer", "in another wiki", "removed"])
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
