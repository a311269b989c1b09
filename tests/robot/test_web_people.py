"""The people tab and the pages of an invitation, as browsers meet them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from robot.access import grant_role, role_of
from robot.accounts import create_user
from robot.addressees import find_addressee
from robot.invitations import InvitationState, invite_identity, list_invitations, withdraw_invitation
from robot.members import MemberRefused, remove_member
from robot.model import Role
from robot.signin.identities import link_identity
from robot.signin.links import create_link
from robot.signin.providers import Identity, SignInFailed
from robot.web.all_pages import PersonSignIn
from tests.robot.small_host import ADDRESS, Browser, SmallHost, small_host, text_of
from tests.robot.test_invitations import EVE, EVES_DID

PLATFORM = ADDRESS.platform_origin
PEOPLE = "/app/wiki/notes/people"


@dataclass(frozen=True)
class _Found:
    did: str
    handle: str | None


async def _resolve(typed: str) -> _Found:
    if typed != "eve.example.org":
        raise SignInFailed("not_found", f"Nothing says who {typed} is.")
    return _Found(EVES_DID, typed)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    async with small_host(tmp_path, people=PersonSignIn(resolve_handle=_resolve)) as made:
        yield made


async def made_link(browser: Browser, role: str = "editor", days: str = "7") -> str:
    """The path of the link that an owner's browser is shown."""
    answer = await browser.post(PLATFORM, f"{PEOPLE}/invitations/link", form={"role": role, "days": days})
    assert answer.status_code == 200
    found = re.search(rf"{re.escape(PLATFORM)}(/invite\?token=[\w-]+)", await text_of(answer))
    assert found
    return found[1]


async def test_everybody_sees_who_is_in_a_wiki_and_owners_change_it(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    await link_identity(host.db, host.eve, Identity("atproto", EVES_DID, "eve.example.org", "Eve"))
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    seen = await text_of(await eve.get(PLATFORM, PEOPLE))
    assert "Ada Lovelace" in seen
    assert "@eve.example.org" in seen
    for owners in ("<select", "/remove", "/transfer", "Invite"):
        assert owners not in seen
    page = await text_of(await ada.get(PLATFORM, PEOPLE))
    assert page.count("<select") == 5  # two roles, and what the two forms offer
    assert page.count("just now") >= 3  # both joined, and Ada made the first pages
    changed, _ = await ada.follow(
        await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/role", form={"role": "editor"}), PLATFORM
    )
    assert "The role is changed" in await text_of(changed)
    assert role_of(host.db, host.eve.id, wiki.id) is Role.EDITOR
    assert (await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/role", form={"role": "king"})).status_code == 404
    assert "Remove Eve?" in await text_of(await ada.get(PLATFORM, f"{PEOPLE}/{host.eve.id}/remove"))
    answer = await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/remove")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PEOPLE}?done=remove")
    assert (await eve.get(PLATFORM, PEOPLE)).status_code == 404
    assert (await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/remove")).status_code == 404  # pressed twice


async def test_the_last_owner_is_told_what_to_do_first(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    for path, form in ((f"{PEOPLE}/leave", {}), (f"{PEOPLE}/{host.ada.id}/role", {"role": "viewer"})):
        refused = await ada.post(PLATFORM, path, form=form)
        assert refused.status_code == 409
        assert "You are the only owner. Transfer the wiki" in await text_of(refused)
    assert (await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/transfer")).status_code == 303
    assert (await ada.post(PLATFORM, f"{PEOPLE}/{host.eve.id}/transfer")).status_code == 403
    assert role_of(host.db, host.eve.id, wiki.id) is Role.OWNER
    left, _ = await ada.follow(await ada.post(PLATFORM, f"{PEOPLE}/leave"), PLATFORM)
    assert "You left the wiki" in await text_of(left)
    assert (await eve.get(PLATFORM, f"{PEOPLE}/leave")).status_code == 200


async def test_an_invitation_by_handle_waits_on_the_dashboard(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    form = {"who": "@eve.example.org", "role": "editor"}
    invited, _ = await ada.follow(await ada.post(PLATFORM, f"{PEOPLE}/invitations", form=form), PLATFORM)
    page = await text_of(invited)
    assert "The invitation waits" in page
    assert "waits until" in page
    # Only now does she sign in here for the first time.
    await link_identity(host.db, host.eve, Identity("atproto", EVES_DID, "eve.changed.example", "Eve"))
    eve = await host.signed_in(host.eve)
    found = re.search(r"/app/invitations/(i_\w+)/accept", await text_of(await eve.get(PLATFORM, "/app/")))
    assert found
    address = f"/app/invitations/{found[1]}"
    look = await text_of(await eve.get(PLATFORM, address))
    assert "Ada Lovelace invites you" in look
    assert role_of(host.db, host.eve.id, wiki.id) is None  # looking is not joining
    for path in (address, f"{address}/accept"):
        other = await (ada.get(PLATFORM, path) if path == address else ada.post(PLATFORM, path))
        assert other.status_code == 404
        assert "signed in as ada" in await text_of(other)
    joined, _ = await eve.follow(await eve.post(PLATFORM, f"{address}/accept"), PLATFORM)
    assert "Welcome." in await text_of(joined)
    assert "accept" not in await text_of(await eve.get(PLATFORM, "/app/"))
    again = await eve.post(PLATFORM, f"{address}/accept")
    assert (again.status_code, again.headers["Location"]) == (303, "/app/wiki/notes?joined=1")


async def test_an_invitation_can_be_declined(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await link_identity(host.db, host.eve, Identity("atproto", EVES_DID, "eve.example.org", "Eve"))
    await invite_identity(host.db, wiki, host.ada, EVE, Role.EDITOR)
    (invitation,) = await list_invitations(host.db, wiki)
    eve = await host.signed_in(host.eve)
    answer, _ = await eve.follow(await eve.post(PLATFORM, f"/app/invitations/{invitation.id}/decline"), PLATFORM)
    page = await text_of(answer)
    assert "Declined." in page
    assert "Accept" not in page
    late = await eve.post(PLATFORM, f"/app/invitations/{invitation.id}/accept")
    assert late.status_code == 410
    assert "was declined" in await text_of(late)


REFUSED_FORMS = [
    ({"who": "no.example.org", "role": "editor"}, "Nothing says who no.example.org is."),
    ({"who": "nobody", "role": "editor"}, "Nobody on this host has this user name."),
    ({"who": "ada", "role": "owner"}, "ada is owner of this wiki already."),
    ({"who": "eve", "role": "emperor"}, "Choose what they will be."),
    ({}, "Choose what they will be."),
]


async def test_who_cannot_be_invited_stays_in_the_form(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for form, said in REFUSED_FORMS:
        answer = await ada.post(PLATFORM, f"{PEOPLE}/invitations", form=form)
        page = await text_of(answer)
        assert answer.status_code == 400
        assert said in page
        assert f'value="{form.get("who", "")}"' in page


@pytest.mark.parametrize("typed", ["nobody", ""])
async def test_a_host_without_handles_does_not_ask_for_one(host: SmallHost, typed: str) -> None:
    with pytest.raises(MemberRefused) as refused:
        await find_addressee(host.db, None, typed)
    assert "user name" in str(refused.value)
    assert "handle" not in str(refused.value)


async def test_a_link_that_cannot_be(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    for form in (
        {},
        {"role": "owner", "days": "7"},
        {"role": "editor", "days": "365"},
        {"role": "editor", "days": "²"},
    ):
        answer = await ada.post(PLATFORM, f"{PEOPLE}/invitations/link", form=form)
        assert answer.status_code == 400
        assert "/invite?token=" not in await text_of(answer)


async def test_a_link_survives_signing_in_and_leaves_no_trace(host: SmallHost) -> None:
    await host.make_wiki("notes")
    link = await made_link(await host.signed_in(host.ada))
    secret = link.partition("=")[2]
    guest = Browser(host)
    opened = await guest.get(PLATFORM, link)
    assert (opened.status_code, opened.headers["Location"]) == (303, "/invite")
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    shown, _ = await guest.follow(opened, PLATFORM)
    page = await text_of(shown)
    assert "Ada Lovelace invites you" in page
    assert "/auth/login?next=/invite" in page
    assert secret not in page
    assert (await guest.post(PLATFORM, "/invite", form={})).headers["Location"].startswith("/auth/login")
    await guest.get(PLATFORM, "/auth/login?next=/invite")
    back = await guest.get(PLATFORM, f"/auth/link?token={await create_link(host.db, host.eve)}")
    assert (back.status_code, back.headers["Location"]) == (303, "/invite")
    page = await text_of(await guest.get(PLATFORM, "/invite"))
    assert "Signed in as" in page
    meant = re.search(r'name="invitation" value="(\w+)"', page)
    assert meant
    joined, _ = await guest.follow(await guest.post(PLATFORM, "/invite", form={"invitation": meant[1]}), PLATFORM)
    assert "Welcome." in await text_of(joined)
    assert (await guest.get(PLATFORM, "/invite")).status_code == 404  # the cookie is gone
    assert (await guest.get(PLATFORM, link)).status_code == 303
    used = await guest.get(PLATFORM, "/invite")
    assert used.status_code == 410
    assert "works once" in await text_of(used)


async def test_two_links_in_two_tabs_are_not_confused(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    shown = []
    for role in ("editor", "viewer"):
        await eve.get(PLATFORM, await made_link(ada, role))
        shown.append(await text_of(await eve.get(PLATFORM, "/invite")))
    meant = [re.findall(r'name="invitation" value="(\w+)"', page)[0] for page in shown]
    confused = await eve.post(PLATFORM, "/invite", form={"invitation": meant[0]})
    assert confused.status_code == 409
    assert "You opened another invitation meanwhile" in await text_of(confused)
    assert role_of(host.db, host.eve.id, wiki.id) is None
    assert (await eve.post(PLATFORM, "/invite", form={"invitation": meant[1]})).status_code == 303
    assert role_of(host.db, host.eve.id, wiki.id) is Role.VIEWER


async def test_what_a_link_says_when_it_opens_nothing(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada, eve = await host.signed_in(host.ada), await host.signed_in(host.eve)
    for path in (
        "/invite",
        "/invite?token=",
        "/invite?token=" + "x" * 43,
        "/invite?token=%0d%0aSet-Cookie:x",
        "/invite?token=%C3%A4",
    ):
        answer = await eve.get(PLATFORM, path)
        if answer.status_code == 303:
            answer = await eve.get(PLATFORM, "/invite")
        assert answer.status_code == 404
        assert "no such invitation" in await text_of(answer)
    link = await made_link(ada)
    await ada.get(PLATFORM, link)
    member = await text_of(await ada.get(PLATFORM, "/invite"))
    assert "You are an owner of this wiki already" in member
    assert ">Accept<" not in member
    (invitation,) = await list_invitations(host.db, wiki)
    withdrawn = await ada.post(PLATFORM, f"{PEOPLE}/invitations/{invitation.id}/withdraw")
    assert withdrawn.headers["Location"] == f"{PEOPLE}?done=withdrawn"
    assert (await ada.post(PLATFORM, f"{PEOPLE}/invitations/{invitation.id}/withdraw")).status_code == 404
    await eve.get(PLATFORM, link)
    for answer in (await eve.get(PLATFORM, "/invite"), await eve.post(PLATFORM, "/invite", form={"invitation": "x"})):
        assert answer.status_code == 410
        assert "was withdrawn" in await text_of(answer)


async def test_another_wikis_owner_withdraws_nothing_here(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await host.make_wiki("evil", host.eve)
    await invite_identity(host.db, wiki, host.ada, EVE, Role.EDITOR)
    (invitation,) = await list_invitations(host.db, wiki)
    eve = await host.signed_in(host.eve)
    answer = await eve.post(PLATFORM, f"/app/wiki/evil/people/invitations/{invitation.id}/withdraw")
    assert answer.status_code == 404
    assert (await eve.post(PLATFORM, f"/app/wiki/evil/people/{host.ada.id}/remove")).status_code == 404
    assert (await list_invitations(host.db, wiki))[0].state is InvitationState.WAITING


async def test_names_are_text(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    odd = await create_user(host.db, "odd", '"&"onclick=x')
    await grant_role(host.db, odd, wiki, Role.OWNER)
    page = await text_of(await (await host.signed_in(host.ada)).get(PLATFORM, PEOPLE))
    assert '"&"onclick' not in page
    await remove_member(host.db, wiki, host.ada, odd)
    assert not await withdraw_invitation(host.db, wiki, host.ada, "i_none")
