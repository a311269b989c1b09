"""Wikis with something in them, and browsers of different people, for whoever looks at screens."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from playwright.sync_api import Browser, Page

from robot.oauth.pairs import challenge_of
from tests.browser.conftest import DESKTOP, PATIENCE_MS, MadeWiki, link_for, new_slug, write_page
from tests.git_door.client import Git
from tests.harness import Robot, robot_command
from wikihost.layout import DataDir

NOBODY, KEEPER, NEWCOMER, GUEST = "", "keeper", "newcomer", "guest"
"""Who looks: somebody who is signed in nowhere, the operator, somebody without a wiki, a viewer of `Stage.wiki`."""

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung"
_HERONS = "# Herons\n\nTwo of them at the weir, **grey**, at low water.\n\n## Where they stand\n\nBelow the [[Weir]].\n"
_WEIR = "# Weir\n\n| date | level |\n|---|---|\n| 3 May | 1.20 m |\n| 4 May | 1.31 m |\n\nSee [[Herons]].\n"


@dataclass(frozen=True)
class Stage:
    """`wiki` was written in by a person, an agent and git; `full` is over its quota, `frozen` is
    read-only, `taken` was taken down.

    The guest reads `wiki`, is invited into `full`, and is an owner beside the operator of one that was deleted.
    """

    robot: Robot
    wiki: MadeWiki
    full: MadeWiki
    frozen: MadeWiki
    taken: MadeWiki
    asking: str
    """The address to which a program sends the browser that is to let it in."""
    invitation: str
    """The address of an invitation by link."""

    def address(self, path: str) -> str:
        """What stands in braces in a path is filled in; `wiki:` before it is the wiki's host."""
        names = {"slug": self.wiki.slug, "full": self.full.slug, "frozen": self.frozen.slug, "taken": self.taken.slug}
        said = path.format_map(names | {"asking": self.asking, "invitation": self.invitation})
        if said.startswith("wiki:"):
            return self.wiki.origin + said.removeprefix("wiki:")
        return said if said.startswith("http") else self.robot.platform + said


@dataclass
class Browsers:
    """One window for each person, made when it is asked for."""

    chromium: Browser
    stage: Stage
    _windows: dict[str, Page] = field(default_factory=dict)

    def window(self, who: str) -> Page:
        if who not in self._windows:
            context = self.chromium.new_context(viewport=DESKTOP)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            if who != NOBODY:
                page.goto(link_for(self.stage.robot, who))
            if who == KEEPER:
                page.goto(f"{self.stage.wiki.origin}/auth/start?next=/")
            self._windows[who] = page
        return self._windows[who]

    def close(self) -> None:
        for page in self._windows.values():
            page.context.close()


def make_stage(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> Stage:
    wiki = make_wiki("public", slug=new_slug(), name="Field Notes", description="Birds and water at the mill weir.")
    full = make_wiki(name=LONG, description=f"{LONG} {LONG}")
    frozen = make_wiki(name="Old notes")
    taken = make_wiki(name="Borrowed notes")
    write_page(robot, wiki, "Herons", _HERONS)
    write_page(robot, wiki, "Weir", _WEIR)
    _save_as_person(robot, wiki, "Herons", _HERONS + "\nA third one came in the evening.\n", "A third heron")
    _push(robot, wiki)
    connect(robot, wiki, "Claude", "read write", "https://claude.ai/callback")
    connect(robot, wiki, LONG, "read", "http://127.0.0.1:1/callback", prefix=f"{LONG}/{LONG}/", ended_at=1)
    assert robot_command("wiki", "quota", full.slug, "--pages", "3", data=robot.data, port=robot.port).returncode == 0
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db, db:
        db.execute("UPDATE wikis SET frozen_at = 1 WHERE slug = ?", (frozen.slug,))
        db.execute("UPDATE wikis SET taken_down_at = 1, taken_down_why = ? WHERE slug = ?", (LONG, taken.slug))
    _invite_guest(robot, full)
    _add_member(robot, wiki, GUEST, "viewer")
    _add_member(robot, wiki, "colleague", "editor", LONG)
    _delete(robot, make_wiki(name="Last year's notes"))
    return Stage(robot, wiki, full, frozen, taken, _asking(robot, wiki), _invite(robot, wiki))


def _save_as_person(robot: Robot, wiki: MadeWiki, name: str, content: str, message: str) -> None:
    with robot.client(wiki.origin, cookies=robot.sign_in(wiki.origin)) as client:
        client.headers["Sec-Fetch-Site"] = "same-origin"
        saved = client.post(f"/{quote(name)}/save", data={"content": content, "commit": message})
    assert saved.status_code in (200, 302, 303), saved.text


def _push(robot: Robot, wiki: MadeWiki) -> None:
    with tempfile.TemporaryDirectory() as place:
        address = wiki.origin.replace("://", f"://git:{wiki.token}@") + "/.git"
        clone = Git(Path(place)).clone(address, "clone")
        clone.write({"Otters.md": "# Otters\n\nTracks in the mud.\n"}, "Tracks of otters")
        clone("push", "-q")


def connect(robot: Robot, wiki: MadeWiki, name: str, scopes: str, redirect: str, **columns: object) -> None:
    """A connection of the wiki's owner, as consent leaves it."""
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db, db:
        wiki_id, user_id = db.execute(
            "SELECT id, user_id FROM wikis JOIN grants ON wiki_id = id WHERE slug = ?", (wiki.slug,)
        ).fetchone()
        values: dict[str, Any] = {
            "id": f"c_{wiki.slug}_{len(name)}", "wiki_id": wiki_id, "user_id": user_id, "client_id": name,
            "client_name": name, "redirect_uri": redirect, "scopes": scopes, "created_at": 1, "expires_at": 2**40,
            **columns,
        }  # fmt: skip
        marks = ", ".join(f":{column}" for column in values)
        db.execute(f"INSERT INTO connections ({', '.join(values)}) VALUES ({marks})", values)


def _asking(robot: Robot, wiki: MadeWiki) -> str:
    callback = "http://127.0.0.1:9/callback"
    about = {"client_name": "Garden Helper", "redirect_uris": [callback], "token_endpoint_auth_method": "none"}
    with robot.client(robot.platform) as client:
        registered = client.post("/oauth/register", json=about)
    assert registered.status_code == 201, registered.text
    query = {
        "client_id": registered.json()["client_id"],
        "redirect_uri": callback,
        "response_type": "code",
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
        "resource": f"{wiki.origin}/mcp",
    }
    return f"{robot.platform}/oauth/authorize?{urlencode(query)}"


def _invite(robot: Robot, wiki: MadeWiki) -> str:
    made = _post(robot, f"/app/wiki/{wiki.slug}/people/invitations/link", role="editor", days="7")
    link = re.search(r"/invite\?token=[\w-]+", made)
    assert link, made
    return link[0]


def _invite_guest(robot: Robot, wiki: MadeWiki) -> None:
    link_for(robot, GUEST)  # makes the account
    _post(robot, f"/app/wiki/{wiki.slug}/people/invitations", who=GUEST, role="editor")


def _add_member(robot: Robot, wiki: MadeWiki, name: str, role: str, display_name: str = "") -> None:
    link_for(robot, name)
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db, db:
        db.execute("UPDATE users SET display_name = ?1 WHERE name = ?2 AND ?1 != ''", (display_name, name))
        db.execute(
            "INSERT INTO grants (wiki_id, user_id, role, granted_at) SELECT wikis.id, users.id, ?, 1 FROM wikis, users"
            " WHERE slug = ? AND users.name = ?",
            (role, wiki.slug, name),
        )


def _delete(robot: Robot, wiki: MadeWiki) -> None:
    _add_member(robot, wiki, GUEST, "owner")
    _post(robot, f"/app/wiki/{wiki.slug}/delete", slug=wiki.slug)


def _post(robot: Robot, path: str, **form: str) -> str:
    """What the operator's browser sends from a page of the platform, and what it shows then."""
    with robot.client(robot.platform, cookies=robot.sign_in()) as client:
        client.headers["Sec-Fetch-Site"] = "same-origin"
        answer = client.post(path, data=form)
    assert answer.status_code in (200, 303), answer.text
    return answer.text
