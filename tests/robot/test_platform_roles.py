"""Every page and form about a wiki on the platform, for everybody: a new one without a row here fails."""

from __future__ import annotations

from quart import Response
from werkzeug.routing import Rule

from robot.access import grant_role
from robot.accounts import create_user
from robot.invitations import invite_by_link, list_invitations
from robot.model import Role, Scope
from robot.tokens import create_token
from tests.robot.small_host import ADDRESS, Browser, SmallHost, withdraw_role

PLATFORM = ADDRESS.platform_origin
ABOUT_A_WIKI = "/app/wiki/<slug>"

EVERYBODY_WITH_A_ROLE = frozenset(Role)
WRITERS = frozenset({Role.OWNER, Role.EDITOR})
OWNERS = frozenset({Role.OWNER})

# Who may, by endpoint; everybody else is answered 403, or 404 where they are not to know.
ALLOWED = {
    "wiki.overview": EVERYBODY_WITH_A_ROLE,
    "index.progress": EVERYBODY_WITH_A_ROLE,
    "index.reindex": WRITERS,
    "index.cancel": WRITERS,
    "settings.show": OWNERS,
    "settings.save": OWNERS,
    "domain.show": OWNERS,
    "domain.ask_for": OWNERS,
    "domain.check": OWNERS,
    "domain.remove": OWNERS,
    "agents.agents": EVERYBODY_WITH_A_ROLE,
    "agents.make_token": EVERYBODY_WITH_A_ROLE,  # of their own, never for more than they may do
    "revoke.ask_revoke": OWNERS,  # of others
    "revoke.revoke": OWNERS,
    "activity.show": EVERYBODY_WITH_A_ROLE,  # of their own agents; an owner sees all
    "visits.show": OWNERS,
    "visits.download": OWNERS,
    "undo.ask_undo": WRITERS,  # of their own agents
    "undo.undo": WRITERS,
    "undo.tell_undone": EVERYBODY_WITH_A_ROLE,
    "import.ask": WRITERS,
    "import.begin": WRITERS,
    "import.follow": WRITERS,
    "import.confirm": WRITERS,
    "import.drop": WRITERS,
    "export.choose": EVERYBODY_WITH_A_ROLE,
    "export.give": EVERYBODY_WITH_A_ROLE,
    "members.show": EVERYBODY_WITH_A_ROLE,
    "members.ask_leave": EVERYBODY_WITH_A_ROLE,
    "members.leave": EVERYBODY_WITH_A_ROLE,
    "members.change": OWNERS,
    "members.ask_deed": OWNERS,
    "members.do_deed": OWNERS,
    "invite.invite": OWNERS,
    "invite.make_link": OWNERS,
    "invite.withdraw": OWNERS,
    "delete.ask_delete": OWNERS,
    "delete.delete": OWNERS,
}
# What those who may are answered where it is neither a page nor a redirect: the form names no source, and there is no
# such import, agent or revision.
ANSWERS = {"import.begin": {400}, "import.follow": {404}, "import.confirm": {404}, "import.drop": {404}}
ANSWERS |= {"undo.ask_undo": {404}, "undo.undo": {404}, "undo.tell_undone": {404}}
# Nobody of that name is invited, no address of a wiki is typed, and a wiki keeps its last owner.
ANSWERS |= {"invite.invite": {400}, "delete.delete": {400}, "members.leave": {303, 409}}
DONE = {200, 303}
FORM = {"name": "Notes", "description": "", "visibility": "private", "git": "on", "scope": "read", "expiry": "30"}
FORM |= {"role": "viewer", "who": "nobody", "days": "7", "domain": "notes.example.org"}


async def test_who_reaches_what_of_a_wiki(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    rules = [rule for rule in host.platform.url_map.iter_rules() if rule.rule.startswith(ABOUT_A_WIKI)]
    assert {rule.endpoint for rule in rules} == set(ALLOWED)
    bob = await create_user(host.db, "bob", "Bob")
    grace = await create_user(host.db, "grace", "Grace", is_operator=True)
    ada, eve, nobody = await host.signed_in(host.ada), await host.signed_in(host.eve), Browser(host)
    operator, (secret, _) = await host.signed_in(grace), await create_token(host.db, bob, wiki, "t", [Scope.WRITE])

    async def visit(browser: Browser, method: str, path: str, headers: dict[str, str] | None = None) -> Response:
        path = path.replace("<slug>", "notes").replace("<any(tokens, connections):kind>", "tokens")
        path = path.replace("<any(remove, transfer):kind>", "remove").replace("<form>", "zip")
        # What is in the address is made anew, since some visits take it away.
        if "<credential_id>" in path:
            _, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
            path = path.replace("<credential_id>", token.id)
        if "<user_id>" in path:
            await grant_role(host.db, bob, wiki, Role.EDITOR)
            path = path.replace("<user_id>", bob.id)
        if "<invitation_id>" in path:
            await host.db.write(lambda connection: connection.execute("DELETE FROM invitations"))
            await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
            path = path.replace("<invitation_id>", (await list_invitations(host.db, wiki))[0].id)
        return await browser.visit(method, PLATFORM, path, headers, form=FORM if method == "POST" else None)

    for rule in sorted(rules, key=lambda rule: rule.rule):
        for method in _methods(rule):
            signed_out = await visit(nobody, method, rule.rule)
            agent = await visit(nobody, method, rule.rule, {"Authorization": f"Bearer {secret}"})
            for answer in (signed_out, agent):
                assert answer.status_code == 303
                assert answer.headers["Location"].startswith("/auth/login"), rule
            for who, browser in (("a stranger", eve), ("the operator", operator)):
                assert (await visit(browser, method, rule.rule)).status_code == 404, f"{who}: {method} {rule}"
            answered = (await visit(ada, method, rule.rule)).status_code
            assert answered in ANSWERS.get(rule.endpoint, DONE), f"the owner: {method} {rule} answered {answered}"
    for role in Role:
        for rule in rules:
            for method in _methods(rule):
                await grant_role(host.db, host.eve, wiki, role)
                status = (await visit(eve, method, rule.rule)).status_code
                may = role in ALLOWED[rule.endpoint]
                granted = ANSWERS.get(rule.endpoint, DONE)
                expected = granted if may else {403, 404} - granted
                assert status in expected, f"{role}: {method} {rule} answered {status}"
    for rule in rules:
        for method in _methods(rule):
            await withdraw_role(host.db, host.eve, wiki)
            assert (await visit(eve, method, rule.rule)).status_code == 404, f"who was removed: {method} {rule}"


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
