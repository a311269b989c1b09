"""Invitations: who may make and answer them, what becomes of them, and that each opens a wiki once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio

from robot.access import grant_role, role_of
from robot.accounts import create_user
from robot.addressees import find_addressee
from robot.audit import OPERATOR, list_entries
from robot.deletion import delete_wiki_for_now, undelete_wiki
from robot.invitations import (
    DAY_S,
    MAX_OPEN,
    Addressee,
    InvitationState,
    invite_by_link,
    invite_identity,
    list_invitations,
    withdraw_invitation,
)
from robot.joining import (
    InvitationDead,
    Joined,
    accept_linked_offer,
    accept_offer,
    decline_offer,
    find_linked_offer,
    find_offer,
    offers_to,
)
from robot.members import MemberRefused, remove_member
from robot.model import Role, User, Wiki
from robot.open_invitations import OWN_ACCOUNTS
from robot.ownership import TooManyWikis
from robot.signin.identities import link_identity
from robot.signin.providers import Identity, SignInFailed
from tests.robot.small_host import FakeClock, SmallHost

EVES_DID = "did:plc:eve"
EVE = Addressee("atproto", EVES_DID, "@eve.example.org")


@dataclass(frozen=True)
class Found:
    did: str
    handle: str | None


async def resolve(typed: str) -> Found:
    if typed != "eve.example.org":
        raise SignInFailed("not_found", f"There is nobody of the handle {typed}.")
    return Found(EVES_DID, typed)


def at(now: float) -> FakeClock:
    return FakeClock(now)


async def eve_signs_in(host: SmallHost, handle: str = "eve.example.org", did: str = EVES_DID) -> None:
    await link_identity(host.db, host.eve, Identity("atproto", did, handle, "Eve"))


async def states(host: SmallHost, wiki: Wiki) -> list[InvitationState]:
    return [each.state for each in await list_invitations(host.db, wiki)]


async def test_an_invitation_waits_for_somebody_who_was_never_here(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await invite_identity(
        host.db, wiki, host.ada, await find_addressee(host.db, resolve, "@eve.example.org"), Role.EDITOR
    )
    assert offers_to(host.db, host.eve) == []
    await eve_signs_in(host)
    (offer,) = offers_to(host.db, host.eve)
    assert (offer.wiki_name, offer.role, offer.inviter, offer.shown) == (
        wiki.name,
        Role.EDITOR,
        "Ada Lovelace",
        EVE.shown,
    )
    assert find_offer(host.db, host.eve, offer.id) == offer
    joined = await accept_offer(host.db, host.eve, offer.id, limit=5)
    assert joined == Joined("notes", Role.EDITOR)
    assert role_of(host.db, host.eve.id, wiki.id) is Role.EDITOR
    assert offers_to(host.db, host.eve) == []
    (told,) = await list_invitations(host.db, wiki)
    assert (told.state, told.used_by, told.shown) == (InvitationState.USED, "Eve", "@eve.example.org")
    # The button pressed twice is one joining.
    assert await accept_offer(host.db, host.eve, offer.id, limit=5) == joined
    actions = [each.entry.action.value for each in await list_entries(host.db, wiki, limit=2)]
    assert actions == ["member_joined", "invited"]


async def test_who_has_the_handle_later_gets_nothing(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await invite_identity(host.db, wiki, host.ada, EVE, Role.EDITOR)
    await eve_signs_in(host, did="did:plc:somebody-else")
    assert offers_to(host.db, host.eve) == []
    (invitation,) = await list_invitations(host.db, wiki)
    assert find_offer(host.db, host.eve, invitation.id) is None
    assert await accept_offer(host.db, host.eve, invitation.id, limit=5) is None
    assert not await decline_offer(host.db, host.eve, invitation.id)
    assert await states(host, wiki) == [InvitationState.WAITING]


async def test_whom_a_typed_name_means(host: SmallHost) -> None:
    assert await find_addressee(host.db, resolve, " @Eve ") == Addressee(OWN_ACCOUNTS, host.eve.id, "eve")
    assert await find_addressee(host.db, None, "eve") == Addressee(OWN_ACCOUNTS, host.eve.id, "eve")
    assert await find_addressee(host.db, resolve, "eve.example.org") == EVE
    for typed, resolver in (("nobody", resolve), ("", resolve), ("@", resolve), ("a" * 301, resolve), ("a.b", None)):
        with pytest.raises(MemberRefused):
            await find_addressee(host.db, resolver, typed)
    with pytest.raises(SignInFailed, match="nobody of the handle"):
        await find_addressee(host.db, resolve, "no.example.org")


async def test_a_link_lets_one_in(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    bob = await create_user(host.db, "bob", "Bob")
    secret = await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
    offer = find_linked_offer(host.db, secret)
    assert offer is not None
    assert (offer.slug, offer.role, offer.shown) == ("notes", Role.VIEWER, None)
    answers: list[Joined | str | None] = []

    async def accept(user: User) -> None:
        try:
            answers.append(await accept_linked_offer(host.db, user, secret, limit=5))
        except InvitationDead as error:
            answers.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, host.eve)
        nursery.start_soon(accept, bob)
    assert Joined("notes", Role.VIEWER) in answers
    assert "This invitation was accepted before, and it works once." in answers
    assert {role_of(host.db, user.id, wiki.id) for user in (host.eve, bob)} == {Role.VIEWER, None}
    with pytest.raises(InvitationDead):
        find_linked_offer(host.db, secret)
    assert secret not in str([tuple(row) for row in host.db.all("SELECT * FROM invitations")])
    for wrong in ("", "x" * 43, "x" * 300, secret[:-1]):
        assert find_linked_offer(host.db, wrong) is None
        assert await accept_linked_offer(host.db, bob, wrong, limit=5) is None


async def test_a_link_makes_no_owner(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    with pytest.raises(MemberRefused, match="cannot make somebody an owner"):
        await invite_by_link(host.db, wiki, host.ada, Role.OWNER, 7)
    with pytest.raises(MemberRefused, match="how long"):
        await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 3650)


async def test_a_higher_role_is_kept_and_a_lower_one_raised(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    link = await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
    assert await accept_linked_offer(host.db, host.eve, link, limit=5) == Joined("notes", Role.EDITOR)
    assert await states(host, wiki) == [InvitationState.WAITING]  # for the one whom it was made for
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    raising = await invite_by_link(host.db, wiki, host.ada, Role.EDITOR, 7)
    assert await accept_linked_offer(host.db, host.eve, raising, limit=5) == Joined("notes", Role.EDITOR)
    assert role_of(host.db, host.eve.id, wiki.id) is Role.EDITOR
    await eve_signs_in(host)
    with pytest.raises(MemberRefused, match="is editor of this wiki already"):
        await invite_identity(host.db, wiki, host.ada, EVE, Role.VIEWER)
    with pytest.raises(MemberRefused, match="is owner of this wiki already"):
        await invite_identity(host.db, wiki, host.ada, Addressee(OWN_ACCOUNTS, host.ada.id, "ada"), Role.OWNER)


async def test_what_opens_nothing_says_why(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    made = 1_900_000_000.0
    secret = await invite_by_link(host.db, wiki, host.ada, Role.EDITOR, 1, clock=at(made))
    assert find_linked_offer(host.db, secret, clock=at(made + DAY_S - 1)) is not None
    with pytest.raises(InvitationDead, match="expired"):
        await accept_linked_offer(host.db, host.eve, secret, limit=5, clock=at(made + DAY_S))
    (invitation,) = await list_invitations(host.db, wiki, clock=at(made))
    assert await withdraw_invitation(host.db, wiki, host.ada, invitation.id, clock=at(made))
    assert not await withdraw_invitation(host.db, wiki, host.ada, invitation.id, clock=at(made))
    with pytest.raises(InvitationDead, match="withdrawn"):
        await accept_linked_offer(host.db, host.eve, secret, limit=5, clock=at(made))
    assert role_of(host.db, host.eve.id, wiki.id) is None


async def test_an_invitation_is_as_good_as_who_made_it(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret = await invite_by_link(host.db, wiki, host.ada, Role.EDITOR, 7)

    async def execute(sql: str) -> None:
        await host.db.write(lambda connection: connection.execute(sql, (host.ada.id,)))

    for harm, mend in (
        ("UPDATE users SET suspended_at = 1 WHERE id = ?", "UPDATE users SET suspended_at = NULL WHERE id = ?"),
        ("UPDATE grants SET role = 'editor' WHERE user_id = ?", "UPDATE grants SET role = 'owner' WHERE user_id = ?"),
    ):
        await execute(harm)
        with pytest.raises(InvitationDead, match="may not invite any more"):
            await accept_linked_offer(host.db, host.eve, secret, limit=5)
        await execute(mend)
    await delete_wiki_for_now(host.db, wiki, OPERATOR)
    with pytest.raises(InvitationDead, match="not there any more"):
        find_linked_offer(host.db, secret)
    await undelete_wiki(host.db, wiki.id, OPERATOR)
    assert await accept_linked_offer(host.db, host.eve, secret, limit=5) == Joined("notes", Role.EDITOR)


async def test_only_owners_invite(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    for role in (None, Role.VIEWER, Role.EDITOR):
        if role is not None:
            await grant_role(host.db, host.eve, wiki, role)
        with pytest.raises(MemberRefused, match="Only an owner"):
            await invite_by_link(host.db, wiki, host.eve, Role.VIEWER, 7)
        with pytest.raises(MemberRefused, match="Only an owner"):
            await invite_identity(host.db, wiki, host.eve, EVE, Role.VIEWER)
    assert await states(host, wiki) == []


async def test_somebody_invited_twice_is_invited_as_the_second_time(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await eve_signs_in(host)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.OWNER)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.VIEWER)
    assert [offer.role for offer in offers_to(host.db, host.eve)] == [Role.VIEWER]
    assert await states(host, wiki) == [InvitationState.WAITING, InvitationState.WITHDRAWN]


async def test_joining_answers_what_offers_no_more(host: SmallHost) -> None:
    wiki, other = await host.make_wiki("notes"), await host.make_wiki("other")
    await invite_identity(host.db, wiki, host.ada, Addressee(OWN_ACCOUNTS, host.eve.id, "eve"), Role.VIEWER)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.OWNER)
    await invite_identity(host.db, other, host.ada, EVE, Role.VIEWER)
    await eve_signs_in(host)
    link = await invite_by_link(host.db, wiki, host.ada, Role.EDITOR, 7)
    await accept_linked_offer(host.db, host.eve, link, limit=5)
    assert {(offer.slug, offer.role) for offer in offers_to(host.db, host.eve)} == {
        ("notes", Role.OWNER),
        ("other", Role.VIEWER),
    }


async def test_declined_is_over(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await eve_signs_in(host)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.VIEWER)
    (offer,) = offers_to(host.db, host.eve)
    assert await decline_offer(host.db, host.eve, offer.id)
    assert offers_to(host.db, host.eve) == []
    with pytest.raises(InvitationDead, match="declined"):
        await accept_offer(host.db, host.eve, offer.id, limit=5)
    assert await states(host, wiki) == [InvitationState.DECLINED]


async def test_who_is_removed_does_not_come_back_by_what_waits_for_them(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await eve_signs_in(host)
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.EDITOR)
    (offer,) = offers_to(host.db, host.eve)
    await remove_member(host.db, wiki, host.ada, host.eve)
    assert offers_to(host.db, host.eve) == []
    with pytest.raises(InvitationDead, match="withdrawn"):
        await accept_offer(host.db, host.eve, offer.id, limit=5)


async def test_an_owner_has_room_for_the_wiki(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await host.make_wiki("own", host.eve)
    await eve_signs_in(host)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.OWNER)
    (offer,) = offers_to(host.db, host.eve)
    with pytest.raises(TooManyWikis, match="You own 1 wikis"):
        await accept_offer(host.db, host.eve, offer.id, limit=1)
    assert await states(host, wiki) == [InvitationState.WAITING]
    assert await accept_offer(host.db, host.eve, offer.id, limit=2) == Joined("notes", Role.OWNER)


async def test_a_wiki_has_room_for_so_many(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    made = 1_900_000_000.0
    secrets = [await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 1, clock=at(made)) for _ in range(MAX_OPEN)]
    with pytest.raises(MemberRefused, match="50 invitations wait"):
        await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7, clock=at(made))
    # What has expired makes room, and a month later is forgotten.
    await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7, clock=at(made + DAY_S))
    assert len(await states(host, wiki)) == MAX_OPEN + 1
    await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7, clock=at(made + 32 * DAY_S))
    assert len(await states(host, wiki)) == 2
    assert find_linked_offer(host.db, secrets[0]) is None
    monkeypatch.setattr("robot.joining.MAX_MEMBERS", 1)
    monkeypatch.setattr("robot.invitations.MAX_MEMBERS", 1)
    fresh = await invite_by_link_before_full(host, wiki, monkeypatch)
    with pytest.raises(MemberRefused, match="there may be no more"):
        await accept_linked_offer(host.db, host.eve, fresh, limit=5)
    with pytest.raises(MemberRefused, match="1 people have a role"):
        await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)


async def invite_by_link_before_full(host: SmallHost, wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as earlier:
        earlier.setattr("robot.invitations.MAX_MEMBERS", 2)
        return await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
