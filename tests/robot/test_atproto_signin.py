"""Signing in with Bluesky, against servers that misbehave in every way that we know of."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio

from robot.signin.atproto.pending import of_memory
from robot.signin.providers import Identity, SignInFailed
from tests.robot.atproto_stage import stage
from tests.robot.fake_atproto import (
    ALICE,
    ELSEWHERE,
    HANDLE,
    KEYS_KEPT_S,
    PDS,
    RESOURCE_PATH,
    SERVER,
    SERVER_PATH,
)

ALICE_HERE = Identity("atproto", ALICE, HANDLE, HANDLE)


@pytest.mark.parametrize("typed", [HANDLE, f"@{HANDLE}", f" {HANDLE} ", ALICE])
async def test_by_handle_and_by_did(typed: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    assert await on.sign_in(typed) == ALICE_HERE
    assert on.servers.hint == HANDLE
    assert on.servers.grants == {"ended"}


@pytest.mark.parametrize("typed", [PDS, f"{PDS}/", f" {PDS.upper()} ", SERVER])
async def test_by_the_address_of_a_server(typed: str, tmp_path: Path) -> None:
    on = stage(tmp_path, f"missing:{RESOURCE_PATH}") if typed == SERVER else stage(tmp_path)
    departure = await on.begin(typed)
    on.servers.bend.clear()
    query = on.servers.approve(departure.address)
    assert on.servers.hint is None
    assert await on.provider.finish(query, departure.memory) == ALICE_HERE


async def test_whoever_comes_back_from_a_server_must_be_one_of_its_people(tmp_path: Path) -> None:
    """A server that was named by its address may answer with any DID."""
    on = stage(tmp_path)
    departure = await on.begin(PDS)
    query = on.servers.approve(departure.address)
    on.servers.bend.add("moved")
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish(query, departure.memory)
    assert failed.value.code == "mismatch"


@pytest.mark.parametrize("bent", ["two-servers", "other-resource", "serves-others", "other-issuer"])
async def test_a_server_that_was_typed_is_held_to_the_same(bent: str, tmp_path: Path) -> None:
    with pytest.raises(SignInFailed) as failed:
        await stage(tmp_path, bent).begin(PDS)
    assert failed.value.code == "refused"


@pytest.mark.parametrize(
    "typed",
    [
        "http://pds.fake.dev", "https://", "https://pds.fake.dev/x", "https://pds.fake.dev?x", "https://pds.fake.dev#x",
        "https://me@pds.fake.dev", "https://pds.fake.dev:8443", "ftp://pds.fake.dev", "https://[", "at://alice.fake.dev",
    ],
)  # fmt: skip
async def test_addresses_that_are_no_servers(typed: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    with pytest.raises(SignInFailed) as failed:
        await on.begin(typed)
    assert failed.value.code == "invalid"
    assert not on.servers.asked


@pytest.mark.parametrize("typed", ["https://127.0.0.1", "https://10.1.2.3", "https://localhost", "https://0x7f.1"])
async def test_no_server_inside_is_asked(typed: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    with pytest.raises(SignInFailed):
        await on.begin(typed)
    assert not on.servers.asked


RESOURCE_FAULTS = [
    "other-resource", "no-resource", "no-server", "two-servers", "text-server", "number-server", "http-server",
    "path-server", "slash-server", "port-server", "user-server", "inner-server",
]  # fmt: skip
NEEDED = [
    "response_types_supported", "grant_types_supported", "code_challenge_methods_supported", "scopes_supported",
    "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
    "dpop_signing_alg_values_supported", "authorization_response_iss_parameter_supported",
    "require_pushed_authorization_requests", "client_id_metadata_document_supported",
]  # fmt: skip
ENDPOINTS = ["authorization_endpoint", "token_endpoint", "pushed_authorization_request_endpoint"]
SERVER_FAULTS = [
    "other-issuer",
    "serves-others",
    *(f"{kind}={name}" for kind in ("without", "not", "truthy") for name in NEEDED),
    *(f"without={name}" for name in ["issuer", *ENDPOINTS]),
    *(
        f"{kind}={name}"
        for kind in ("elsewhere", "looks-like-it", "as-user", "with-line-break")
        for name in [*ENDPOINTS, "revocation_endpoint"]
    ),
]
DOCUMENT_FAULTS = ["redirect", "inwards", "huge", "html", "broken", "list", "deep", "binary", "down", "missing"]


@pytest.mark.parametrize(
    "bent",
    [
        *RESOURCE_FAULTS,
        *SERVER_FAULTS,
        *(f"{kind}:{path}" for kind in DOCUMENT_FAULTS for path in (RESOURCE_PATH, SERVER_PATH)),
    ],
)
async def test_servers_that_are_not_right_are_not_used(bent: str, tmp_path: Path) -> None:
    on = stage(tmp_path, bent)
    with pytest.raises(SignInFailed) as failed:
        await on.begin()
    assert failed.value.code in ("refused", "unreachable")
    assert not any(asked.startswith("POST") for asked in on.servers.asked)
    assert not any(ELSEWHERE in asked or "169.254" in asked for asked in on.servers.asked)


async def test_a_server_may_say_whom_it_serves(tmp_path: Path) -> None:
    assert await stage(tmp_path, "serves-us").sign_in() == ALICE_HERE


async def test_endpoints_may_have_a_query(tmp_path: Path) -> None:
    on = stage(tmp_path, *(f"query={name}" for name in [*ENDPOINTS, "revocation_endpoint"]))
    assert await on.sign_in() == ALICE_HERE
    assert f"POST {SERVER}/token?tenant=1" in on.servers.asked
    assert on.departure is not None
    assert on.departure.address.startswith(f"{SERVER}/authorize?tenant=1&client_id=")


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ("nonce-loop", "refused"), ("no-nonce", "refused"), ("echoes", "refused"), ("no-reference", "refused"),
        ("number-reference", "refused"), ("long-reference", "refused"), ("odd-reference", "refused"),
        ("refuses=invalid_client", "refused"),
        ("refuses=invalid_request", "refused"), ("refuses=server_error", "refused"), ("redirect:/par", "unreachable"),
        ("huge:/par", "unreachable"), ("html:/par", "refused"), ("list:/par", "refused"), ("deep:/par", "refused"),
        ("binary:/par", "refused"), ("down:/par", "unreachable"),
    ],
)  # fmt: skip
async def test_requests_that_are_not_taken_as_they_must(bent: str, code: str, tmp_path: Path) -> None:
    on = stage(tmp_path, bent)
    with pytest.raises(SignInFailed) as failed:
        await on.begin()
    assert failed.value.code == code
    assert sum(asked.startswith("POST") for asked in on.servers.asked) <= 2
    assert not any(ELSEWHERE in asked for asked in on.servers.asked)


@pytest.mark.parametrize(
    ("callback", "code"),
    [
        ({"iss": None}, "mismatch"), ({"iss": ""}, "mismatch"), ({"iss": ELSEWHERE}, "mismatch"),
        ({"iss": f"{SERVER}/"}, "mismatch"), ({"iss": None, "error": "access_denied"}, "mismatch"),
        ({"iss": ELSEWHERE, "error": "access_denied"}, "mismatch"), ({"error": "access_denied"}, "denied"),
        ({"error": "server_error"}, "refused"), ({"error": ""}, "refused"), ({"code": None}, "refused"),
        ({"code": ""}, "refused"),
    ],
)  # fmt: skip
async def test_what_the_browser_brings_back(callback: dict[str, str | None], code: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = {**on.servers.approve(departure.address), **callback}
    asked = len(on.servers.asked)
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish({name: value for name, value in query.items() if value is not None}, departure.memory)
    assert failed.value.code == code
    assert len(on.servers.asked) == asked, "nobody is asked"


async def test_what_a_server_says_is_wrong_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SignInFailed) as failed:
        await stage(tmp_path).sign_in(error="<b>", error_description="Send money to mallory")
    assert "<b>" not in failed.value.sentence
    assert "mallory" not in failed.value.sentence


async def test_a_code_works_once(tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = on.servers.approve(departure.address)
    await on.provider.finish(query, departure.memory)
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish(query, departure.memory)
    assert failed.value.code == "expired"


async def test_a_code_of_another_sign_in_does_not_count(tmp_path: Path) -> None:
    """Whoever puts a code of theirs into somebody's callback gets nothing: it belongs to another key and verifier."""
    on = stage(tmp_path)
    mine, theirs = await on.begin(), await on.begin()
    code = on.servers.approve(theirs.address)["code"]
    with pytest.raises(AssertionError, match="same keys"):
        await on.provider.finish({**on.servers.approve(mine.address), "code": code}, mine.memory)


TOKEN_FAULTS = [
    ("bearer", "refused"), ("no-type", "refused"), ("no-access", "refused"), ("odd-access", "refused"),
    ("other-scope", "denied"),
    ("like-scope", "denied"), ("no-scope", "denied"), ("other-sub", "mismatch"), ("number-sub", "refused"),
    ("no-sub", "refused"), ("moved", "mismatch"), ("plc-down-later", "unreachable"), ("serves-others", "refused"),
    ("other-document", "refused"), (f"down:{RESOURCE_PATH}", "unreachable"),
    (f"redirect:{RESOURCE_PATH}", "unreachable"),
]  # fmt: skip


@pytest.mark.parametrize(("bent", "code"), TOKEN_FAULTS)
async def test_answers_that_do_not_prove_who_it_is(bent: str, code: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = on.servers.approve(departure.address)
    on.servers.bend.add(bent)
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish(query, departure.memory)
    assert failed.value.code == code
    if not bent.endswith("-access"):
        assert on.servers.grants == {"ended"}, "what was given is ended, whatever came of it"


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ("no-nonce", "refused"), ("nonce-loop", "refused"), ("redirect:/token", "unreachable"),
        ("inwards:/token", "unreachable"), ("huge:/token", "unreachable"), ("html:/token", "refused"),
        ("list:/token", "refused"), ("deep:/token", "refused"), ("down:/token", "unreachable"),
        ("elsewhere=token_endpoint", "refused"), ("other-issuer", "refused"), (f"down:{SERVER_PATH}", "unreachable"),
    ],
)  # fmt: skip
async def test_servers_that_turn_bad_meanwhile(bent: str, code: str, tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = on.servers.approve(departure.address)
    on.servers.bend.add(bent)
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish(query, departure.memory)
    assert failed.value.code == code
    assert not any(ELSEWHERE in asked or "169.254" in asked for asked in on.servers.asked)


@pytest.mark.parametrize("typed", [HANDLE, PDS])
async def test_a_subject_that_is_no_did(typed: str, tmp_path: Path) -> None:
    with pytest.raises(SignInFailed) as failed:
        await stage(tmp_path, "strange-sub").sign_in(typed)
    assert failed.value.code in ("mismatch", "invalid", "refused")


@pytest.mark.parametrize("bent", ["down:/revoke", "html:/revoke", "redirect:/revoke", "without=revocation_endpoint"])
async def test_that_a_session_cannot_be_ended_there_keeps_nobody_out(bent: str, tmp_path: Path) -> None:
    assert await stage(tmp_path, bent).sign_in() == ALICE_HERE


async def test_a_server_that_gives_more_than_was_asked_for_has_all_of_it_ended(tmp_path: Path) -> None:
    on = stage(tmp_path, "gives-refresh")
    await on.sign_in()
    assert on.servers.grants == {"ended"}


async def test_the_session_there_is_ended_also_when_the_browser_goes_away(tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = on.servers.approve(departure.address)
    with trio.CancelScope() as scope:
        on.servers.when_asked = lambda asked: scope.cancel() if "/did:" in asked else None
        await on.provider.finish(query, departure.memory)
    assert scope.cancelled_caught
    assert on.servers.grants == {"ended"}


async def test_sign_ins_under_way_do_not_notice_a_rotation(tmp_path: Path) -> None:
    on = stage(tmp_path)
    await on.sign_in()
    on.keys.rotate()
    for _ in range(45):
        departure = await on.begin()
        query = on.servers.approve(departure.address)
        on.clock.now += KEYS_KEPT_S - 1
        assert await on.provider.finish(query, departure.memory) == ALICE_HERE
        on.clock.now -= KEYS_KEPT_S - 61
    assert len(on.keys.load().published(on.clock.now)) == 1


async def test_a_key_that_was_stolen_ends_sign_ins_under_way(tmp_path: Path) -> None:
    on = stage(tmp_path)
    departure = await on.begin()
    query = on.servers.approve(departure.address)
    on.keys.replace()
    with pytest.raises(SignInFailed) as failed:
        await on.provider.finish(query, departure.memory)
    assert failed.value.code == "expired"


async def test_nothing_that_is_secret_is_logged_or_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for bent in ("gives-refresh", "echoes", "other-sub", "down:/token", "down:/revoke", "list:/token", "nonce-loop"):
        on = stage(tmp_path, bent)
        try:
            await on.sign_in()
        except SignInFailed as failure:
            shown.append(f"{failure!r} {failure.sentence}")
        shown += [f"{on.provider!r} {on.departure!r} {on.keys.load()!r}", *on.servers.shown]
        secrets = on.servers.secrets | {on.keys.load().keys[0].pair.as_dict(private=True)["d"]}
        if on.departure:
            shown.append(repr(of_memory(on.departure.memory)))
            secrets |= {on.departure.memory["verifier"], on.departure.memory["dpop_key"]}
        assert len(secrets) > 3
        for text in [*shown, caplog.text]:
            assert not [secret for secret in secrets if str(secret) in text], bent
    assert "as.fake.dev refused a request for a sign-in" in caplog.text
