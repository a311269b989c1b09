"""The operator's browser on the platform of a running robot, as fast as forms go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from tests.harness import Robot


@dataclass
class Owner:
    """Signed in once; `client` sends the platform what its own pages would send."""

    robot: Robot
    cookies: dict[str, str]
    client: httpx2.Client

    def make_wiki(self, slug: str) -> str:
        """Make a private wiki; a token that writes to it."""
        form = {"name": slug, "slug": slug, "description": "", "visibility": "private"}
        made = self.client.post("/app/create", data=form)
        assert made.status_code == 303, made.text
        return self.make_token(slug, "write")

    def make_token(self, slug: str, scope: str) -> str:
        form = {"name": "test", "scope": scope, "expiry": "30"}
        shown = re.search(r"robot_[A-Za-z0-9_-]{43}", self.client.post(f"/app/wiki/{slug}/tokens", data=form).text)
        assert shown
        return shown[0]

    def browser(self, slug: str) -> httpx2.Client:
        """A browser on the wiki, signed in, as its own pages make it ask."""
        origin = self.robot.wiki_origin(slug)
        browser = self.robot.client(origin, cookies=self.robot.hand_off(origin, dict(self.cookies)))
        browser.headers |= {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        return browser


@contextmanager
def signed_in_owner(robot: Robot) -> Iterator[Owner]:
    cookies = robot.sign_in()
    with robot.client(robot.platform, cookies=cookies) as client:
        client.headers["Sec-Fetch-Site"] = "same-origin"
        yield Owner(robot, cookies, client)
