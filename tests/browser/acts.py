"""What brings a page into the state that a screen shows."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing

from playwright.sync_api import Page, expect

from tests.browser.conftest import link_for
from tests.browser.stage import LONG, Stage
from tests.harness import robot_command
from wikihost.layout import DataDir

Act = Callable[[Page, Stage], object]


def says(text: str) -> Act:
    return lambda page, _: expect(page.get_by_text(text)).to_be_visible()


def is_full(page: Page, _: Stage) -> None:
    expect(page.get_by_role("meter", name="Pages: 4 of 3")).to_be_visible()
    expect(page.get_by_text("over quota")).to_be_visible()


def refused_link(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Sign-in link").fill("nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#link-problem")).to_be_visible()


def follow_link(page: Page, stage: Stage) -> None:
    page.evaluate("address => { location.href = address; }", link_for(stage.robot))
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in as Keeper?")


def refused_wiki(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Name").fill(LONG)
    page.get_by_role("textbox", name="Address").fill("admin")
    page.get_by_role("textbox", name="What it is about").fill(f"{LONG}{LONG}")
    page.get_by_role("button", name="Create wiki").click()
    expect(page.get_by_role("alert")).to_be_visible()


def refused_settings(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Name").fill(" ")
    page.get_by_role("textbox", name="What it is about").fill(f"{LONG}{LONG}")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_role("alert")).to_be_visible()


def refused_domain(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Domain").fill(f"https://{LONG}{LONG}/")
    page.get_by_role("button", name="Use this domain").click()
    expect(page.locator("#domain-problem")).to_be_visible()


def ask_for_domain(page: Page, _: Stage) -> None:
    typed = page.get_by_role("textbox", name="Domain")
    if typed.count():
        typed.fill(f"{LONG[:50]}.{LONG[:50]}.example")
        page.get_by_role("button", name="Use this domain").click()
    expect(page.get_by_role("heading", name="1. A TXT record shows that it is yours")).to_be_visible()


def put_domain_in_force(page: Page, stage: Stage) -> None:
    stage.robot.put_in_force(f"{stage.frozen.slug}.localhost", stage.frozen.slug)
    page.reload()
    expect(page.get_by_text("In force.")).to_be_visible()


def lose_domain(page: Page, stage: Stage) -> None:
    put_domain_in_force(page, stage)
    with closing(sqlite3.connect(DataDir(stage.robot.data).robot_db)) as db, db:
        db.execute("UPDATE domains SET failing_since = 1, record_problem = ? WHERE verified_at IS NOT NULL", (LONG,))
    page.reload()
    expect(page.get_by_text("In force, but not for long.")).to_be_visible()


def refused_token(page: Page, stage: Stage) -> None:
    unfold(page, stage)
    page.get_by_role("textbox", name="Name").fill("Reporter")
    page.get_by_role("textbox", name="Only in the folder").fill(f"{LONG}/..")
    page.get_by_role("button", name="Make token").click()
    expect(page.locator("#token-folder-problem")).to_contain_text("A folder is written as")


def make_token(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Name").fill(LONG[:60])
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()


def revoke(name: str) -> Act:
    return lambda page, _: page.get_by_role("link", name=f"Revoke {name}", exact=True).first.click()


def review_undoing(page: Page, _: Stage) -> None:
    page.get_by_role("button", name="Show what would be undone").click()
    expect(page.get_by_role("heading", name="What would be done")).to_be_visible()


def refused_name(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="Name").fill(f"<{LONG}>")
    page.get_by_role("button", name="Save name").click()
    expect(page.locator("#display-name-problem")).to_be_visible()


def ask_to_leave(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="type your user name").fill("leaver")
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account will be deleted")


def come_back(page: Page, stage: Stage) -> None:
    page.goto(link_for(stage.robot, "leaver"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep your account?")


def suspend(page: Page, stage: Stage) -> None:
    robot_command("user", "suspend", "outcast", "--why", LONG, data=stage.robot.data, port=stage.robot.port)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("This account is suspended")


def make_link(page: Page, _: Stage) -> None:
    page.get_by_role("button", name="Make a sign-in link").click()
    expect(page.get_by_text("It is shown only now")).to_be_visible()


def open_first_wiki(page: Page, _: Stage) -> None:
    page.locator(".list tbody th a").first.click()
    expect(page.get_by_role("heading", name="Quota")).to_be_visible()


def refused_quota(page: Page, stage: Stage) -> None:
    open_first_wiki(page, stage)
    page.get_by_role("textbox", name="Pages").fill("many")
    page.get_by_role("button", name="Set the quota").click()
    expect(page.locator("#quota-problem")).to_be_visible()


def refused_reason(page: Page, stage: Stage) -> None:
    open_first_wiki(page, stage)
    page.get_by_role("textbox", name="Reason").fill(" ")
    page.get_by_role("button", name="Take it down").click()
    expect(page.locator("#why-problem")).to_be_visible()


def refused_end(page: Page, stage: Stage) -> None:
    open_first_wiki(page, stage)
    page.get_by_role("textbox", name="To go on").fill(LONG)
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#slug-problem")).to_be_visible()


def unsealed(page: Page, stage: Stage) -> None:
    open_first_wiki(page, stage)
    page.get_by_role("button", name="Keep a sealed copy").click()
    expect(page.get_by_role("alert")).to_contain_text("No sealed copy was kept")


def alerts_stand(page: Page, stage: Stage) -> None:
    with closing(sqlite3.connect(DataDir(stage.robot.data).robot_db)) as db, db:
        db.execute("INSERT OR REPLACE INTO alerts VALUES ('workers', 1, 1, ?, ?)", (LONG, f"{LONG}."))
        db.execute(
            "INSERT INTO alert_messages (way, made_at, kind, alert, sentence, remedy, tries, next_at, problem)"
            " VALUES ('mail', 1, 'began', 'workers', '', '', 1, 1, ?)",
            (f"{LONG}.",),
        )
    page.reload()
    expect(page.get_by_text("A message waits to leave by mail")).to_be_visible()


def open_menu(page: Page, _: Stage) -> None:
    page.locator(".robot-menu > summary").click()
    expect(page.locator(".robot-menu nav")).to_be_visible()
    if page.locator(".robot-who").count():
        expect(page.locator(".robot-who")).to_have_text("Signed in as Keeper")


def refused_invitation(page: Page, _: Stage) -> None:
    page.get_by_role("textbox", name="User name").fill(f"<{LONG}>")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.locator(".problem").first).to_be_visible()


def make_invitation(page: Page, _: Stage) -> None:
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()


def ask_of_member(deed: str, name: str) -> Act:
    return lambda page, _: page.get_by_role("link", name=f"{deed} {name}", exact=True).click()


def leave_alone(page: Page, _: Stage) -> None:
    page.get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def delete_wrong(page: Page, _: Stage) -> None:
    page.get_by_role("textbox").fill(LONG)
    page.get_by_role("button", name="Delete this wiki").click()
    expect(page.locator("#slug-problem")).to_be_visible()


def look_at_deleted(page: Page, _: Stage) -> None:
    page.get_by_role("link", name="Delete for good").first.click()
    expect(page.get_by_role("heading", name="Have it back")).to_be_visible()


def look_at_import(page: Page, _: Stage) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Reports/May.md", "# May\n\nTwo herons.\n")
        archive.writestr("Reports/What?.md", "# What\n")
        archive.writestr(f"{LONG * 4}.md", "# Too long\n")
    page.get_by_label("A zip archive or a git bundle").set_input_files(
        {"name": f"{LONG}.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    )
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("button", name="Import")).to_be_visible()


def unfold(page: Page, _: Stage) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
