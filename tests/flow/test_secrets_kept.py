"""No secret that anybody shows, right or wrong, is in the log or lies in the data directory; nor whose network it was
that a stranger claims to be."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE
from tests.harness import Robot, free_port, robot_command, running_robot
from tests.mcp_message import tool_call
from tests.processes import wait_until

pytestmark = pytest.mark.flow

MARK = "MARKEDSECRET"
RECORD = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z]+ [\w.]+( request=\S+)?( wiki=\S+)?: .*|  \| .*", re.ASCII
)
HOSTILE = "Evil\nerror robot.front: forged\x1b[31m\u2028"
PROXY = "127.0.0.2"
"""An address of this machine that the settings name as the proxy; its other addresses are strangers then."""


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    env = {
        "ROBOT_LOG_LEVEL": "debug",
        "ROBOT_SLOW_REQUEST": "0.000001",  # each request is
        "ROBOT_TRUSTED_PROXIES": f"{PROXY}, 2001:db8::/32",
        "ROBOT_SIGN_INS_PER_HOUR": "6",
    }
    with running_robot(tmp_path_factory.mktemp("secrets") / "data", port=free_port(), env=env) as running:
        yield running


def test_nothing_that_was_shown_is_kept(robot: Robot) -> None:
    # The demo keeps a token of its own, to print it again.
    token = robot_command("token", "create", "demo", data=robot.data, port=robot.port).stdout.strip()
    shown = {MARK, token.removeprefix("robot_")} | sign_in(robot)
    use(robot, token)
    show_wrong_ones(robot)
    places = ("/mcp", "/api/v1/pages", "/.git/info/refs")
    wait_until(lambda: all(f'"path": "{place}"' in visits_of(robot) for place in places), 20, "visits are kept")
    kept = robot.stderr().encode() + b"".join(files_under(robot.data))
    found = {secret for secret in shown if secret.encode() in kept}
    assert found == set()
    log = robot.stderr()
    for place in places:
        assert f"{place} of " in log, "slow requests are in the log, and visits are kept, without what was shown"
    assert "a credential that opens nothing came to demo" in log, "what was wrong is there, without the secret"
    assert "links with a secret opened: one was refused" in log
    assert [line for line in log.splitlines() if not RECORD.fullmatch(line)] == [], "each line is a record's"


def test_a_page_name_forges_no_line_whichever_door_it_comes_through(robot: Robot) -> None:
    name = quote(HOSTILE)
    with robot.agent(robot.token) as agent:
        agent.put(f"/api/v1/pages/{name}", json={"text": "x", "base": None})
        agent.post(**tool_call("write_note", path=HOSTILE, text="x"))
        agent.get(f"/api/v1/find?q={name}")
    with robot.client(cookies=robot.sign_in(robot.wiki)) as browser:
        for path in (f"/{name}", f"/{name}/history", f"/-/search?query={name}", f"/{name}.md"):
            browser.get(path)
        browser.post("/-/create", data={"pagename": HOSTILE}, headers={"Origin": robot.wiki})
    assert r"Evil\x0aerror robot.front: forged\x1b[31m\u2028" in robot.stderr()
    assert [line for line in robot.stderr().splitlines() if not RECORD.fullmatch(line)] == []


def test_a_save_is_followed_by_its_name_to_the_index(robot: Robot) -> None:
    with robot.client(cookies=robot.sign_in(robot.wiki)) as browser:
        form = {"content": "# Followed\n", "commit": "Follow"}
        saved = browser.post("/Followed/save", data=form, headers={"Origin": robot.wiki})
    assert saved.status_code == 302, saved.text
    name = saved.headers["x-request-id"]
    line = re.compile(rf"debug robot\.search\.indexing\.nursery request={name} wiki=\w+: page \d+ is indexed")
    until = time.monotonic() + 60
    while not line.search(robot.stderr()):
        assert time.monotonic() < until, robot.stderr()
        time.sleep(0.05)


def sign_in(robot: Robot) -> set[str]:
    link = robot.login_link()
    platform = robot.sign_in(link_address=link)
    wiki = robot.hand_off(robot.wiki, platform)
    return {parse_qs(urlsplit(link).query)["token"][0], *platform.values(), *wiki.values()}


def use(robot: Robot, token: str) -> None:
    with robot.agent(token) as agent:
        assert agent.get("/api/v1/pages").status_code == 200
        assert agent.post(**tool_call("list_notes")).status_code == 200
    basic = base64.b64encode(f"git:{token}".encode()).decode()
    with robot.client() as git:
        fetched = git.get("/.git/info/refs?service=git-upload-pack", headers={"Authorization": f"Basic {basic}"})
    assert fetched.status_code == 200


def show_wrong_ones(robot: Robot) -> None:
    """At every door, in every place of a request where somebody may put one."""
    bearer = {"Authorization": f"Bearer robot_{MARK}", "Cookie": f"{PLATFORM_COOKIE}={MARK}; {WIKI_COOKIE}={MARK}"}
    basic = {"Authorization": f"Basic {base64.b64encode(f'x:{MARK}'.encode()).decode()}"}
    with robot.client() as wiki:
        for path in ("/api/v1/pages", "/mcp", "/Home", "/.git/info/refs?service=git-upload-pack"):
            separator = "&" if "?" in path else "?"
            for headers in (bearer, basic, {}):
                wiki.get(f"{path}{separator}access_token={MARK}&q={MARK}", headers=headers)
        wiki.post(f"/mcp?token={MARK}", headers=bearer, content=MARK.encode())
        wiki.get(f"/auth/finish?code={MARK}")
    forms = {
        "/auth/begin": {"provider": MARK, "handle": f"{MARK}\nforged line"},
        "/auth/login": {"link": MARK, "handle": f"{MARK}\nforged line"},
        "/auth/link": {"token": MARK},
        "/oauth/token": {"grant_type": "authorization_code", "code": MARK, "client_id": MARK, "client_secret": MARK},
        "/oauth/revoke": {"token": MARK, "client_id": "c", "client_secret": MARK},
        "/oauth/consent": {"request": MARK},
    }
    with robot.client(robot.platform) as platform:
        for path, form in forms.items():
            assert platform.post(f"{path}?secret={MARK}", data=form, headers=basic).status_code < 500
        for path in (
            f"/auth/link?token={MARK}",
            f"/auth/callback?code={MARK}&state={MARK}",
            f"/auth/login?next={MARK}",
        ):
            assert platform.get(path, headers=bearer).status_code < 500


def files_under(data: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in data.rglob("*") if path.is_file())


def visits_of(robot: Robot) -> str:
    """What is kept of visits so far; they are written down together, every few seconds."""
    return b"".join(files_under(robot.data / "visits")).decode()


def test_only_a_trusted_peer_is_believed_about_whom_it_speaks_for(robot: Robot) -> None:
    def attempt(peer: str, forwarded: str) -> int:
        transport = httpx2.HTTPTransport(local_address=peer)
        headers = {"Host": urlsplit(robot.platform).netloc, "X-Forwarded-For": forwarded}
        with closing(httpx2.Client(transport=transport)) as client:
            address = f"http://127.0.0.1:{robot.port}/auth/begin"
            return client.post(address, data={"provider": "nobody"}, headers=headers).status_code

    strangers = [attempt("127.0.0.3", f"198.51.100.{number}") for number in range(3)]
    assert strangers == [400, 400, 429], "six an hour are two at once, whatever a stranger claims"
    assert [attempt(PROXY, f"198.51.100.{number}") for number in range(3)] == [400] * 3
    assert attempt(PROXY, "203.0.113.9, 198.51.100.1") == 400
    assert attempt(PROXY, "203.0.113.8, 198.51.100.1") == 429, "what the client wrote itself comes first"
    assert attempt(PROXY, "198.51.100.1, 2001:db8::7") == 429, "a second proxy of ours is not the client"
