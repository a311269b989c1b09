"""Every screen, in one table: what axe looks at in every run, and what a person looks at now and then.

`python -m tests.browser.screens FOLDER [NAME …]` draws them, in light, dark and phone width, and an index to look at.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from playwright.sync_api import Page, Route

from robot.limits import WHY
from robot.oauth.proposals import destination_of
from robot.signin.providers import Identity
from robot.web.errors import render_error, render_kept_form, render_kept_save, render_notice, render_waking
from robot.web.page import render
from tests.browser import acts
from tests.browser.acts import Act
from tests.browser.conftest import running_chromium, wiki_maker
from tests.browser.stage import GUEST, KEEPER, LONG, NEWCOMER, NOBODY, Browsers, Stage, make_stage
from tests.harness import running_robot
from tests.robot.fake_provider import FakeProvider

DESKTOP, PHONE = 1280, 375


@dataclass(frozen=True)
class Screen:
    """A page, who looks at it, and what brings it into the state that is meant."""

    name: str
    path: str = ""
    who: str = KEEPER
    act: Act | None = None
    body: bytes | None = None
    """The page itself, where it is one that no test can wait for."""
    allowed: str | None = None
    """A rule of axe that it breaks for a reason."""
    judged: str = "body"
    """What of it axe looks at, as a selector; nothing of what is Otter Wiki's own."""

    @property
    def is_otters(self) -> bool:
        """Whether most of it is Otter Wiki's."""
        return self.judged != "body"

    def show(self, browsers: Browsers) -> Page:
        page, stage = browsers.window(self.who), browsers.stage
        if self.body is None:
            page.goto(stage.address(self.path))
        else:
            self._show_body(page, stage, self.body)
        if self.act is not None:
            self.act(page, stage)
        return page

    def _show_body(self, page: Page, stage: Stage, body: bytes) -> None:
        def answer(route: Route) -> None:
            route.fulfill(body=body, content_type="text/html; charset=utf-8")

        address = f"{stage.robot.platform}/shown/{self.name}"
        page.route(address, answer)
        page.goto(address)


def _error(status: int, title: str, sentence: str) -> Screen:
    page = render_error(status, title, sentence, wait_s=40 if status == 429 else None, request_id="3f9a6c0d51e27b84")
    return Screen(f"error-{status}", who=NOBODY, body=page)


BLUESKY = FakeProvider()
UNIVERSITY = FakeProvider("oidc", "the university of a very long name indeed", asks=False)
ALICE = Identity("atproto", f"did:web:{LONG.replace(' ', '-')}.example.net", "alice.example.net", LONG)


def _provided(name: str, template: str, act: Act | None = None, **more: object) -> Screen:
    """A page that only a host with identity providers has, or one that goes on by itself; here it does not."""
    shown = render(template, user=None, domain="robot.localhost", **more).replace("http-equiv=", "name=")
    return Screen(name, who=NOBODY, body=shown.encode(), act=act)


def _login(name: str, act: Act | None = None, **more: object) -> Screen:
    nothing: dict[str, object] = {
        "title": None,
        "problem": None,
        "failed": "",
        "typed": "",
        "link_problem": None,
        "is_typed_wrong": False,
    }
    providers = [BLUESKY, UNIVERSITY]
    return _provided(name, "login.html", act, **nothing | {"next": "/", "asker": None, "providers": providers} | more)


def _sign_up(name: str, **more: object) -> Screen:
    nothing: dict[str, object] = {"signed_in": None, "errors": {}, "typed": {"name": "alice", "display_name": "Alice"}}
    return _provided(name, "signup.html", None, **nothing | {"identity": ALICE, "identity_key": "x"} | more)


SCREENS = (
    Screen("landing", "/", NOBODY),
    Screen("login", "/auth/login", NOBODY),
    Screen("login-problem", "/auth/login", NOBODY, acts.refused_link),
    _login("login-providers"),
    _login("login-providers-problem", acts.unfold, title="Nobody was found", problem=LONG, failed="atproto",
           typed=f"{LONG}.net", is_typed_wrong=True),
    _provided("depart", "depart.html", to="/", back="/", host="a-server-with-a-long-name.example.net"),
    _sign_up("sign-up"),
    _sign_up("sign-up-problem", typed={"name": "alice", "display_name": LONG},
             errors={"name": "The user name alice is taken. Choose another."}),
    _provided("sign-up-refused", "signup_refused.html", signed_in=None, identity=ALICE, closed=False),
    Screen("link", "wiki:/Home", NOBODY, acts.follow_link),
    Screen("link-dead", "/auth/link?token=used", NOBODY),
    Screen("logout-nobody", "/auth/logout", NOBODY),
    Screen("not-found", "/nothing-here", NOBODY),
    Screen("sign-up-over", "/auth/sign-up", NOBODY),
    Screen("landing-signed-in", "/"),
    Screen("sign-in-over", "/auth/callback?state=used"),
    Screen("ways-in", "/auth/connect"),
    Screen("logout", "/auth/logout"),
    Screen("dashboard-empty", "/app/", NEWCOMER, acts.says("You have no wiki yet")),
    Screen("dashboard", "/app/"),
    Screen("dashboard-offer", "/app/", GUEST, acts.says("invites you as an editor")),
    Screen("wiki-deleted", "/app/", GUEST, acts.look_at_deleted),
    Screen("create", "/app/create"),
    Screen("create-problems", "/app/create", act=acts.refused_wiki),
    Screen("search", "/app/search"),
    Screen("search-hits", "/app/search?q=herons+at+the+weir"),
    Screen("search-nothing", "/app/search?q=xyzzy"),
    Screen("wiki-created", "/app/wiki/{slug}?created=1"),
    Screen("wiki-full", "/app/wiki/{full}", act=acts.is_full),
    Screen("wiki-taken-down", "/app/wiki/{taken}", act=acts.says("was taken down")),
    Screen("wiki-frozen", "/app/wiki/{frozen}", act=acts.says("Read-only by the operator")),
    Screen("wiki-viewer", "/app/wiki/{slug}", GUEST),
    Screen("wiki-nobodys", "/app/wiki/nobodys"),
    Screen("agents", "/app/wiki/{slug}/agents?revoked=1", act=acts.says("may mean that it was stolen")),
    Screen("agents-problems", "/app/wiki/{slug}/agents", act=acts.refused_token),
    Screen("token-made", "/app/wiki/{full}/agents", act=acts.make_token),
    Screen("token-revoke", "/app/wiki/{slug}/agents", act=acts.revoke("test")),
    Screen("connection-revoke", "/app/wiki/{slug}/agents", act=acts.revoke("Claude")),
    Screen("activity-none", "/app/wiki/{full}/activity"),
    Screen("activity", "/app/wiki/{slug}/activity"),
    Screen("activity-settings", "/app/wiki/{slug}/activity?sort=settings"),
    Screen("visits", "/app/wiki/{slug}/activity/visits"),
    Screen("undo", "/app/wiki/{slug}/activity", act=acts.review_undoing),
    Screen("people", "/app/wiki/{slug}/people"),
    Screen("people-problem", "/app/wiki/{slug}/people", act=acts.refused_invitation),
    Screen("people-viewer", "/app/wiki/{slug}/people", GUEST),
    Screen("member-remove", "/app/wiki/{slug}/people", act=acts.ask_of_member("Remove", LONG)),
    Screen("member-leave", "/app/wiki/{slug}/people/leave", GUEST),
    Screen("member-leave-last", "/app/wiki/{full}/people/leave", act=acts.leave_alone),
    Screen("invite-made", "/app/wiki/{slug}/people", act=acts.make_invitation),
    Screen("invitation-nobody", "{invitation}", NOBODY),
    Screen("invitation", "{invitation}", NEWCOMER),
    Screen("invitation-member", "{invitation}", KEEPER),
    Screen("delete", "/app/wiki/{frozen}/delete"),
    Screen("delete-problem", "/app/wiki/{full}/delete", act=acts.delete_wrong),
    Screen("import", "/app/wiki/{slug}/import"),
    Screen("import-ready", "/app/wiki/{slug}/import", act=acts.look_at_import),
    Screen("export", "/app/wiki/{slug}/export"),
    Screen("settings", "/app/wiki/{slug}/settings?saved=1"),
    Screen("settings-problems", "/app/wiki/{full}/settings", act=acts.refused_settings),
    Screen("domain", "/app/wiki/{full}/domain"),
    Screen("domain-problem", "/app/wiki/{full}/domain", act=acts.refused_domain),
    Screen("domain-asked-for", "/app/wiki/{full}/domain", act=acts.ask_for_domain),
    Screen("domain-in-force", "/app/wiki/{frozen}/domain", act=acts.put_domain_in_force),
    Screen("domain-lost", "/app/wiki/{frozen}/domain", act=acts.lose_domain),
    Screen("account", "/app/account"),
    Screen("account-problem", "/app/account", act=acts.refused_name),
    Screen("account-owns-alone", "/app/account/delete"),
    Screen("account-delete", "/app/account/delete", NEWCOMER),
    Screen("account-left", "/app/account/delete", "leaver", acts.ask_to_leave),
    Screen("account-leaving", "/auth/login", "leaver", acts.come_back),
    Screen("suspended", "/app/", "outcast", acts.suspend),
    Screen("admin", "/app/admin"),
    Screen("admin-alerts", "/app/admin", act=acts.alerts_stand),
    Screen("admin-people", "/app/admin/people"),
    Screen("admin-nobody", "/app/admin/people?q=xyzzy&only=suspended"),
    Screen("admin-person", "/app/admin/people/guest"),
    Screen("admin-person-suspended", "/app/admin/people/outcast"),
    Screen("admin-link", "/app/admin/people/guest", act=acts.make_link),
    Screen("admin-wikis", "/app/admin/wikis"),
    Screen("admin-wiki", "/app/admin/wikis", act=acts.open_first_wiki),
    Screen("admin-wiki-problem", "/app/admin/wikis", act=acts.refused_quota),
    Screen("admin-wiki-no-reason", "/app/admin/wikis?only=public", act=acts.refused_reason),
    Screen("admin-wiki-taken-down", "/app/admin/wikis?only=taken-down", act=acts.open_first_wiki),
    Screen("admin-wiki-end-problem", "/app/admin/wikis?only=taken-down", act=acts.refused_end),
    Screen("admin-wiki-unsealed", "/app/admin/wikis?only=taken-down", act=acts.unsealed),
    Screen("consent", "{asking}"),
    Screen("consent-none", "{asking}", NEWCOMER),
    Screen("consent-nobody", "{asking}", NOBODY),
    _provided("consent-refused", "consent_refused.html", destination=destination_of("https://claude.ai/callback"),
              sentence="A token is for one wiki: send one resource.", location="/"),
    _provided("consent-done", "consent_done.html", location="/"),
    _error(403, "Refused", "A form or script of another site sent this request, so nothing was done."),
    _error(404, "There is nothing here", f"No page of this host has the address {LONG}."),
    _error(410, "This invitation was withdrawn", "Whoever sent it has taken it back."),
    _error(429, "Too often", "You asked for more sign-ins than this host begins at once."),
    _error(500, "Something went wrong", "This host made a mistake. What was saved before is safe."),
    _error(503, "This wiki is out of order", f"{LONG} keeps failing to start."),
    # Reloading is what the waking page is for, and there is nothing in it to lose (WCAG 2.2.1, "essential").
    Screen("waking", who=NOBODY, body=render_waking(LONG, 600), allowed="meta-refresh"),
    Screen("notice", who=NOBODY, body=render_notice("You are signed out", "For now.", [("Out", "/x"), ("Back", "/")])),
    Screen("kept-save", who=NOBODY, body=render_kept_save("/Plan/save", {"content": LONG, "commit": "Plan"})),
    Screen("kept-save-often", who=NOBODY, body=render_kept_save("/Plan/save", {"content": LONG}, WHY)),
    Screen("kept-form", who=NOBODY, body=render_kept_form("/app/create", [("name", LONG)], "That was too much", WHY)),
    Screen("w-page-nobody", "wiki:/Herons", NOBODY, judged=""),
    Screen("w-page", "wiki:/Herons", judged=""),
    Screen("w-history", "wiki:/Herons/history", judged=".badge"),
    Screen("w-changelog", "wiki:/-/changelog", judged=".badge"),
    Screen("w-blame", "wiki:/Herons/blame", judged=""),
    Screen("w-missing", "wiki:/Nowhere", judged=""),
    Screen("w-settings", "wiki:/-/settings", judged=""),
    Screen("w-admin", "wiki:/-/admin", judged=""),
    Screen("w-menu", "wiki:/Herons", act=acts.open_menu, judged=".robot-menu"),
    Screen("w-menu-nobody", "wiki:/Herons", NOBODY, acts.open_menu, judged=".robot-menu"),
    Screen("w-edit", "wiki:/Herons?edit", judged=""),
    Screen("w-search", "wiki:/-/search?query=heron", judged=""),
    Screen("w-replaced", "wiki:/-/admin/user_management"),
)  # fmt: skip


def draw(screen: Screen, browsers: Browsers, folder: Path) -> Iterator[Path]:
    page = screen.show(browsers)
    for width in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": 800})
        if screen.is_otters:  # opens and closes its sidebar when it is loaded
            screen.show(browsers)
        for suit in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if suit == "dark" else "light", reduced_motion="reduce")
            if screen.is_otters:  # Otter Wiki goes by a class
                page.evaluate("isDark => document.body.classList.toggle('dark-mode', isDark)", suit == "dark")
            file = folder / f"{screen.name}-{suit}-{width}.png"
            page.screenshot(path=file, full_page=True)
            yield file
    page.set_viewport_size({"width": DESKTOP, "height": 800})


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    unknown = set(names) - {screen.name for screen in SCREENS}
    if unknown:
        sys.exit(f"There are no screens {', '.join(sorted(unknown))}.")
    rows = []
    with (
        tempfile.TemporaryDirectory() as data,
        running_robot(Path(data) / "data") as robot,
        running_chromium() as browser,
    ):
        browsers = Browsers(browser, make_stage(robot, wiki_maker(robot)))
        for screen in SCREENS:
            if not names or screen.name in names:
                files = [file.name for file in draw(screen, browsers, folder)]
                shown = "".join(f'<a href="{file}"><img src="{file}" width="320" alt=""></a> ' for file in files)
                rows.append(f"<h2>{escape(screen.name)}</h2><p>{shown}</p>")
    style = "<style>body{font-family:sans-serif}img{vertical-align:top;border:1px solid gray}</style>"
    (folder / "index.html").write_text(f"<!doctype html><title>Screens</title>{style}{''.join(rows)}", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.browser.screens FOLDER [NAME …]")
    main(Path(sys.argv[1]), sys.argv[2:])
