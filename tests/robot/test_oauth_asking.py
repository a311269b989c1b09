"""The rules of a request, for whatever anybody sends: pure, so many cases cost little."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.hosts import OwnDomain, WikiHost
from robot.address import PublicAddress
from robot.model import Scope
from robot.oauth.asking import MAX_STATE_CHARS, Asked, Refusal, ReturnTo, Sent, Unanswerable, client_of, judge_request
from robot.oauth.clients import AuthMethod, Client
from robot.oauth.pairs import challenge_of
from robot.oauth.proof import ProofMalformed, read_proof
from robot.oauth.requests import read_request, spell_request
from robot.oauth.resources import place_of_resource, resource_of
from robot.oauth.scopes import ScopeUnknown, parse_scopes, spell_scopes

ADDRESS = PublicAddress("https", "wiki.test", 443)
LOCAL = PublicAddress("http", "robot.localhost", 8080)
REDIRECTS = ("https://agent.example/cb?a=1", "http://127.0.0.1/cb")
CLIENT = Client("client_1", "Agent", None, REDIRECTS, AuthMethod.NONE, None, is_document=False)
GOOD = {
    "client_id": ["client_1"],
    "redirect_uri": [REDIRECTS[0]],
    "response_type": ["code"],
    "code_challenge": [challenge_of("v" * 43)],
    "code_challenge_method": ["S256"],
    "resource": ["https://notes.wiki.test/mcp"],
    "state": ["s"],
    "scope": ["wiki:read"],
}
CHARACTERS = st.characters(codec="utf-8")
TEXT = st.text(CHARACTERS, max_size=40)
WORD = st.text(CHARACTERS, min_size=1, max_size=9)
FEW = settings(max_examples=40)
NEAR = st.sampled_from([value for values in GOOD.values() for value in values] + ["", "plain", "token", "wiki:write"])


def in_force(domain: str) -> bool:
    return domain == "notes.example"


@FEW
@given(st.dictionaries(st.sampled_from(sorted(GOOD)) | TEXT, st.lists(NEAR | TEXT, max_size=3)))
def test_answers_only_ever_go_to_a_registered_address(changes: dict[str, list[str]]) -> None:
    sent = GOOD | changes
    outcome = judge_request(sent, CLIENT, ADDRESS, in_force)
    if isinstance(outcome, Unanswerable):
        return
    back = outcome.back if isinstance(outcome, Refusal) else ReturnTo(outcome.redirect_uri, outcome.state)
    assert [back.redirect_uri] == sent["redirect_uri"]
    assert back.redirect_uri in REDIRECTS
    assert back.state is None or (len(back.state) <= MAX_STATE_CHARS and [back.state] == sent["state"])
    if isinstance(outcome, Asked):
        assert outcome.place == WikiHost("notes")
        assert sent["code_challenge_method"] == ["S256"]


@FEW
@given(st.sampled_from(REDIRECTS), st.none() | TEXT, st.dictionaries(st.sampled_from("ab"), TEXT))
def test_answers_arrive_as_they_were_meant(redirect_uri: str, state: str | None, answer: dict[str, str]) -> None:
    fields = {f"x{name}": text for name, text in answer.items()}
    location = ReturnTo(redirect_uri, state).address("https://wiki.test", **fields)
    assert location.startswith(redirect_uri)
    expected = parse_qs(urlsplit(redirect_uri).query)
    expected |= {f"x{name}": [text] for name, text in answer.items()} | {"iss": ["https://wiki.test"]}
    if state is not None:
        expected["state"] = [state]
    assert parse_qs(urlsplit(location).query, keep_blank_values=True) == expected


@FEW
@given(st.from_regex(r"[a-z0-9][a-z0-9-]{1,28}[a-z0-9]", fullmatch=True), st.sampled_from([ADDRESS, LOCAL]))
def test_every_wiki_has_one_resource(slug: str, address: PublicAddress) -> None:
    resource = resource_of(address.wiki_origin(slug))
    assert place_of_resource(address, resource, in_force) == WikiHost(slug)
    for other in (
        resource + "/",
        resource + "?",
        resource + "#",
        resource[:-1],
        resource.replace("//", "//x@"),
        f" {resource}",
    ):
        assert place_of_resource(address, other, in_force) is None
    assert place_of_resource(LOCAL if address is ADDRESS else ADDRESS, resource, in_force) is None


@FEW
@given(TEXT | st.text("htps:/.@wikitestnomcp#?%", max_size=60))
def test_nothing_else_is_a_resource(text: str) -> None:
    place = place_of_resource(ADDRESS, text, in_force)
    if place is not None:
        origin = ADDRESS.origin_at(place)
        assert text.lower() in (f"{origin}/mcp", f"{origin}:443/mcp")


def test_a_domain_is_a_resource_while_it_is_a_wikis_own() -> None:
    for own in ("https://notes.example/mcp", "HTTPS://Notes.Example:443/mcp"):
        assert place_of_resource(ADDRESS, own, in_force) == OwnDomain("notes.example")
    for other in (
        "https://other.example/mcp",
        "https://notes.example./mcp",
        "https://notes.example:8443/mcp",
        "http://notes.example/mcp",
        "https://notes.example/",
        "https://x@notes.example/mcp",
    ):
        assert place_of_resource(ADDRESS, other, in_force) is None


def test_names_below_a_wiki_and_the_platform_are_no_wikis() -> None:
    for host in (
        "wiki.test",
        "a.b.wiki.test",
        ".wiki.test",
        "notes.wiki.test.",
        "notes.wiki.test:8443",
        "noteswiki.test",
    ):
        assert place_of_resource(ADDRESS, f"https://{host}/mcp", in_force) is None


@FEW
@given(st.sets(st.sampled_from(Scope), min_size=1))
def test_scopes_are_spelled_and_read(scopes: set[Scope]) -> None:
    assert parse_scopes(spell_scopes(scopes)) == scopes | {Scope.READ}


def test_scopes_that_are_not_here() -> None:
    assert parse_scopes("  ") == parse_scopes("offline_access") == frozenset()
    for text in ("read", "wiki:admin", "wiki:read,wiki:write", "WIKI:READ"):
        with pytest.raises(ScopeUnknown, match="wiki:read and wiki:write"):
            parse_scopes(text)


@FEW
@given(st.dictionaries(WORD, st.lists(TEXT, min_size=1, max_size=2)))
def test_a_request_survives_the_form_and_the_way_to_sign_in(sent: dict[str, list[str]]) -> None:
    assert read_request(spell_request(sent)) == sent


@FEW
@given(WORD, TEXT)
def test_clients_prove_themselves_with_any_characters(client_id: str, secret: str) -> None:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    proof = read_proof({}, f"Basic {b64encode(pair.encode()).decode()}")
    assert (proof.client_id, proof.secret, proof.method) == (client_id, secret, AuthMethod.BASIC)


@FEW
@given(st.dictionaries(st.sampled_from(["client_id", "client_secret", "x"]), TEXT), st.none() | TEXT)
def test_no_proof_is_more_than_malformed(form: dict[str, str], authorization: str | None) -> None:
    with contextlib.suppress(ProofMalformed):
        assert read_proof(form, authorization).client_id


def test_a_request_without_one_client_is_nobodys() -> None:
    nobody: list[Sent] = [{}, {"client_id": []}, {"client_id": [""]}, {"client_id": ["a", "a"]}]
    for sent in (*nobody, {"client_id": ["a"], "x": ["y" * 5000]}):
        assert isinstance(client_of(sent), Unanswerable)
    assert client_of({"client_id": ["a"]}) == "a"
