"""The OpenID Connect client against a provider that misbehaves in one way at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey

from robot.fetch import Door
from robot.signin.admission import Admission
from robot.signin.oidc.client import OidcProvider, Registration
from robot.signin.oidc.id_token import ALGORITHMS, LEEWAY_S, MAX_AGE_S
from robot.signin.oidc.issuer import KEPT_S, Issuer
from robot.signin.providers import Identity, Provider, SignInFailed
from robot.web.all_pages import PersonSignIn
from tests.robot.fake_issuer import (
    CLIENT_ID,
    REDIRECT_URI,
    SECRET,
    FakeIssuer,
    by_the_public_key,
    elliptic_key,
    fake_issuer,
    rsa_key,
    unsigned,
)
from tests.robot.fake_provider import PLATFORM
from tests.robot.small_host import Browser, small_host, text_of
from tests.robot.test_signin_provider import who
from tests.robot.tls_server import HOST, OTHER

Turn = Callable[[FakeIssuer], object]


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[FakeIssuer]:
    with fake_issuer(tmp_path) as made:
        yield made


async def sign_in(issuer: FakeIssuer, provider: OidcProvider | None = None, **query: str) -> Identity:
    provider = provider or issuer.provider()
    departure = await provider.begin("", state="st")
    code = issuer.authorize(departure.address)
    return await provider.finish({"state": "st", "code": code, **query}, departure.memory)


async def test_a_provider_that_does_right_is_believed(issuer: FakeIssuer) -> None:
    provider: Provider = issuer.provider()
    departure = await provider.begin("", state="st")
    asked = {name: values for name, values in parse_qs(urlsplit(departure.address).query).items()}
    assert asked["tenant"] == ["1"]
    assert asked["state"] == ["st"]
    assert asked["scope"] == ["openid profile"]
    assert set(departure.memory.values()).isdisjoint(
        {text for name, texts in asked.items() if name != "nonce" for text in texts} - {departure.memory["nonce"]}
    )
    code = issuer.authorize(departure.address)
    identity = await provider.finish({"state": "st", "code": code}, departure.memory)
    # The handle that it claims is one of somebody else's at Bluesky, and is not shown as one.
    assert identity == Identity("oidc", f"{issuer.url}#248289761001", None, "Bob Müller")


async def test_a_name_that_the_token_lacks_is_asked_for(issuer: FakeIssuer) -> None:
    claims(name=None, preferred_username=None)(issuer)
    assert (await sign_in(issuer)).display_name == ""
    metadata(userinfo_endpoint=issuer.server.url("/userinfo"))(issuer)
    for said, name in (
        (b'{"sub": "248289761001", "name": "Bob"}', "Bob"),
        (b'{"sub": "somebody else", "name": "Eve"}', ""),
        (b"[]", ""),
    ):
        issuer.raw = {"/userinfo": said}
        assert (await sign_in(issuer)).display_name == name
    answer(access_token="at-1\r\nX: y")(issuer)
    with pytest.raises(SignInFailed):
        await sign_in(issuer)


async def test_a_code_works_once_there(issuer: FakeIssuer) -> None:
    provider = issuer.provider()
    departure = await provider.begin("", state="st")
    query = {"code": issuer.authorize(departure.address)}
    await provider.finish(query, departure.memory)
    with pytest.raises(SignInFailed) as caught:
        await provider.finish(query, departure.memory)
    assert caught.value.code == "expired"


@pytest.mark.parametrize(
    ("methods", "secret", "sent"),
    [
        (None, SECRET, {"basic_id": CLIENT_ID, "basic_secret": SECRET}),
        (["client_secret_post", "client_secret_basic"], SECRET, {"basic_id": CLIENT_ID, "basic_secret": SECRET}),
        (["client_secret_post"], SECRET, {"client_id": CLIENT_ID, "client_secret": SECRET}),
        (["none"], "", {"client_id": CLIENT_ID}),
    ],
)
async def test_we_prove_who_we_are_as_the_provider_wants(
    issuer: FakeIssuer, methods: list[str] | None, secret: str, sent: dict[str, str]
) -> None:
    if methods:
        issuer.metadata = lambda said: said.update(token_endpoint_auth_methods_supported=methods)
    await sign_in(issuer, issuer.provider(secret))
    kinds = ("basic_id", "basic_secret", "client_id", "client_secret")
    assert {name: text for name, text in issuer.spoken[0].items() if name in kinds} == sent
    assert issuer.spoken[0]["redirect_uri"] == REDIRECT_URI


def metadata(**changes: object) -> Turn:
    return lambda issuer: setattr(issuer, "metadata", lambda said: said.update(changes))


def claims(**changes: object) -> Turn:
    return lambda issuer: setattr(issuer, "claims", lambda said: said.update(changes))


def without(name: str) -> Turn:
    return lambda issuer: setattr(issuer, "claims", lambda said: said.pop(name))


def answer(**changes: object) -> Turn:
    return lambda issuer: setattr(issuer, "answer", lambda said: said.update(changes))


def knob(**changes: object) -> Turn:
    def turn(issuer: FakeIssuer) -> None:
        for name, value in changes.items():
            setattr(issuer, name, value)

    return turn


def moved(claim: str, seconds: int) -> Turn:
    def change(said: dict[str, Any]) -> None:
        said[claim] += seconds

    return lambda issuer: setattr(issuer, "claims", change)


KNOBS: dict[str, Turn] = {
    "the metadata is of another issuer": metadata(issuer="https://other.example.org"),
    "the issuer has a slash more": lambda issuer: metadata(issuer=issuer.url + "/")(issuer),
    "no issuer": metadata(issuer=None),
    "an issuer that is no text": metadata(issuer=["x"]),
    "no authorization endpoint": metadata(authorization_endpoint=None),
    "the authorization endpoint is not https": metadata(authorization_endpoint="http://x.example.org/a"),
    "the authorization endpoint is a script": metadata(authorization_endpoint="javascript:alert(1)"),
    "no token endpoint": metadata(token_endpoint=None),
    "the token endpoint is not https": metadata(token_endpoint="http://x.example.org/t"),
    "the token endpoint is no text": metadata(token_endpoint=7),
    "no keys are named": metadata(jwks_uri=None),
    "the metadata is a list": knob(raw={"/.well-known/openid-configuration": b"[]"}),
    "the metadata is nested without end": knob(raw={"/.well-known/openid-configuration": b"[" * 100_000}),
    "the keys are a text": knob(raw={"/jwks": b'{"keys": "k"}'}),
    "there are no keys": knob(published=[]),
    "another issuer in the token": claims(iss="https://other.example.org"),
    "another audience": claims(aud="somebody-else"),
    "another audience, on our behalf": claims(aud="somebody-else", azp=CLIENT_ID),
    "we are one of two audiences, and another is meant": claims(aud=[CLIENT_ID, "x"], azp="x"),
    "we are one of two audiences, and nobody is named": claims(aud=[CLIENT_ID, "x"]),
    "the audience is not a text": claims(aud={"x": CLIENT_ID}),
    "another nonce": claims(nonce="n" * 43),
    "an expired token": moved("exp", -301 - LEEWAY_S),
    "a token of tomorrow": moved("iat", 86_400),
    "a token of yesterday": moved("iat", -MAX_AGE_S - 1),
    "not valid yet": claims(nbf=2**40),
    "an expiry that is no number": claims(exp="soon"),
    "another access token": claims(at_hash="A" * 22),
    "an empty subject": claims(sub=""),
    "a subject that is a number": claims(sub=7),
    "a subject without end": claims(sub="x" * 256),
    "a subject of two lines": claims(sub="a\nb"),
    **{f"no {name}": without(name) for name in ("iss", "sub", "aud", "exp", "iat", "nonce")},
    "no signature": knob(sign=unsigned),
    "signed with the public key": knob(sign=by_the_public_key),
    "signed by a key that it does not publish": knob(key=rsa_key("k2"), header={"kid": "k1"}),
    "a key that nobody has": knob(header={"kid": "k9"}),
    "an algorithm that the key is not of": knob(published=[elliptic_key()], header={"kid": "e1"}),
    "the token is rubbish": answer(id_token="a.b.c"),
    "the token is not one": answer(id_token=""),
    "no token": answer(id_token=None),
    "the token endpoint says no": knob(token_status=400),
    "the token endpoint answers with HTML": knob(token_type="text/html"),
    "the token endpoint fails": knob(token_status=500),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOBS)
async def test_a_provider_that_does_wrong_is_not_believed(issuer: FakeIssuer, name: str) -> None:
    KNOBS[name](issuer)
    with pytest.raises(SignInFailed) as caught:
        await sign_in(issuer)
    assert caught.value.code in ("refused", "unreachable")
    assert caught.value.sentence.endswith(".")
    assert "at-1" not in caught.value.sentence


def test_only_what_is_signed_with_a_private_key_is_read_at_all() -> None:
    """Other checks refuse such a token as well, but none of them is there for that."""
    assert not [name for name in ALGORITHMS if name == "none" or name.startswith("HS")]


async def test_a_shared_secret_among_the_keys_is_none(issuer: FakeIssuer) -> None:
    issuer.published = [OctKey.generate_key(256, {"kid": "k1"})]
    with pytest.raises(SignInFailed, match="no key that signs"):
        await sign_in(issuer)


@pytest.mark.parametrize(
    "turn",
    [
        without("at_hash"), claims(aud=[CLIENT_ID]), claims(aud=[CLIENT_ID, "x"], azp=CLIENT_ID), moved("exp", -300),
        moved("iat", LEEWAY_S - 1), answer(access_token=None), knob(published=[elliptic_key(), rsa_key()]),
        claims(name=None), claims(name=7, preferred_username=None),
    ],
)  # fmt: skip
async def test_what_may_differ_may(issuer: FakeIssuer, turn: Turn) -> None:
    turn(issuer)
    assert (await sign_in(issuer)).subject.endswith("#248289761001")


async def test_a_key_that_is_new_is_asked_for(issuer: FakeIssuer) -> None:
    provider = issuer.provider()
    await sign_in(issuer, provider)
    await sign_in(issuer, provider)
    assert issuer.server.seen.count("/jwks") == 1
    issuer.key = rsa_key("k2")
    issuer.published = [rsa_key("k2")]
    await sign_in(issuer, provider)
    assert issuer.server.seen.count("/jwks") == 2
    issuer.clock.now += KEPT_S
    await sign_in(issuer, provider)
    assert issuer.server.seen.count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"error": "access_denied"}, "denied"),
        ({"error": "temporarily_unavailable"}, "unreachable"),
        ({"error": "<script>"}, "refused"),
        ({"error": "access_denied", "iss": "https://other.example.org"}, "refused"),
        ({"iss": "https://other.example.org"}, "refused"),
        ({"code": ""}, "refused"),
        ({"code": "x" * 5000}, "refused"),
        ({"code": "unknown"}, "expired"),
    ],
)
async def test_what_a_browser_comes_back_with_is_looked_at(
    issuer: FakeIssuer, query: dict[str, str], code: str
) -> None:
    with pytest.raises(SignInFailed) as caught:
        await sign_in(issuer, None, **query)
    assert caught.value.code == code
    assert "<" not in caught.value.sentence


async def test_a_provider_that_names_itself_must_do_so(issuer: FakeIssuer) -> None:
    """RFC 9207: mix-up of two providers."""
    metadata(authorization_response_iss_parameter_supported=True)(issuer)
    with pytest.raises(SignInFailed, match="another server"):
        await sign_in(issuer)
    assert (await sign_in(issuer, iss=issuer.url)).provider == "oidc"


async def test_only_the_issuers_own_host_may_be_private(issuer: FakeIssuer) -> None:
    """`oidc_private` lets that one host be asked where it is, and none that it names."""
    inner = issuer.server.door()
    public = Door(resolve=inner.resolve, ca_file=inner.ca_file)

    def provider(home: Door | None) -> OidcProvider:
        made = Issuer(issuer.url, door=public, home=home)
        return OidcProvider(made, Registration(CLIENT_ID, SECRET, REDIRECT_URI), label="it", clock=issuer.clock)

    with pytest.raises(SignInFailed, match="not on the public internet"):
        await sign_in(issuer, provider(None))
    await sign_in(issuer, provider(inner))
    elsewhere = issuer.server.url("/jwks", host=OTHER)
    metadata(jwks_uri=elsewhere)(issuer)
    with pytest.raises(SignInFailed, match=f"{OTHER} is not on the public internet"):
        await sign_in(issuer, provider(inner))
    assert HOST != OTHER


async def test_no_secret_is_logged_or_shown(
    issuer: FakeIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.answer = lambda said: said.update(id_token="ey.secret.token")
    provider = issuer.provider()
    (tmp_path / "host").mkdir()
    async with small_host(tmp_path / "host", people=PersonSignIn((provider,), Admission("open"))) as host:
        browser = Browser(host)
        answer = await browser.post(PLATFORM, "/auth/begin", form={"provider": "oidc"})
        page = await text_of((await browser.follow(answer, PLATFORM))[0])
        address = page.partition("url=")[2].partition('"')[0].replace("&amp;", "&")
        state = parse_qs(urlsplit(address).query)["state"][0]
        code = issuer.authorize(address)
        answer = await browser.get(PLATFORM, f"/auth/callback/oidc?state={state}&code={code}")
        assert answer.status_code == 502
        shown = await text_of(answer) + caplog.text + repr(Registration(CLIENT_ID, SECRET, REDIRECT_URI))
        for secret in (SECRET, "at-1", "secret.token", state, code, issuer.spoken[0]["code_verifier"]):
            assert secret not in shown
        issuer.answer = lambda said: None
        answer = await browser.post(PLATFORM, "/auth/begin", form={"provider": "oidc", "next": "/app/create"})
        page = await text_of((await browser.follow(answer, PLATFORM))[0])
        address = page.partition("url=")[2].partition('"')[0].replace("&amp;", "&")
        state = parse_qs(urlsplit(address).query)["state"][0]
        await browser.get(PLATFORM, f"/auth/callback/oidc?state={state}&code={issuer.authorize(address)}")
        page = await text_of(await browser.get(PLATFORM, "/auth/sign-up"))
        assert 'name="name" value="bob-muller"' in page
        form = {"identity": f"oidc {issuer.url}#248289761001", "name": "bob", "display_name": "Bob Müller"}
        answer = await browser.post(PLATFORM, "/auth/sign-up", form=form)
        assert answer.headers["Location"] == "/app/create"
        assert who(host, browser) is not None
