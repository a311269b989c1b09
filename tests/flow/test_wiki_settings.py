"""Settings of a wiki are in force for the very next request, at every door of a running robot."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.owner import Owner, signed_in_owner
from tests.git_door.client import Git, address
from tests.harness import Robot

pytestmark = pytest.mark.flow

REFS = "/.git/info/refs?service=git-upload-pack"


@dataclass
class Kept:
    """A wiki and its owner's browser on the platform."""

    robot: Robot
    slug: str
    token: str
    owner: Owner

    def change(self, **changes: str) -> None:
        form = {"name": self.slug, "description": "", "visibility": "private", "git": "on"} | changes
        sent = {name: value for name, value in form.items() if value or name != "git"}
        answer = self.owner.client.post(f"/app/wiki/{self.slug}/settings", data=sent)
        assert answer.status_code == 303, answer.text

    @property
    def origin(self) -> str:
        return self.robot.wiki_origin(self.slug)


@pytest.fixture(scope="module")
def owner(robot: Robot) -> Iterator[Owner]:
    with signed_in_owner(robot) as browser:
        yield browser


@pytest.fixture
def kept(owner: Owner) -> Kept:
    slug = f"kept-{secrets.token_hex(4)}"
    return Kept(owner.robot, slug, owner.make_wiki(slug), owner)


def seen_by_strangers(kept: Kept, git: Git) -> dict[str, bool]:
    with kept.robot.client(kept.origin) as stranger:
        return {
            "page": stranger.get("/Home").status_code == 200,
            "search page": stranger.get("/-/index").status_code == 200,
            "rest": stranger.get("/api/v1/pages/Home").status_code == 200,
            "rest search": stranger.get("/api/v1/search?q=home").status_code == 200,
            "clone": git.run("ls-remote", address(kept.robot, slug=kept.slug)).returncode == 0,
        }


def test_who_may_read_changes_at_once_both_ways(kept: Kept, tmp_path: Path) -> None:
    git = Git(tmp_path)
    for visibility, readable in (
        ("private", False), ("public", True), ("private", False), ("unlisted", True), ("private", False)
    ):  # fmt: skip
        kept.change(visibility=visibility)
        seen = seen_by_strangers(kept, git)
        assert seen == dict.fromkeys(seen, readable), visibility
        listed = kept.robot.client(kept.robot.platform).get("/").text
        assert (kept.origin in listed) is (visibility == "public")


def test_without_git_there_is_nothing_for_whoever_may_read(kept: Kept, tmp_path: Path) -> None:
    git, reader = Git(tmp_path), kept.owner.make_token(kept.slug, "read")
    copy = git.clone(address(kept.robot, kept.token, kept.slug), "copy")
    kept.change(visibility="public", git="")
    push = "/.git/info/refs?service=git-receive-pack"
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    clients = [kept.robot.client(kept.origin), *(kept.robot.agent(t, kept.origin) for t in (kept.token, reader))]
    for client in clients:
        nothing = client.get("/.git/nothing")
        for answer in (client.get(REFS), client.get(push), client.post("/.git/git-receive-pack", headers=kind)):
            assert (answer.status_code, answer.text) == (404, nothing.text)
            assert "www-authenticate" not in answer.headers
        client.close()
    copy.write({"New.md": "x"})
    assert "not found" in copy.fails("push")
    assert "not found" in git.fails("clone", address(kept.robot, kept.token, kept.slug), "no")
    kept.change(visibility="public")
    copy("push", "-q")
    git.clone(address(kept.robot, slug=kept.slug), "again")


def test_without_git_a_private_wiki_still_looks_like_none(kept: Kept) -> None:
    kept.change(git="")
    answers = []
    for slug in (kept.slug, "missing"):
        with kept.robot.client(kept.robot.wiki_origin(slug)) as stranger:
            for seen in (stranger.get(REFS), stranger.get("/.git/config")):
                headers = seen.headers.get("www-authenticate", "").replace(slug, "")
                answers.append((seen.status_code, seen.text, headers))
    assert answers[:2] == answers[2:]
    with kept.robot.agent(kept.robot.token, kept.origin) as of_another_wiki:
        assert of_another_wiki.get(REFS).status_code == 401
    with kept.robot.agent(kept.token, kept.origin) as owner:
        assert owner.get(REFS).status_code == 404


def test_a_new_name_and_purpose_reach_the_running_wiki_and_its_agents(kept: Kept) -> None:
    name, purpose = f"Kept <& {secrets.token_hex(3)}", f"About {secrets.token_hex(3)}."
    kept.change(visibility="public")
    with kept.robot.client(kept.origin) as reader, kept.robot.agent(kept.token, kept.origin) as agent:
        reader.headers["Accept"] = "text/html"
        assert kept.slug in reader.get("/Home").text
        kept.change(visibility="public", name=name, description=purpose)
        shown = reader.get("/Home")
        assert shown.status_code == 200
        assert name.replace("&", "&amp;").replace("<", "&lt;") in shown.text
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        greeting = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        told = agent.post("/mcp", json=greeting, headers={"Accept": "application/json, text/event-stream"}).text
        assert purpose in told
    assert purpose in kept.owner.client.get(f"/app/wiki/{kept.slug}").text


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "wiki"}, {}],
)
def test_no_page_of_a_wiki_changes_settings(kept: Kept, headers: dict[str, str]) -> None:
    form = {"name": "x", "description": "", "visibility": "public"}
    sent = {name: kept.origin if value == "wiki" else value for name, value in headers.items()}
    with kept.robot.client(kept.robot.platform, cookies=kept.owner.cookies) as browser:
        path = f"/app/wiki/{kept.slug}/settings"
        assert browser.get(path).status_code == 200
        assert browser.post(path, data=form, headers=sent).status_code == 403
    with kept.robot.client(kept.origin) as stranger:
        assert stranger.get("/Home").status_code != 200


def test_no_token_opens_the_settings(kept: Kept) -> None:
    path = f"/app/wiki/{kept.slug}/settings"
    for headers in ({"Authorization": f"Bearer {kept.token}"}, {}):
        with kept.robot.client(kept.robot.platform) as program:
            form = {"name": "x", "description": "", "visibility": "public"}
            assert program.get(path, headers=headers).status_code == 303
            answer = program.post(path, data=form, headers=headers | {"Sec-Fetch-Site": "none"})
            assert (answer.status_code, answer.headers["location"][:11]) == (303, "/auth/login")
    assert f'value="{kept.slug}"' in kept.owner.client.get(path).text
