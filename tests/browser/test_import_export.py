"""A vault comes in and a site goes out, in a browser that runs no script; the pages on the way are good to read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot, robot_command

pytestmark = pytest.mark.browser


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (400, 200), (90, 140, 200)).save(data, "PNG")
    return data.getvalue()


def vault(place: Path) -> Path:
    files: dict[str, bytes | str] = {
        "My vault/.obsidian/app.json": "{}",
        "My vault/Home.md": "# Start\n\n[[Plan|the plan]]\n\n![[shot.png|200]]\n\n![[Plan#Next steps]]\n",
        "My vault/Work/Plan.md": "# Plan\n\nBack to [[Home]].\n\n## Next steps\n\nWe begin.\n",
        "My vault/files/shot.png": picture(),
        "My vault/-odd <b>name</b>.md": "x",
        "My vault/../../up.md": "x",
    }
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return place


def test_the_whole_walk_without_javascript(
    robot: Robot, new_context: NewContext, make_wiki: Callable[..., MadeWiki], tmp_path: Path
) -> None:
    page = new_context(java_script_enabled=False, accept_downloads=True).new_page()
    wiki = make_wiki()
    page.goto(link_for(robot))
    page.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("A zip archive or a git bundle").set_input_files(vault(tmp_path / "My vault.zip"))
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("heading", name="What would be done")).to_be_visible()
    expect(page.get_by_role("row", name="My vault/../../up.md")).to_contain_text("leaves the folder")
    expect(page.get_by_role("row", name="-odd <b>name</b>.md")).to_contain_text("dash")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="What was done")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("is imported")

    # In Otter Wiki's own words: the link, the scaled picture, the section of the other page.
    page.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    page.locator("a.button", has_text="Open wiki").click()
    page.goto(f"{wiki.origin}/Home")
    body = page.locator(".page")
    expect(body.get_by_text("We begin.")).to_be_visible()
    assert body.locator("img").evaluate("image => image.naturalWidth") == 200
    body.get_by_role("link", name="the plan").click()
    expect(page).to_have_url(f"{wiki.origin}/Work/Plan")

    page.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    page.get_by_role("link", name="Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Static site").click()
    assert download.value.suggested_filename.endswith("-html.zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path / "site")

    page.goto((tmp_path / "site" / "index.html").as_uri())
    page.get_by_role("link", name="Home", exact=True).first.click()
    page.get_by_role("link", name="the plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plan")
    page.get_by_role("link", name="Home", exact=True).click()
    assert page.locator("main img").evaluate("image => image.naturalWidth") == 400


def test_pages_of_import_and_export(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki], tmp_path: Path
) -> None:
    wiki = make_wiki()
    for tab in ("export", "import"):
        keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/{tab}")
        assert_good(keeper)
    keeper.get_by_role("button", name="Look at it first").click()
    expect(keeper.get_by_role("alert")).to_contain_text("Choose a file")
    keeper.get_by_label("A zip archive or a git bundle").set_input_files(vault(tmp_path / "My vault.zip"))
    keeper.get_by_role("button", name="Look at it first").click()
    expect(keeper.get_by_role("heading", name="What would be done")).to_be_visible()
    keeper.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert_good(keeper)
    keeper.get_by_role("button", name="Cancel").click()
    keeper.get_by_label("or the address").fill("https://127.0.0.1/x.git")
    keeper.get_by_role("button", name="Look at it first").click()
    expect(keeper.get_by_role("alert")).to_contain_text("not on the public internet")


def test_the_command_line_does_the_same(robot: Robot, make_wiki: Callable[..., MadeWiki], tmp_path: Path) -> None:
    """Beside the running host, on the same wikis."""
    transfers = robot.data / "transfers"
    of_others = set(transfers.glob("*"))
    wiki, other = make_wiki(), make_wiki()

    def run(*words: str) -> str:
        done = robot_command(*words, data=robot.data, port=robot.port)
        assert done.returncode == 0, done.stderr
        return done.stdout

    source = str(vault(tmp_path / "My vault.zip"))
    assert "Nothing was written" in run("import", wiki.slug, source, "--dry-run")
    with robot.agent(wiki.token, wiki.origin) as agent:
        assert agent.get("/api/v1/pages/Work/Plan").status_code == 404
        assert "-odd <b>name</b>.md → odd <b>name</b>" in run("import", wiki.slug, source)
        assert agent.get("/api/v1/pages/Work/Plan").json()["linked_from"] == ["Home"]
    for form, dest in (("bundle", "w.bundle"), ("html", "site")):
        assert dest in run("export", wiki.slug, str(tmp_path / dest), "--format", form)
    assert "We begin." in (tmp_path / "site" / "pages" / "Work" / "Plan.html").read_text()
    assert "2 commits of history" in run("import", other.slug, str(tmp_path / "w.bundle"))
    assert of_others.issuperset(transfers.glob("*"))
    refused = robot_command("import", wiki.slug, "https://127.0.0.1/x.git", data=robot.data, port=robot.port)
    assert (refused.returncode, "public internet" in refused.stderr) == (1, True)
