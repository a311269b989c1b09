"""Who may change which role, and that a wiki always has an owner who can sign in."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from robot.access import grant_role, role_of
from robot.accounts import create_user
from robot.audit import AuditAction, list_entries
from robot.invitations import Addressee, InvitationState, invite_by_link, invite_identity, list_invitations
from robot.members import (
    MemberRefused,
    Standing,
    change_role,
    find_member,
    find_objection,
    list_members,
    remove_member,
    transfer_ownership,
)
from robot.model import Role, Scope, User, Wiki
from robot.open_invitations import OWN_ACCOUNTS
from robot.ownership import TooManyWikis
from robot.signin.identities import link_identity
from robot.signin.providers import Identity
from robot.tokens import create_token, verify_token
from tests.robot.small_host import FakeClock, SmallHost

PEOPLE = ["ada", "bob", "cleo"]
standings = st.fixed_dictionaries(
    {}, optional={name: st.builds(Standing, st.sampled_from(Role), st.booleans()) for name in PEOPLE}
)
steps = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.none() | st.sampled_from(Role)))


@given(standings, steps)
def test_whatever_is_tried_an_owner_stays_and_nobody_is_raised_by_another(
    start: dict[str, Standing], tried: list[tuple[str, str, Role | None]]
) -> None:
    now = {"root": Standing(Role.OWNER), **start}
    for actor, target, role in [*tried, ("root", "root", None)]:
        if find_objection(now, actor, target, role) is not None:
            continue
        assert now[actor].role is Role.OWNER or (actor == target and role is None)
        now = {name: standing for name, standing in now.items() if name != target}
        if role is not None:
            now[target] = Standing(role, start.get(target, Standing(role)).is_active)
        assert any(standing.role is Role.OWNER and standing.is_active for standing in now.values())


@pytest.mark.parametrize("role", [None, Role.EDITOR, Role.VIEWER])
def test_the_last_owner_is_told_to_hand_over_first(role: Role | None) -> None:
    alone = {"ada": Standing(Role.OWNER), "bob": Standing(Role.OWNER, is_active=False)}
    assert "Transfer the wiki" in (find_objection(alone, "ada", "ada", role) or "")
    assert find_objection(alone, "ada", "bob", role) is None
    assert find_objection(alone | {"cleo": Standing(Role.OWNER)}, "ada", "ada", role) is None


async def test_the_list_says_who_is_what_since_when(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER, clock=FakeClock(1_000_000))
    await link_identity(host.db, host.eve, Identity("atproto", "did:plc:eve", "eve.example.org", "Eve"))
    owner, viewer = await list_members(host.db, wiki)
    assert (owner.user, owner.role, owner.handle, owner.since) == (host.ada, Role.OWNER, None, wiki.created)
    assert (viewer.user, viewer.role, viewer.handle) == (host.eve, Role.VIEWER, "eve.example.org")
    assert viewer.since is not None
    assert viewer.since.timestamp() == 1_000_000
    assert find_member(host.db, wiki, host.eve.id) == (host.eve, Role.VIEWER)
    assert find_member(host.db, wiki, "u_nobody") is None


async def test_a_role_is_changed_by_owners_only_and_noted(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    for refused in (Role.OWNER, Role.VIEWER):
        with pytest.raises(MemberRefused, match="Only an owner"):
            await change_role(host.db, wiki, host.eve, host.eve, refused, limit=5)
        with pytest.raises(MemberRefused, match="Only an owner"):
            await change_role(host.db, wiki, host.eve, host.ada, refused, limit=5)
    await change_role(host.db, wiki, host.ada, host.eve, Role.VIEWER, limit=5)
    await change_role(host.db, wiki, host.ada, host.eve, Role.VIEWER, limit=5)  # no change, no entry
    assert role_of(host.db, host.eve.id, wiki.id) is Role.VIEWER
    *entries, created = await list_entries(host.db, wiki, limit=9)
    assert created.entry.action is AuditAction.WIKI_CREATED
    assert [(each.entry.action.value, each.entry.target, each.entry.actor.id) for each in entries] == [
        ("role_changed", "Eve: viewer", host.ada.id),
    ]


async def test_who_goes_takes_their_agents_along(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    for clean in (False, True):
        await grant_role(host.db, host.eve, wiki, Role.EDITOR)
        secret, _ = await create_token(host.db, host.eve, wiki, "t", [Scope.WRITE])
        assert verify_token(host.db, secret, wiki.id) is not None
        await remove_member(host.db, wiki, host.eve if clean else host.ada, host.eve)
        assert verify_token(host.db, secret, wiki.id) is None
        assert role_of(host.db, host.eve.id, wiki.id) is None
        await grant_role(host.db, host.eve, wiki, Role.EDITOR)
        assert verify_token(host.db, secret, wiki.id) is None  # also when they come back
    told = [each.entry.action.value for each in await list_entries(host.db, wiki, limit=9)]
    actions = [action for action in told if action.startswith("member")]
    assert actions == ["member_left", "member_removed"]


async def test_the_last_owner_stays_also_of_two_who_leave_at_once(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    refused = []

    async def leave(user: User) -> None:
        try:
            await remove_member(host.db, wiki, user, user)
        except MemberRefused as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave, host.ada)
        nursery.start_soon(leave, host.eve)
    assert len(refused) == 1
    assert [member.role for member in await list_members(host.db, wiki)] == [Role.OWNER]


async def test_a_suspended_owner_is_nobody_to_leave_a_wiki_to(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    suspend = "UPDATE users SET suspended_at = 1 WHERE id = ?"
    await host.db.write(lambda connection: connection.execute(suspend, (host.eve.id,)))
    with pytest.raises(MemberRefused, match="only owner"):
        await remove_member(host.db, wiki, host.ada, host.ada)
    with pytest.raises(MemberRefused, match="suspended"):
        await transfer_ownership(host.db, wiki, host.ada, host.eve, limit=5)


async def test_a_transfer_is_both_halves_or_none(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    with pytest.raises(MemberRefused, match="no role"):
        await transfer_ownership(host.db, wiki, host.ada, host.eve, limit=5)
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    await host.make_wiki("own", host.eve)
    with pytest.raises(TooManyWikis, match="Eve owns 1 wikis, and this host allows 1"):
        await transfer_ownership(host.db, wiki, host.ada, host.eve, limit=1)
    with pytest.raises(TooManyWikis, match="Eve owns 1 wikis"):
        await change_role(host.db, wiki, host.ada, host.eve, Role.OWNER, limit=1)
    assert _roles(host, wiki) == (Role.OWNER, Role.VIEWER)
    await transfer_ownership(host.db, wiki, host.ada, host.eve, limit=2)
    assert _roles(host, wiki) == (Role.EDITOR, Role.OWNER)
    with pytest.raises(MemberRefused, match="Only an owner"):
        await transfer_ownership(host.db, wiki, host.ada, host.ada, limit=2)


async def test_who_is_an_owner_no_more_cannot_come_back_by_their_own_invitations(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.OWNER)
    bob = await create_user(host.db, "bob", "Bob")
    await invite_by_link(host.db, wiki, host.eve, Role.EDITOR, 30)
    await invite_identity(host.db, wiki, host.ada, Addressee(OWN_ACCOUNTS, bob.id, "bob"), Role.VIEWER)
    await change_role(host.db, wiki, host.ada, host.eve, Role.EDITOR, limit=5)
    states = {each.shown: each.state for each in await list_invitations(host.db, wiki)}
    assert states == {None: InvitationState.WITHDRAWN, "bob": InvitationState.WAITING}


def _roles(host: SmallHost, wiki: Wiki) -> tuple[Role | None, Role | None]:
    return role_of(host.db, host.ada.id, wiki.id), role_of(host.db, host.eve.id, wiki.id)
