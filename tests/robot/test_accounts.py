from __future__ import annotations

import pytest

from robot.accounts import InvalidAccount, create_user, find_user_by_name, list_users
from robot.authorship import author_of, client_name
from robot.clock import moment
from robot.model import Agent, Person, Role, Scope, Token
from tests.robot.small_host import SmallHost


async def test_an_account_is_found_by_name(host: SmallHost) -> None:
    grace = await create_user(host.db, "grace", "  Grace \t Hopper ", is_operator=True)
    assert grace.display_name == "Grace Hopper"
    assert grace.id.startswith("u_")
    assert find_user_by_name(host.db, "grace") == grace
    assert [user.name for user in await list_users(host.db)] == ["ada", "eve", "grace"]
    assert find_user_by_name(host.db, "nobody") is None


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 31, "-ada", "ada-", "Ada", "a b", "ädä", "root", "a_b", "ada\n", "ada"]
)
async def test_unfit_and_taken_user_names_are_refused(host: SmallHost, name: str) -> None:
    with pytest.raises(InvalidAccount):
        await create_user(host.db, name, "Somebody")


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "Ada <ada@x>", "Ada\x00", "Ada\u202e"])
async def test_display_names_that_would_break_a_commit_are_refused(host: SmallHost, name: str) -> None:
    with pytest.raises(InvalidAccount):
        await create_user(host.db, "somebody", name)


async def test_commits_name_the_person_and_the_agent(host: SmallHost) -> None:
    person = author_of(Person(host.ada, Role.EDITOR), "wiki.test", "web")
    assert (person.name, person.email, person.trailers) == ("Ada Lovelace", "ada@users.wiki.test", {"Robot-Via": "web"})
    token = Token("t_1", "w_1", host.ada.id, "Ada's laptop", frozenset({Scope.WRITE}), moment(0), None, None)
    agent = author_of(Agent(host.ada, Role.EDITOR, token, "Claude Code"), "wiki.test", "mcp")
    assert (agent.name, agent.email) == ("Ada Lovelace (Claude Code)", "ada@users.wiki.test")
    assert agent.trailers == {
        "Robot-Agent": "Claude Code",
        "Robot-Via": "mcp",
        "Robot-Credential": "t_1 (Ada's laptop)",
    }


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("evil\nRobot-Via: web", "evil Robot-Via: web"),
        ("a <root@x> (b)\r\n\0", "a root@x b"),
        ("", "agent"),
        ("\n", "agent"),
        ("x" * 500, "x" * 60),
    ],
)
def test_an_agents_own_name_cannot_forge_a_line(claimed: str, shown: str) -> None:
    assert client_name(claimed) == shown
