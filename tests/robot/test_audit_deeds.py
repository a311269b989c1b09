"""What people, agents' programs and the operator do is written down, with who did it, and without anything secret."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from robot.access import grant_role
from robot.audit import AuditAction
from robot.freezing import freeze, unfreeze
from robot.model import Role
from robot.oauth.connections import list_connections
from robot.quotas import set_quota
from robot.tokens import list_tokens
from tests.robot.import_site import PLATFORM, VAULT, Site, wiki_of
from tests.robot.oauth_client import a_program
from tests.robot.small_host import Browser, SmallHost, text_of
from wikihost.quota import Quota

HERE = "/app/wiki/notes"
GUIDANCE = "GUIDANCE-THAT-NOBODY-ELSE-IS-TO-READ"


def entries(host: SmallHost) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    rows = host.db.all("SELECT actor_name, action, target FROM audit ORDER BY id")
    return [(row["actor_name"], row["action"], row["target"]) for row in rows]


def everything(host: SmallHost) -> str:
    return "\n".join(str(tuple(row)) for row in host.db.all("SELECT * FROM audit"))


async def test_tokens_and_connections(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    form = {"name": "laptop", "scope": "write", "expiry": "90", "folder": "Projects/"}
    page = await text_of(await ada.post(PLATFORM, f"{HERE}/tokens", form=form))
    secret = re.findall(r"robot_[\w-]{20,}", page)[0]
    program = await a_program(host, "notes", name="Agent <b>Smith</b>")
    tokens = await program.connect(ada)
    [(token, _)], [(connection, _)] = list_tokens(host.db, wiki), list_connections(host.db, wiki)
    for kind, credential in (("tokens", token), ("connections", connection)):
        assert (await ada.post(PLATFORM, f"{HERE}/{kind}/{credential.id}/revoke")).status_code == 303
        assert (await ada.post(PLATFORM, f"{HERE}/{kind}/{credential.id}/revoke")).status_code == 404
    name = host.ada.display_name
    assert [entry for entry in entries(host) if entry[1] not in ("wiki_created", "signed_in")] == [
        (name, "token_made", "laptop"),
        (name, "agent_connected", "Agent <b>Smith</b>"),
        (name, "token_revoked", "laptop"),
        (name, "agent_disconnected", "Agent <b>Smith</b>"),
    ]
    said = everything(host)
    assert "reads and writes under Projects/" in said
    for kept in (secret.removeprefix("robot_"), tokens["access_token"], tokens["refresh_token"], program.verifier):
        assert kept not in said
    shown = await text_of(await ada.get(PLATFORM, f"{HERE}/activity?sort=settings"))
    assert "connected the agent Agent &lt;b&gt;Smith&lt;/b&gt;" in shown


async def test_settings_name_what_changed_and_not_to_what(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    form = {
        "name": "Notes",
        "description": "About things.",
        "guidance": GUIDANCE,
        "visibility": "unlisted",
        "git": "on",
    }
    for _ in range(2):
        assert (await ada.post(PLATFORM, f"{HERE}/settings", form=form)).status_code == 303
    assert [entry[1:] for entry in entries(host)][2:] == [
        ("settings_changed", "guidance"),
        ("visibility_changed", "unlisted"),
    ], "saving what is there already changes nothing"
    assert GUIDANCE not in everything(host)


async def test_signing_in_and_out(host: SmallHost) -> None:
    ada: Browser = await host.signed_in(host.ada)
    cookies = [value for jar in ada.jars.values() for value in jar.values()]
    assert (await ada.post(PLATFORM, "/auth/logout")).status_code == 303
    assert (await ada.post(PLATFORM, "/auth/logout")).status_code == 303
    assert [(who, what) for who, what, _ in entries(host)] == [
        (host.ada.display_name, "signed_in"),
        (host.ada.display_name, "signed_out"),
    ]
    assert not any(cookie in everything(host) for cookie in cookies)


async def test_an_invitation_link_is_no_part_of_its_entry(host: SmallHost) -> None:
    await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    made = await text_of(
        await ada.post(PLATFORM, f"{HERE}/people/invitations/link", form={"role": "editor", "days": "7"})
    )
    [address] = set(re.findall(r"https://wiki\.test/invite\?token=[\w-]+", made))
    assert entries(host)[-1][1] == AuditAction.INVITED
    assert parse_qs(urlsplit(address).query)["token"][0] not in everything(host)


async def test_what_the_operator_decides(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await freeze(host.db, host.data, wiki)
    await unfreeze(host.db, host.data, wiki)
    await set_quota(host.db, host.data, wiki, Quota(), pages=7_000, size_bytes=None)
    assert entries(host)[-3:] == [
        ("The operator", "frozen", ""),
        ("The operator", "unfrozen", ""),
        ("The operator", "quota_changed", "7,000 pages, 200 MiB"),
    ]


async def test_imports_and_exports(site: Site) -> None:
    ada = await site.host.signed_in(site.host.ada)
    begun = await site.upload(ada, VAULT)
    path = begun.headers["location"]
    await site.wait(ada, path)
    assert "imported" not in {what for _, what, _ in entries(site.host)}, "looking is no deed"
    assert (await site.send(ada, "POST", f"{path}/confirm", b"x=1", "application/x-www-form-urlencoded")).status == 303
    await site.wait(ada, path)
    assert (await site.send(ada, "GET", f"{HERE}/export/zip")).status == 200
    assert entries(site.host)[-2:] == [("Ada Lovelace", "imported", "vault.zip"), ("Ada Lovelace", "exported", "zip")]


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
async def test_whoever_may_not_do_it_leaves_no_entry(site: Site, role: Role) -> None:
    host = site.host
    await grant_role(host.db, host.eve, await wiki_of(site), role)
    eve = await host.signed_in(host.eve)
    before = entries(host)
    assert (await eve.post(PLATFORM, f"{HERE}/settings", form={"name": "Mine"})).status_code == 403
    assert (await eve.post(PLATFORM, f"{HERE}/tokens/t_none/revoke")).status_code == 404
    assert (
        await eve.post(PLATFORM, f"{HERE}/people/invitations/link", form={"role": "owner", "days": "7"})
    ).status_code in (
        403,
        404,
    )
    assert entries(host) == before
