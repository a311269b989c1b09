"""A frozen wiki is read as ever, and not changed at any door of a running robot, from the operator's word on."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from robot.commands.import_ import command as import_command
from robot.commands.wiki import command as wiki_command
from tests.flow.owner import Owner, signed_in_owner
from tests.git_door.client import Git, address
from tests.harness import Robot
from tests.mcp_message import message

pytestmark = pytest.mark.flow

SENTENCE = "read-only by the operator"


class Frozen:
    """A wiki with a client at each door, frozen since all of them last used it."""

    def __init__(self, owner: Owner, place: Path) -> None:
        self.robot, self.slug, self.owner = owner.robot, f"frozen-{secrets.token_hex(4)}", owner
        self.token = owner.make_wiki(self.slug)
        self.script = self.robot.agent(self.token, self.robot.wiki_origin(self.slug))
        self.browser = owner.browser(self.slug)
        self.copy = Git(place).clone(address(self.robot, self.token, self.slug), "copy")
        assert self.save("Before").status_code == 302
        self.copy("pull", "-q")
        assert "/Before?edit" in self.browser.get("/Before").text
        self.command("freeze")

    def command(self, verb: str) -> str:
        done = self.run(wiki_command, verb, self.slug)
        assert done.exit_code == 0, done.output
        return str(done.output)

    def run(self, command: Any, *words: str) -> Any:
        """A verb of the command line, without the second that starting a process takes."""
        settings = {"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(self.robot.data)}
        return CliRunner(env=settings).invoke(command, words)

    def save(self, name: str, text: str = "x") -> httpx2.Response:
        return self.browser.post(f"/{name}/save", data={"content": text, "commit": "Save", "robot_base": "none"})

    def head(self) -> str:
        return str(self.script.get("/api/v1/changelog").json()["entries"][0]["revision"])

    def mcp(self, method: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.script.post(**message(method, **params)).json()["result"]
        return result


@pytest.fixture(scope="module")
def frozen(robot: Robot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    with signed_in_owner(robot) as owner:
        frozen = Frozen(owner, tmp_path_factory.mktemp("frozen"))
        with closing(frozen.script), closing(frozen.browser):
            yield frozen


def test_rest_refuses_by_a_code_of_its_own_and_reads_on(frozen: Frozen) -> None:
    refused = [
        frozen.script.put("/api/v1/pages/New", json={"content": "x"}),
        frozen.script.put("/api/v1/pages/New?dry_run=1", json={"content": "x"}),
        frozen.script.delete("/api/v1/pages/Before"),
        frozen.script.post("/api/v1/reindex"),
        frozen.script.delete("/api/v1/reindex"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "frozen")] * 5
    assert SENTENCE in refused[0].json()["error"]
    for path in ("pages/Before", "search?q=x", "find?q=x", "semantic-search?q=x", "pages/Before/similar"):
        assert frozen.script.get(f"/api/v1/{path}").status_code == 200, path


def test_mcp_lists_no_tool_that_writes_and_says_why_one_fails(frozen: Frozen) -> None:
    tools = {tool["name"]: tool["annotations"]["readOnlyHint"] for tool in frozen.mcp("tools/list")["tools"]}
    assert tools
    assert all(tools.values())
    failed = frozen.mcp("tools/call", name="write_note", arguments={"path": "New", "content": "x"})
    assert failed["isError"]
    assert SENTENCE in failed["content"][0]["text"]
    assert not frozen.mcp("tools/call", name="read_note", arguments={"path": "Before"})["isError"]
    assert not frozen.mcp("tools/call", name="search", arguments={"query": "x"})["isError"]
    info = frozen.mcp("tools/call", name="get_wiki_info", arguments={})
    assert SENTENCE in info["content"][0]["text"]


def test_git_is_fetched_and_not_pushed(frozen: Frozen) -> None:
    frozen.copy.write({"Pushed.md": "x"})
    assert SENTENCE in frozen.copy.fails("push")
    frozen.copy("reset", "-q", "--hard", "@{upstream}")
    frozen.copy("fetch", "-q")


def test_the_browser_shows_no_controls_and_gives_the_text_back(frozen: Frozen) -> None:
    page = frozen.browser.get("/Before")
    assert page.status_code == 200
    assert SENTENCE in page.text
    assert "/Before?edit" not in page.text
    assert "/-/create" not in page.text
    refused = frozen.save("Before", "All that I typed.")
    assert refused.status_code == 403
    assert SENTENCE in refused.text
    assert "All that I typed." in refused.text
    for place in ("/Before/edit", "/Before?edit", "/Before/rename", "/-/create", "/-/admin/sidebar_preferences"):
        form = frozen.browser.get(place)
        assert (form.status_code, SENTENCE in form.text) == (403, True), place
    assert frozen.browser.post("/Before/delete").status_code == 403


def test_an_import_is_refused_and_exports_and_settings_go_on(frozen: Frozen, tmp_path: Path) -> None:
    client, place = frozen.owner.client, f"/app/wiki/{frozen.slug}"
    for refused in (client.get(f"{place}/import"), client.post(f"{place}/import", data={"url": "https://x.test/"})):
        assert (refused.status_code, SENTENCE in refused.text) == (403, True)
    (tmp_path / "Note.md").write_text("x")
    told = frozen.run(import_command, frozen.slug, str(tmp_path))
    assert told.exit_code != 0
    assert SENTENCE in str(told.exception) + told.output
    assert client.get(f"{place}/export/zip").status_code == 200
    form = {"name": "Still mine", "description": "", "visibility": "public", "git": "1"}
    assert client.post(f"{place}/settings", data=form).status_code == 303
    shown = client.get(place).text
    assert "Still mine" in shown
    assert "read-only" in shown
    # Strangers read it too, and are not sent to sign in for what nobody may do.
    stranger = frozen.robot.client(frozen.robot.wiki_origin(frozen.slug))
    with stranger:
        stranger.headers |= {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        assert SENTENCE in stranger.get("/Home").text
        saved = stranger.post("/Home/save", data={"content": "Typed.", "commit": "", "robot_base": "none"})
        assert (saved.status_code, SENTENCE in saved.text, "Typed." in saved.text) == (403, True, True)


def test_thawed_it_takes_changes_at_once(frozen: Frozen) -> None:
    head = frozen.head()
    assert "can be written again" in frozen.command("unfreeze")
    assert "/Before?edit" in frozen.browser.get("/Before").text
    assert frozen.save("After").status_code == 302
    assert frozen.head() != head
    changed = frozen.script.get("/api/v1/changes", params={"since": head}).json()["changes"]
    assert [change["path"] for change in changed] == ["After"]
