"""`robot import` beside the running host: whoever asks next sees what came, and what does not fit changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robot.commands.export import command as export_command
from robot.commands.import_ import command as import_command
from robot.commands.wiki import command as wiki_command
from tests.flow.owner import signed_in_owner
from tests.harness import Robot, robot_command
from wikihost.errors import QuotaExceeded

pytestmark = [pytest.mark.flow, pytest.mark.alone]


def run(robot: Robot, command: object, *words: str) -> Result:
    """A verb, without the second that starting a process takes."""
    settings = {"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(robot.data)}
    return CliRunner(env=settings).invoke(command, words)  # type: ignore[arg-type]


def folder(place: Path, **pages: str) -> str:
    place.mkdir()
    for name, text in pages.items():
        (place / f"{name}.md").write_text(text)
    return str(place)


def test_the_next_request_sees_it_at_every_door(robot: Robot, tmp_path: Path) -> None:
    with signed_in_owner(robot) as owner:
        token = owner.make_wiki("beside")
        with owner.browser("beside") as browser, robot.agent(token, robot.wiki_origin("beside")) as agent:
            for _ in range(2):  # the second comes from the page cache
                old = browser.get("/Home")
                assert "came by import" not in old.text
            assert browser.get("/Fresh").status_code == 404
            before = agent.get("/api/v1/pages/Home").json()["revision"]
            pages = folder(tmp_path / "vault", Home="It came by import.", Fresh="Fresh and unheard-of [[Home]].")
            done = run(robot, import_command, "beside", pages, "--existing", "replace")
            assert (done.exit_code, "Commit " in done.output) == (0, True), done.output

            again = browser.get("/Home", headers={"If-None-Match": old.headers.get("ETag", '"none"')})
            assert (again.status_code, "came by import" in again.text) == (200, True)
            assert "unheard-of" in browser.get("/Fresh").text
            page = agent.get("/api/v1/pages/Home").json()
            assert (page["content"], "Fresh" in page["linked_from"]) == ("It came by import.", True)
            assert page["revision"] != before
            assert agent.get("/api/v1/search", params={"q": "unheard"}).json()["results"]
            save = {"content": "Lost?", "commit": "", "robot_base": before}
            assert "came by import" in browser.post("/Home/save", data=save).text  # a conflict, and nothing is lost


def test_what_does_not_fit_is_refused_with_a_sentence_and_changes_nothing(robot: Robot, tmp_path: Path) -> None:
    with signed_in_owner(robot) as owner:
        token = owner.make_wiki("narrow")
    with robot.agent(token, robot.wiki_origin("narrow")) as agent:
        held = agent.get("/api/v1/pages").json()["total"]
        assert run(robot, wiki_command, "quota", "narrow", "--pages", str(held + 1)).exit_code == 0
        pages = folder(tmp_path / "vault", One="1", Two="2")
        looked = run(robot, import_command, "narrow", pages, "--dry-run")
        assert looked.exit_code == 1
        assert "2 pages created" in looked.output
        assert "The import would be refused. With this the wiki would have" in looked.output
        assert isinstance(run(robot, import_command, "narrow", pages).exception, QuotaExceeded)
        refused = robot_command("import", "narrow", pages, data=robot.data, port=robot.port)
        assert (refused.returncode, "remove pages" in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)
        assert agent.get("/api/v1/pages").json()["total"] == held
        assert not list((robot.data / "transfers").iterdir())
        (tmp_path / "vault" / "Two.md").unlink()
        assert run(robot, import_command, "narrow", pages).exit_code == 0
        assert agent.get("/api/v1/pages").json()["total"] == held + 1


def test_an_export_takes_the_place_of_no_other(robot: Robot, tmp_path: Path) -> None:
    """Not of a finished one, nor of one that another process is at work on."""
    with signed_in_owner(robot) as owner:
        owner.make_wiki("twice")
    for other in ("twice.zip", "twice.zip.part"):
        (tmp_path / other).write_text("another's")
        refused = run(robot, export_command, "twice", str(tmp_path / "twice.zip"))
        assert refused.exit_code == 1
        assert (tmp_path / other).read_text() == "another's"
        (tmp_path / other).unlink()
    assert run(robot, export_command, "twice", str(tmp_path / "twice.zip")).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["twice.zip"]
