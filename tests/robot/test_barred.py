"""Who is suspended, or about to leave, at every door with everything that used to let them in: a new page without a row
in `OPEN` fails where it lets them in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.routing import Rule

from proxy.hosts import WikiHost
from robot.access import grant_role, role_of
from robot.accounts import AccountSuspended, create_user, find_user_by_name, operator_of
from robot.actors import Actors
from robot.audit import OPERATOR
from robot.client_address import ClientNetworks
from robot.credential_uses import CredentialUses
from robot.front import BodySizes, Front
from robot.model import Agent, Anonymous, Person, Role, Scope, Visibility, Wiki, WikiRequest
from robot.oauth.codes import Consent, Shown, issue_code, redeem_code
from robot.oauth.pairs import challenge_of
from robot.oauth.refreshing import ShownRefresh, refresh
from robot.oauth.tokens import Issued, Lives, Refused
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE
from robot.signin.handoff import challenge_of as challenge_of_nonce
from robot.signin.handoff import issue_code as issue_handoff
from robot.signin.handoff import take_code
from robot.signin.links import create_link
from robot.standing import LastOperator, set_operator, suspend, unsuspend
from robot.takedown import put_up, take_down
from robot.tokens import create_token
from robot.traffic import Traffic
from tests.robot.small_host import ADDRESS, Browser, SmallHost, text_of

PLATFORM = ADDRESS.platform_origin
NONCE = "n" * 43
VERIFIER = "v" * 43

# Addresses outside /auth/ that answer somebody who is barred as they answer everybody, by endpoint; and those of
# /auth/, which people need to sign in and out, that tell them.
OPEN = {
    "ask", "invitation.open_link", "landing.crawlers", "landing.landing", "leaving.left", "static_file",
    "oauth_registration.register", "oauth_token.revoke_token", "oauth_token.token", "oauth_old_clients.authorize",
}  # fmt: skip
TOLD = {"handoff.handoff", "signin.login", "connect.ways", "connect.disconnect"}
QUERIES = {"handoff.handoff": f"?wiki=notes&next=/&challenge={'a' * 64}"}


@dataclass
class Armed:
    """Ada with one of everything that lets somebody in, each of which works."""

    host: SmallHost
    wiki: Wiki
    actors: Actors
    browser: Browser
    wiki_cookie: str
    token: str
    issued: Issued
    code: str
    handoff: str
    link: str
    front: Front = field(init=False)

    def __post_init__(self) -> None:
        traffic = Traffic(self.host.limits, ClientNetworks())
        self.front = Front(ADDRESS, self.host.db, self.actors, BodySizes(1, 1), traffic, ClientNetworks())

    def agents(self) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", f"Bearer {secret}".encode()) for secret in (self.token, self.issued.access_token)]

    def let_in(self) -> list[bool]:
        """Whether each credential that may be used more than once opens the wiki now, at each door that takes it."""
        wiki, here = self.wiki, [(b"cookie", f"{WIKI_COOKIE}={self.wiki_cookie}".encode())]
        session = [(b"cookie", f"{PLATFORM_COOKIE}={self.browser.jars[PLATFORM][PLATFORM_COOKIE]}".encode())]
        found = [isinstance(self.actors.of_browser(here, wiki), Person)]
        found.append(isinstance(self.actors.of_caller(here, wiki), Person))
        found.append(self.host.sessions.platform_user(session) is not None)
        for header in self.agents():
            found += [isinstance(ask([header], wiki), Agent) for ask in (self.actors.of_caller, self.actors.of_git)]
            found.append(self.front.judge_again(self._stream(header)) is not None)
        return found

    def _stream(self, header: tuple[bytes, bytes]) -> dict[str, Any]:
        """The scope of a stream of events that was let in before."""
        return {
            "headers": [header],
            "raw_path": b"/mcp",
            "robot.request": WikiRequest(self.wiki, Anonymous(), PLATFORM, "r1"),
        }

    async def used_once(self) -> list[bool]:
        """Whether each credential that works once does."""
        db = self.host.db
        refreshed = await refresh(db, ShownRefresh("client_1", self.issued.refresh_token, frozenset(), None), Lives())
        redeemed = await redeem_code(
            db, Shown("client_2", self.code, "https://agent.example/cb", VERIFIER, WikiHost("notes")), Lives()
        )
        arrival = await take_code(db, self.handoff, self.wiki, [NONCE])
        linked = await Browser(self.host).get(PLATFORM, f"/auth/link?token={self.link}")
        return [
            not isinstance(refreshed, Refused), not isinstance(redeemed, Refused), arrival is not None,
            linked.status_code == 303,
        ]  # fmt: skip


@pytest.fixture
async def armed(host: SmallHost) -> Armed:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    browser = await host.signed_in(host.ada)
    session = host.sessions.platform_session(
        [(b"cookie", f"{PLATFORM_COOKIE}={browser.jars[PLATFORM][PLATFORM_COOKIE]}".encode())]
    )
    assert session is not None

    async def code(client_id: str) -> str:
        consent = Consent(
            host.ada, wiki, client_id, "Agent", "https://agent.example/cb", challenge_of(VERIFIER), frozenset(Scope)
        )
        return await issue_code(host.db, consent)

    async def handoff() -> str:
        return await issue_handoff(host.db, session, wiki, challenge_of_nonce(NONCE), "/")

    arrival = await take_code(host.db, await handoff(), wiki, [NONCE])
    shown = Shown("client_1", await code("client_1"), "https://agent.example/cb", VERIFIER, WikiHost("notes"))
    issued = await redeem_code(host.db, shown, Lives())
    assert arrival is not None
    assert isinstance(issued, Issued)
    return Armed(
        host,
        wiki,
        Actors(host.db, host.sessions, CredentialUses(host.db)),
        browser,
        arrival.cookie,
        (await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE]))[0],
        issued,
        await code("client_2"),
        await handoff(),
        await create_link(host.db, host.ada),
    )


async def test_no_agent_gets_into_a_wiki_that_was_taken_down(armed: Armed) -> None:
    def let_in() -> list[bool]:
        return [isinstance(armed.actors.of_caller([header], armed.wiki), Agent) for header in armed.agents()]

    assert set(let_in()) == {True}
    await take_down(armed.host.db, armed.wiki, "Spam.")
    assert set(let_in()) == {False}
    assert {armed.front.judge_again(armed._stream(header)) for header in armed.agents()} == {None}
    refreshed, redeemed, _, _ = await armed.used_once()
    assert (refreshed, redeemed) == (False, False)
    await put_up(armed.host.db, armed.wiki)
    assert set(let_in()) == {True}


async def test_what_lets_in_before_opens_nothing_while_its_person_is_suspended(armed: Armed) -> None:
    assert set(armed.let_in()) == {True}
    await suspend(armed.host.db, armed.host.ada, "", by=OPERATOR)
    assert set(armed.let_in()) == {False}
    assert set(await armed.used_once()) == {False}


async def test_all_of_it_works_for_who_is_not_suspended(armed: Armed) -> None:
    assert set(await armed.used_once()) == {True}


async def test_after_a_suspension_agents_get_in_again_and_browsers_sign_in_anew(armed: Armed) -> None:
    db, ada = armed.host.db, armed.host.ada
    await suspend(db, ada, "", by=OPERATOR)
    await unsuspend(db, ada, by=OPERATOR)
    assert armed.let_in() == [False] * 3 + [True] * 6
    assert await armed.used_once() == [True, True, False, False]
    assert (await armed.host.signed_in(ada)).jars[PLATFORM]


async def test_every_page_of_the_platform_tells_a_suspended_person_so(armed: Armed) -> None:
    await suspend(armed.host.db, armed.host.ada, "Spam in <b>three</b> wikis.", by=OPERATOR)
    rules = [rule for rule in armed.host.platform.url_map.iter_rules() if _concerns_the_barred(rule)]
    assert len(rules) > 25
    wrong = []
    for rule in rules:
        for method in _methods(rule):
            path = re.sub(r"<[^>]*\bslug>", "notes", rule.rule)
            path = re.sub(r"<any\((\w+),[^>]*>", r"\1", path)
            path = re.sub(r"<[^>]+>", "x", path) + QUERIES.get(rule.endpoint, "")
            answer = await armed.browser.visit(method, PLATFORM, path)
            told = answer.status_code == 403 and "This account is suspended" in await text_of(answer)
            if told is (rule.endpoint in OPEN):
                wrong.append(f"{method} {rule} answered {answer.status_code}")
    assert wrong == []
    page = await text_of(await armed.browser.get(PLATFORM, "/app/"))
    assert "Spam in &lt;b&gt;three&lt;/b&gt; wikis." in page
    assert 'action="/auth/logout"' in page


async def test_a_suspended_person_signs_in_no_more_and_is_told_why(host: SmallHost) -> None:
    link = await create_link(host.db, host.ada)
    await suspend(host.db, host.ada, "Ask me.", by=OPERATOR)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {}):  # the first would ask before it signs in
        answer = await Browser(host).get(PLATFORM, f"/auth/link?token={link}", headers=headers)
        assert answer.status_code == 403
    answer = await Browser(host).post(
        PLATFORM, "/auth/login", form={"link": await create_link(host.db, host.ada), "next": "/app/"}
    )
    assert (answer.status_code, "Ask me." in await text_of(answer)) == (403, True)
    assert host.db.all("SELECT 1 FROM sessions") == []
    with pytest.raises(AccountSuspended):
        await host.sessions.begin(host.ada)


async def test_what_a_suspended_person_owns_stays_as_it_is_for_others(armed: Armed) -> None:
    host = armed.host
    public = await host.make_wiki("open", visibility=Visibility.PUBLIC)
    await suspend(host.db, host.ada, "", by=OPERATOR)
    assert role_of(host.db, host.ada.id, public.id) is Role.OWNER
    assert (await (await host.signed_in(host.eve)).get(PLATFORM, "/app/wiki/notes")).status_code == 200
    assert isinstance(armed.actors.of_browser([], public), Anonymous)


async def test_a_host_keeps_an_operator_who_gets_in(host: SmallHost) -> None:
    keeper = await operator_of(host.db)
    for refused in (
        suspend(host.db, keeper, "", by=OPERATOR), set_operator(host.db, keeper, is_operator=False, by=OPERATOR),
    ):  # fmt: skip
        with pytest.raises(LastOperator, match="Make somebody else one first"):
            await refused
    await set_operator(host.db, host.ada, is_operator=True, by=OPERATOR)
    await suspend(host.db, keeper, "", by=OPERATOR)
    with pytest.raises(LastOperator):
        await suspend(host.db, host.ada, "", by=OPERATOR)
    assert (await operator_of(host.db)).id == host.ada.id  # of whom `robot login-link` makes one
    grace = await create_user(host.db, "grace", "Grace")
    await suspend(host.db, grace, "", by=OPERATOR)
    with pytest.raises(ValueError, match="can be no operator"):
        await set_operator(host.db, grace, is_operator=True, by=OPERATOR)
    found = find_user_by_name(host.db, "grace")
    assert found is not None
    assert (found.is_operator, found.is_barred) == (False, True)


def _concerns_the_barred(rule: Rule) -> bool:
    return rule.endpoint in TOLD or not rule.rule.startswith("/auth/")


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
