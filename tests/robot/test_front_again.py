"""A long call is judged anew while it lasts: what let it in may be gone."""

from __future__ import annotations

from typing import Any

import pytest

from robot.access import grant_role, may, withdraw_role
from robot.actors import Actors
from robot.credential_uses import CredentialUses
from robot.front import BodySizes, Front
from robot.hosting import delete_hosted_wiki
from robot.model import Action, Anonymous, Role, Scope, Visibility, Wiki, WikiRequest
from robot.tokens import create_token, revoke_token
from tests.robot.small_host import ADDRESS, SmallHost


@pytest.fixture
def front(host: SmallHost) -> Front:
    return Front(ADDRESS, host.db, Actors(host.db, host.sessions, CredentialUses(host.db)), BodySizes(1, 1))


def scope_of(wiki: Wiki, secret: str) -> dict[str, Any]:
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    return {"headers": headers, "robot.request": WikiRequest(wiki, Anonymous(), "https://notes.wiki.test", "r1")}


async def test_what_ends_a_credential_ends_the_call(host: SmallHost, front: Front) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    secret, token = await create_token(host.db, host.ada, wiki, "a", [Scope.WRITE])
    evil, _ = await create_token(host.db, host.eve, wiki, "e", [Scope.WRITE])
    other = await host.make_wiki("other", visibility=Visibility.PUBLIC)
    judged = front.judge_again(scope_of(wiki, evil))
    assert judged is not None
    assert may(judged.actor, Action.WRITE, judged.wiki)
    assert front.judge_again(scope_of(other, secret)) is None
    await withdraw_role(host.db, host.eve, wiki)
    assert front.judge_again(scope_of(wiki, evil)) is None
    assert front.judge_again(scope_of(wiki, secret)) is not None
    await revoke_token(host.db, wiki, token.id)
    assert front.judge_again(scope_of(wiki, secret)) is None


async def test_the_end_of_a_wiki_ends_the_call(host: SmallHost, front: Front) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "a", [Scope.READ])
    await grant_role(host.db, host.ada, wiki, Role.VIEWER)
    judged = front.judge_again(scope_of(wiki, secret))
    assert judged is not None
    assert not may(judged.actor, Action.WRITE, judged.wiki)
    await delete_hosted_wiki(host.db, host.data, wiki)
    assert front.judge_again(scope_of(wiki, secret)) is None
