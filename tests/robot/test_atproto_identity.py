"""Handles, DIDs and what they prove: servers that lie, are away, or try to make us ask inside."""

from __future__ import annotations

import json
import string
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from robot.fetch import Door, Fetched, FetchRefused, Pinned
from robot.signin.atproto.did_documents import DocumentWrong, document_url, is_did, read_document
from robot.signin.atproto.discovery import Discovery
from robot.signin.atproto.handles import HandlePolicy, NotAHandle, read_handle
from robot.signin.atproto.identity import (
    DOCUMENT_KEPT_S,
    UNKNOWN_KEPT_S,
    HandleNow,
    Identities,
    ResolvedIdentity,
)
from robot.signin.providers import SignInFailed
from tests.robot.fake_dns import FakeDns
from tests.robot.small_host import FakeClock

POLICY = HandlePolicy()
ALICE, BOB = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
WEB = "did:web:alice.example.org"
HANDLE = "alice.example.org"
PDS = "https://pds.example.net"
PLC = "https://plc.directory"
ALICE_FOUND = ResolvedIdentity(ALICE, HANDLE, PDS)


def document(did: str = ALICE, *known_as: Any, pds: Any = PDS, **other: Any) -> dict[str, Any]:
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}
    return {"id": did, "alsoKnownAs": list(known_as), "service": [service], **other}


@dataclass(frozen=True)
class World(Door):
    """What hosts answer, by address: a document, a text, a status (with a page that would be right), or nothing at all.

    Those in `slow` are waited for in vain.
    """

    says: dict[str, dict[str, Any] | str | int] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def get(self, url: str, *, types: Any, statuses: Any = (200,), **how: Any) -> Fetched:
        await self.pin(url)
        await trio.lowlevel.checkpoint()
        self.asked.append(url)
        if url in self.slow:
            await trio.sleep_forever()
        said = self.says.get(url)
        if said is None:
            raise FetchRefused(f"{url} cannot be reached.")
        if isinstance(said, int):
            if said not in statuses:
                raise FetchRefused(f"{url} answered with status {said}.")
            return Fetched(url, "application/json", ALICE.encode(), said)
        body = said if isinstance(said, str) else json.dumps(said)
        return Fetched(url, "application/json", body.encode())


class Scene:
    """Alice as she should be; a test bends something of it."""

    def __init__(self) -> None:
        self.world = World(resolve=_public)
        self.dns = FakeDns()
        self.clock = FakeClock()
        self.identities = Identities(self.world, self.dns, clock=self.clock)
        self.says[f"{PLC}/{ALICE}"] = document(ALICE, f"at://{HANDLE}")
        self.says[f"{PLC}/{BOB}"] = document(BOB, "at://bob.example.org")
        self.host_names(HANDLE, ALICE)

    @property
    def says(self) -> dict[str, dict[str, Any] | str | int]:
        return self.world.says

    def host_names(self, handle: str, said: str | int) -> None:
        self.says[f"https://{handle}/.well-known/atproto-did"] = said

    def dns_names(self, handle: str, *texts: str) -> None:
        self.dns.texts[f"_atproto.{handle}"] = list(texts)

    async def failure(self, typed: str) -> SignInFailed:
        with pytest.raises(SignInFailed) as failed:
            await self.identities.resolve(typed)
        return failed.value


async def _public(host: str, port: int) -> Sequence[str]:
    return ["1.1.1.1"]


@pytest.fixture
def scene() -> Scene:
    return Scene()


# Handles.


@pytest.mark.parametrize(
    ("typed", "handle"),
    [
        ("alice.bsky.social", "alice.bsky.social"),
        ("  @Alice.Bsky.Social ", "alice.bsky.social"),
        ("alice", "alice.bsky.social"),
        ("@alice", "alice.bsky.social"),
        ("\u202aalice.bsky.social\u202c", "alice.bsky.social"),  # as the Bluesky app copies it
        ("a.co", "a.co"),
        ("xn--stdte-hra.example.org", "xn--stdte-hra.example.org"),
        ("john.test.com", "john.test.com"),
    ],
)
def test_what_people_type(typed: str, handle: str) -> None:
    assert read_handle(typed, POLICY) == handle


NO_HANDLES = """
alice..org .alice.org alice.org. -alice.org alice-.org alice_b.org alice.org- alice.0org alice.4 127.0.0.1 alice.örg
alice.org:443 alice.org/x alice.org?x alice.org#x a@b.org alice.org\\x alice%2eorg handle.invalid alice.local
alice.localhost localhost.localhost alice.internal alice.arpa alice.example alice.onion alice.alt alice.test [::1]
did:web:alice.org did:plc:aaaa
"""


@pytest.mark.parametrize("typed", [*NO_HANDLES.split(), "", "@", "al ice.org", "a" * 64 + ".org", "a.b" * 100 + ".org"])
def test_what_is_no_handle(typed: str) -> None:
    with pytest.raises(NotAHandle, match="A handle looks like"):
        read_handle(typed, POLICY)


def test_handles_of_tests_are_for_tests() -> None:
    assert read_handle("alice.test", HandlePolicy(tests_too=True)) == "alice.test"


@given(st.text(alphabet=string.printable + "äß\u202e\u0130\u212a", max_size=80))
def test_a_handle_stays_as_it_was_read_and_holds_nothing_odd(typed: str) -> None:
    try:
        handle = read_handle(typed, POLICY)
    except NotAHandle:
        return
    assert read_handle(handle, POLICY) == handle
    assert set(handle) <= set(string.ascii_lowercase + string.digits + "-.")


# DIDs and their documents.


@pytest.mark.parametrize("did", [ALICE, WEB, "did:web:a.co"])
def test_dids_of_accounts(did: str) -> None:
    assert is_did(did, POLICY)


NO_DIDS = """
did:plc:short did:plc:AAAAAAAAAAAAAAAAAAAAAAAA did:plc:aaaaaaaaaaaaaaaaaaaaaaa1 did:key:z6Mk did:web: did:web:localhost
did:web:alice.org:path did:web:alice.org%3A8443 did:web:alice.org%2Fx did:web:127.0.0.1 did:web:alice.org/x
did:web:[::1] did:web:alice.local did:web:alice.org?x did:web:2130706433 did:web:alice.test
did:plc:aaaaaaaaaaaaaaaaaaaaaaaaa did:web:alice.org.
"""


@pytest.mark.parametrize("did", [*NO_DIDS.split(), f"{ALICE}\n", f" {ALICE}", f"{ALICE}/../x", f"{ALICE}?x"])
def test_what_is_no_did_of_an_account(did: str) -> None:
    assert not is_did(did, POLICY)


def test_where_documents_lie() -> None:
    assert document_url(ALICE, PLC) == f"{PLC}/{ALICE}"
    assert document_url(WEB, PLC) == f"https://{HANDLE}/.well-known/did.json"


def read(said: Any, did: str = ALICE) -> Any:
    return read_document(did, said if isinstance(said, bytes) else json.dumps(said).encode(), POLICY)


@pytest.mark.parametrize(
    ("known_as", "claimed"),
    [
        ([], None),
        ([f"at://{HANDLE}"], HANDLE),
        (["https://alice.example.org", f"at://{HANDLE}", "at://other.example.org"], HANDLE),
        (["at://handle.invalid", f"at://{HANDLE}"], HANDLE),
        (["at://ALICE.example.org"], HANDLE),
        (["at://alice.example.org/x", 7, None, {}], None),
        ("at://alice.example.org", None),
    ],
)
def test_the_first_handle_of_a_document_counts(known_as: Any, claimed: str | None) -> None:
    assert read({**document(), "alsoKnownAs": known_as}).claimed == claimed


@pytest.mark.parametrize("identifier", ["#atproto_pds", f"{ALICE}#atproto_pds"])
def test_the_server_of_a_document(identifier: str) -> None:
    other = {"id": "#other", "type": "Other", "serviceEndpoint": "https://other.example.org"}
    ours = {"id": identifier, "type": "AtprotoPersonalDataServer", "serviceEndpoint": f"{PDS}/"}
    later = {**ours, "serviceEndpoint": "https://later.example.org"}
    assert read({**document(), "service": [other, "x", ours, later]}).pds == PDS


@pytest.mark.parametrize(
    "pds",
    [
        "http://pds.example.net", "https://pds.example.net/x", "https://pds.example.net:8443",
        "https://me@pds.example.net", "https://pds.example.net?x",
        "https://pds.example.net#x", "ftp://pds.example.net", "pds.example.net", "",
        7, None,
        {"uri": PDS}, [PDS],
    ],
)  # fmt: skip
def test_servers_that_are_no_address_of_a_host(pds: Any) -> None:
    with pytest.raises(DocumentWrong, match="server"):
        read(document(pds=pds))


@pytest.mark.parametrize(
    "said",
    [
        b"", b"{", b"[" * 50_000, b"\xff", [], "x", 7, None, {}, document(BOB), {**document(), "service": []},
        {**document(), "service": {}}, {**document(), "service": [{"id": f"{BOB}#atproto_pds"}]},
        {**document(), "service": [{"id": "#atproto_pds", "type": "Other", "serviceEndpoint": PDS}]},
    ],
)  # fmt: skip
def test_documents_that_are_not_right(said: Any) -> None:
    with pytest.raises(DocumentWrong):
        read(said)


# Both ways.


@pytest.mark.parametrize("typed", [HANDLE, f"@{HANDLE.upper()}", ALICE, f" {ALICE} "])
async def test_by_handle_and_by_did(scene: Scene, typed: str) -> None:
    assert await scene.identities.resolve(typed) == ALICE_FOUND


async def test_an_account_whose_domain_has_its_document(scene: Scene) -> None:
    scene.says[f"https://{HANDLE}/.well-known/did.json"] = document(WEB, f"at://{HANDLE}")
    scene.host_names(HANDLE, WEB)
    assert await scene.identities.resolve(HANDLE) == ResolvedIdentity(WEB, HANDLE, PDS)
    assert f"https://{HANDLE}/.well-known/did.json" in scene.world.asked


async def test_a_handle_that_only_dns_knows(scene: Scene) -> None:
    scene.host_names(HANDLE, 404)
    scene.dns_names(HANDLE, "v=spf1 -all", f"did={ALICE}", f"did={ALICE}")
    assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


async def test_a_record_counts_whatever_the_host_says(scene: Scene) -> None:
    scene.host_names(HANDLE, BOB)
    scene.dns_names(HANDLE, f"did={ALICE}")
    assert (await scene.identities.resolve(HANDLE)).did == ALICE


async def test_a_record_needs_no_word_of_the_host(scene: Scene) -> None:
    scene.world.slow.add(f"https://{HANDLE}/.well-known/atproto-did")
    scene.dns_names(HANDLE, f"did={ALICE}")
    with trio.fail_after(5):
        assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


async def test_name_servers_that_say_nothing_do_not_matter_when_the_host_speaks(scene: Scene) -> None:
    scene.dns.silent.add(f"_atproto.{HANDLE}")
    assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


@pytest.mark.parametrize(
    "texts", [[f"did={ALICE}", f"did={BOB}"], ["did=did:key:z6Mk"], ["did="], ["did=did:web:localhost"]]
)
async def test_records_that_contradict_or_name_nobody(scene: Scene, texts: list[str]) -> None:
    """The host would name the account; but whoever has the domain meant DNS to."""
    scene.dns_names(HANDLE, *texts)
    failure = await scene.failure(HANDLE)
    assert failure.code == "not_found"
    assert f"_atproto.{HANDLE}" in failure.sentence


@pytest.mark.parametrize("said", [404, 410, "", "<html>", "did:key:z6Mk", f"{ALICE} {BOB}", "did:web:10.0.0.1"])
async def test_a_host_that_names_nobody(scene: Scene, said: str | int) -> None:
    scene.host_names(HANDLE, said)
    failure = await scene.failure(HANDLE)
    assert failure.code == "not_found"
    assert failure.sentence.startswith(f"Nobody is found by the handle {HANDLE}. ")


async def test_the_file_may_end_with_a_line_break(scene: Scene) -> None:
    scene.host_names(HANDLE, f"{ALICE}\r\n")
    assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


async def test_a_handle_that_the_account_does_not_claim_is_refused(scene: Scene) -> None:
    """Otherwise whoever has a domain could send others into the account of a third."""
    scene.host_names("mallory.example.org", ALICE)
    assert (await scene.failure("mallory.example.org")).code == "refused"


async def test_a_handle_that_an_account_claims_and_has_not_is_never_shown(scene: Scene) -> None:
    scene.says[f"{PLC}/{BOB}"] = document(BOB, f"at://{HANDLE}")
    assert await scene.identities.resolve(BOB) == ResolvedIdentity(BOB, None, PDS)
    assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


async def test_a_later_handle_of_a_document_is_none(scene: Scene) -> None:
    scene.says[f"{PLC}/{ALICE}"] = document(ALICE, "at://alice.example.net", f"at://{HANDLE}")
    assert (await scene.failure(HANDLE)).code == "refused"
    assert (await scene.identities.resolve(ALICE)).handle is None


async def test_a_changed_handle(scene: Scene) -> None:
    scene.says[f"{PLC}/{ALICE}"] = document(ALICE, "at://alice.example.net")
    scene.host_names("alice.example.net", ALICE)
    scene.host_names(HANDLE, 404)
    assert await scene.identities.resolve("alice.example.net") == ResolvedIdentity(ALICE, "alice.example.net", PDS)
    assert (await scene.failure(HANDLE)).code == "not_found"


async def test_a_handle_that_somebody_else_registered_is_somebody_else(scene: Scene) -> None:
    assert (await scene.identities.resolve(HANDLE)).did == ALICE
    scene.host_names(HANDLE, BOB)
    scene.says[f"{PLC}/{BOB}"] = document(BOB, f"at://{HANDLE}")
    assert (await scene.identities.resolve(HANDLE)).did == BOB
    assert await scene.identities.resolve(ALICE) == ResolvedIdentity(ALICE, None, PDS)


async def test_a_deactivated_account_is_found_by_its_did_only(scene: Scene) -> None:
    scene.host_names(HANDLE, 404)
    assert (await scene.failure(HANDLE)).code == "not_found"
    assert await scene.identities.resolve(ALICE) == ResolvedIdentity(ALICE, None, PDS)


async def test_an_account_that_moved(scene: Scene) -> None:
    await scene.identities.resolve(HANDLE)
    scene.says[f"{PLC}/{ALICE}"] = document(ALICE, f"at://{HANDLE}", pds="https://new.example.net")
    assert (await scene.identities.resolve_did(ALICE, fresh=True)).pds == "https://new.example.net"
    # What was asked anew is what is known from then on.
    assert (await scene.identities.resolve(HANDLE)).pds == "https://new.example.net"


@pytest.mark.parametrize("status", [404, 410])
async def test_an_account_that_there_is_not(scene: Scene, status: int) -> None:
    scene.says[f"{PLC}/{ALICE}"] = status
    assert (await scene.failure(HANDLE)).code == "not_found"
    assert (await scene.failure(ALICE)).code == "not_found"


async def test_a_document_about_another_is_refused(scene: Scene) -> None:
    scene.says[f"{PLC}/{ALICE}"] = document(BOB, f"at://{HANDLE}")
    assert (await scene.failure(HANDLE)).code == "refused"
    assert (await scene.failure(ALICE)).code == "refused"


async def test_a_directory_that_is_down(scene: Scene) -> None:
    for down in (503, 429):
        scene.says[f"{PLC}/{ALICE}"] = down
        failure = await scene.failure(HANDLE)
        assert failure.code == "unreachable"
        assert "plc.directory" in failure.sentence


async def test_another_directory(scene: Scene) -> None:
    other = Identities(scene.world, scene.dns, plc_directory="https://plc.example.com")
    scene.says[f"https://plc.example.com/{ALICE}"] = document(ALICE, f"at://{HANDLE}")
    assert await other.resolve(HANDLE) == ALICE_FOUND
    assert f"{PLC}/{ALICE}" not in scene.world.asked


# What is kept.


async def test_a_document_is_kept_for_minutes_and_a_handle_is_not(scene: Scene) -> None:
    await scene.identities.resolve(HANDLE)
    await scene.identities.resolve(HANDLE)
    assert scene.world.asked.count(f"{PLC}/{ALICE}") == 1
    assert scene.world.asked.count(f"https://{HANDLE}/.well-known/atproto-did") == 2
    scene.clock.now += DOCUMENT_KEPT_S + 1
    await scene.identities.resolve(HANDLE)
    assert scene.world.asked.count(f"{PLC}/{ALICE}") == 2


async def test_what_decides_who_is_signed_in_is_asked_anew(scene: Scene) -> None:
    await scene.identities.resolve(ALICE)
    scene.says[f"{PLC}/{ALICE}"] = 503
    assert await scene.identities.resolve(ALICE) == ALICE_FOUND
    with pytest.raises(SignInFailed) as failed:
        await scene.identities.resolve_did(ALICE, fresh=True)
    assert failed.value.code == "unreachable"
    assert (await scene.failure(ALICE)).code == "unreachable", "what was found wanting is no longer kept"


async def test_a_handle_of_nobody_is_not_asked_about_at_once_again(scene: Scene) -> None:
    scene.host_names(HANDLE, 404)
    sentence = (await scene.failure(HANDLE)).sentence
    asked = len(scene.world.asked)
    scene.host_names(HANDLE, ALICE)
    assert (await scene.failure(HANDLE)).sentence == sentence
    assert len(scene.world.asked) == asked
    scene.clock.now += UNKNOWN_KEPT_S + 1
    assert await scene.identities.resolve(HANDLE) == ALICE_FOUND


# What is to be shown.


async def test_a_handle_is_shown_while_it_proves_right(scene: Scene) -> None:
    assert await scene.identities.check_handle(ALICE) == HandleNow(HANDLE, is_sure=True)
    scene.host_names(HANDLE, 404)
    assert await scene.identities.check_handle(ALICE) == HandleNow(None, is_sure=True)


async def test_a_domain_that_does_not_answer_proves_nothing(scene: Scene) -> None:
    del scene.says[f"https://{HANDLE}/.well-known/atproto-did"]
    assert await scene.identities.check_handle(ALICE) == HandleNow(None, is_sure=False)
    scene.clock.now += UNKNOWN_KEPT_S + 1
    scene.host_names(HANDLE, 404)
    scene.dns.silent.add(f"_atproto.{HANDLE}")
    assert await scene.identities.check_handle(ALICE) == HandleNow(None, is_sure=False)


# Nobody makes us ask inside.


@dataclass
class Listener:
    """Something that listens inside, whatever name leads there."""

    port: int
    connections: int = 0

    async def accept(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        await stream.aclose()


@dataclass(frozen=True)
class ToListener(Door):
    """The usual door, but what it lets through ends at the listener's port."""

    listener: Listener = field(default_factory=lambda: Listener(0))

    async def pin(self, url: str) -> Pinned:
        return replace(await super().pin(url), port=self.listener.port)


async def _this_machine(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with trio.open_nursery() as nursery:
        streams = await trio.open_tcp_listeners(0, host="127.0.0.1")
        running = Listener(streams[0].socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, running.accept, streams)
        yield running
        nursery.cancel_scope.cancel()


INSIDE = [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
    "169.254.169.254", "inside.example.org", "127.0.0.1:8443", "127.0.0.1:8443/admin?x=", "localhost:8443",
    "inside.example.org:8443", "me@127.0.0.1", "alice.example.org#@127.0.0.1", "①②⑦.⓪.⓪.①", "inside.example.org/x?y",
]  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
async def test_no_handle_did_or_server_leads_inside(listener: Listener, name: str) -> None:
    door = ToListener(resolve=_this_machine, listener=listener)
    identities = Identities(door, FakeDns())
    for typed in (name, f"did:web:{name}", f"did:web:{name.replace(':', '%3A')}"):
        with pytest.raises(SignInFailed):
            await identities.resolve(typed)
    with pytest.raises(SignInFailed):
        await Discovery(door).server_at(f"https://{name}")
    assert listener.connections == 0


async def test_a_door_that_judges_nothing_would_lead_inside(listener: Listener) -> None:
    door = ToListener(resolve=_this_machine, allows=lambda address: True, listener=listener)
    for typed in ("inside.example.org", "did:web:inside.example.org"):
        with pytest.raises(SignInFailed):
            await Identities(door, FakeDns()).resolve(typed)
    assert listener.connections == 2
