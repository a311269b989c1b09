"""Who accounts are, as a real PDS and a real directory say it."""

from __future__ import annotations

import json
import subprocess

import pytest

from robot.signin.atproto.handles import HandlePolicy
from robot.signin.atproto.identity import HandleNow, ResolvedIdentity
from robot.signin.providers import SignInFailed
from tests.judges.toolchain import node
from tests.pds.internet import HERE, PDS, Internet

pytestmark = pytest.mark.pds

SERVER = f"https://{PDS}"


async def failure(internet: Internet, typed: str) -> str:
    with pytest.raises(SignInFailed) as failed:
        await internet.identities.resolve(typed)
    return failed.value.code


async def test_by_handle_and_by_did(internet: Internet) -> None:
    alice = ResolvedIdentity(internet.alice.did, "alice.test", SERVER)
    assert await internet.identities.resolve("@Alice.test") == alice
    assert await internet.identities.resolve(alice.did) == alice
    assert await failure(internet, "nobody.test") == "not_found"
    assert await failure(internet, "did:plc:" + "a" * 24) == "not_found"


async def test_a_document_that_claims_the_handle_of_another(internet: Internet) -> None:
    mallory = internet.create_account("mallory.test")
    internet.claim(mallory.did, "alice.test")
    assert await internet.identities.resolve(mallory.did) == ResolvedIdentity(mallory.did, None, SERVER)
    assert await internet.identities.check_handle(mallory.did) == HandleNow(None, is_sure=True)
    assert (await internet.identities.resolve("alice.test")).did == internet.alice.did
    assert await failure(internet, "mallory.test") == "refused"


async def test_a_handle_that_was_changed_and_taken_by_another(internet: Internet) -> None:
    carol = internet.create_account("carol.test")
    internet.xrpc("com.atproto.identity.updateHandle", carol, handle="dave.test")
    assert await failure(internet, "carol.test") == "not_found"
    assert await internet.identities.resolve("dave.test") == ResolvedIdentity(carol.did, "dave.test", SERVER)
    other = internet.create_account("carol.test")
    assert (await internet.identities.resolve("carol.test")).did == other.did != carol.did
    assert (await internet.identities.resolve(carol.did)).handle == "dave.test"


async def test_a_deactivated_account(internet: Internet) -> None:
    erin = internet.create_account("erin.test")
    internet.xrpc("com.atproto.server.deactivateAccount", erin)
    assert await failure(internet, "erin.test") == "not_found"
    assert await internet.identities.resolve(erin.did) == ResolvedIdentity(erin.did, None, SERVER)


async def test_an_account_that_moved(internet: Internet) -> None:
    grace = internet.create_account("grace.test")
    identities = internet.identities
    await identities.resolve("grace.test")
    internet.move(grace.did, "https://new.example.net")
    assert (await identities.resolve_did(grace.did, fresh=True)).pds == "https://new.example.net"


# Others' rules for handles, in the words of the protocol's own library.
NAMES = """
alice.test alice.bsky.social ALICE.bsky.social alice a.co a.b alice..org .alice.org alice.org. -a.org a-.org a_b.org
a.0org a.org0 a.o-rg a.4 127.0.0.1 xn--stdte-hra.org a.xn--p1ai alice.örg alice.org:443 alice.org/x a@b.org
handle.invalid alice.local alice.localhost alice.internal alice.arpa alice.example alice.onion alice.alt a.test.com
8.cn 0.0.org a--b.org
"""
LONG = ["a" * 63 + ".org", "a" * 64 + ".org", "a." * 124 + "abcde", "a." * 125 + "abcd"]
SAY = (
    "import { isValidHandle, isValidTld } from '@atproto/syntax';"
    "const names = JSON.parse(process.argv[1]);"
    "console.log(JSON.stringify(names.map((name) => isValidHandle(name) && isValidTld(name))))"
)


def test_what_a_handle_is_is_what_the_protocols_library_says() -> None:
    names = [*NAMES.split(), *LONG, "", " a.org", "a.org\n"]
    judge = subprocess.run(
        [node("")[0], "--input-type=module", "--eval", SAY, json.dumps(names)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    policy = HandlePolicy(tests_too=True)
    assert [policy.allows(name.lower()) for name in names] == json.loads(judge.stdout)
