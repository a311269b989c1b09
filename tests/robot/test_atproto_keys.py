"""The keys by which authorization servers know this host, from the first start through rotations."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from robot.cli import cli
from robot.signin.atproto.client_document import client_jwks
from robot.signin.atproto.client_keys import (
    PUBLISHED_AHEAD_S,
    PUBLISHED_BEHIND_S,
    ClientKey,
    ClientKeys,
    KeyRing,
    RotationUnderWay,
)
from robot.signin.keys import KeyUnreadable
from tests.robot.small_host import FakeClock

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}
SERVER_KEEPS_S = 900
SIGN_IN_TAKES_S = 600
PAIRS = [ECKey.generate_key("P-256", private=True) for _ in range(8)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys(tmp_path: Path, clock: FakeClock) -> ClientKeys:
    return ClientKeys(tmp_path / "keys", clock=clock)


def test_the_first_start_makes_a_key_that_stays(keys: ClientKeys, tmp_path: Path, clock: FakeClock) -> None:
    first = keys.load()
    clock.now += 1e6
    assert [key.id for key in keys.load().keys] == [key.id for key in first.keys]
    assert first.signing(clock.now) is first.keys[0]
    files = list((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == ["atproto.json"]
    assert files[0].stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    found: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(ClientKeys(tmp_path / "keys").load().keys[0].id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_others_see_public_keys_alone(keys: ClientKeys, clock: FakeClock) -> None:
    keys.load()
    document = client_jwks(keys.rotate(), clock.now)
    assert len(document["keys"]) == 2
    for jwk in document["keys"]:
        assert not PRIVATE & set(jwk)
        assert (jwk["kty"], jwk["crv"], jwk["use"], jwk["alg"]) == ("EC", "P-256", "sig", "ES256")
        assert ECKey.import_key(dict(jwk)).thumbprint() == jwk["kid"]


def test_no_key_is_in_what_a_ring_shows_of_itself(keys: ClientKeys, tmp_path: Path) -> None:
    ring = keys.load()
    secret = json.loads((tmp_path / "keys" / "atproto.json").read_text())["keys"][0]["d"]
    assert len(secret) > 40
    assert secret not in f"{ring!r} {ring} {keys!r} {ring.keys[0]!r} {ring.keys[0].pair!r}"


def test_a_rotation_from_beginning_to_end(keys: ClientKeys, clock: FakeClock) -> None:
    old = keys.load().keys[0].id
    new = keys.rotate().keys[-1].id

    def seen() -> tuple[str, set[str]]:
        ring = keys.load()
        return ring.signing(clock.now).id, {key.id for key in ring.published(clock.now)}

    assert seen() == (old, {old, new})
    with pytest.raises(RotationUnderWay, match="signs from 2030-03-17 18:01 UTC"):
        keys.rotate()
    clock.now += PUBLISHED_AHEAD_S
    assert seen() == (new, {old, new})
    assert keys.load().of_id(old, clock.now) is not None
    clock.now += PUBLISHED_BEHIND_S
    assert seen() == (new, {new})
    assert keys.load().of_id(old, clock.now) is None
    assert keys.rotate().keys[0].id == new


def test_a_stolen_key_is_gone_at_once(keys: ClientKeys, clock: FakeClock) -> None:
    stolen = keys.load().keys[0].id
    fresh = keys.replace()
    assert [key.id for key in fresh.published(clock.now)] == [fresh.signing(clock.now).id] != [stolen]


@given(
    rotations=st.lists(st.integers(0, 5_000), min_size=1, max_size=6).map(sorted),
    which=st.integers(0, 5),
    since_switch=st.sampled_from([-1, 0]) | st.integers(-SIGN_IN_TAKES_S, SIGN_IN_TAKES_S),
    takes=st.sampled_from([0, SIGN_IN_TAKES_S]) | st.integers(0, SIGN_IN_TAKES_S),
    ages=st.tuples(*[st.sampled_from([0, SERVER_KEEPS_S]) | st.integers(0, SERVER_KEEPS_S)] * 2),
)
def test_no_sign_in_notices_a_rotation(
    rotations: list[int], which: int, since_switch: int, takes: int, ages: tuple[int, int]
) -> None:
    """Its server may know keys from a quarter of an hour ago, and demands at the end the key of the beginning."""
    begun = rotations[which % len(rotations)] + PUBLISHED_AHEAD_S + since_switch
    pairs = iter(PAIRS)
    history = [(-10_000, KeyRing((ClientKey(next(pairs), -10_000),)))]
    for at in rotations:
        try:
            history.append((at, history[-1][1].rotated(next(pairs), at)))
        except RotationUnderWay:
            continue

    def ring(at: int) -> KeyRing:
        return next(ring for since, ring in reversed(history) if since <= at)

    def known_to_server(at: int, age: int) -> set[str]:
        return {key.id for key in ring(at - age).published(at - age)}

    signed_with = ring(begun).signing(begun).id
    done = begun + takes
    assert signed_with in known_to_server(begun, ages[0])
    assert ring(done).of_id(signed_with, done) is not None
    assert signed_with in known_to_server(done, ages[1])


def test_a_clock_that_was_put_back_changes_nothing(keys: ClientKeys, clock: FakeClock) -> None:
    first = keys.load().keys[0].id
    clock.now -= 1e6
    ring = keys.load()
    assert ring.signing(clock.now).id == first
    assert [key.id for key in ring.published(clock.now)] == [first]


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": [{"kty": "EC", "d": "sesame"}]}',
        json.dumps({"keys": [{**ECKey.generate_key("P-384").as_dict(private=True), "signs_from": 1}]}),
        json.dumps({"keys": [{**PAIRS[0].as_dict(private=False), "signs_from": 1}]}),
    ],
    ids=range(9),
)  # fmt: skip
def test_damaged_keys_are_said_and_never_overwritten(content: str, keys: ClientKeys, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "atproto.json"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(KeyUnreadable, match=r"atproto\.json does not hold the keys .* remove it") as raised:
        keys.load()
    assert "sesame" not in str(raised.value)
    with pytest.raises(KeyUnreadable):
        keys.rotate()
    assert file.read_text() == content


def test_keys_cannot_be_read(keys: ClientKeys, tmp_path: Path) -> None:
    (tmp_path / "keys" / "atproto.json").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        keys.load()


def check(tmp_path: Path, **settings: str) -> str:
    usual = {"data": str(tmp_path), "port": "1", "embedding_model": "none", "scheme": "https", "bluesky": "true"}
    variables = {f"ROBOT_{name.upper()}": value for name, value in {**usual, **settings}.items()}
    return CliRunner().invoke(cli, ["check"], env={"ROBOT_CONFIG": os.devnull, **variables}).output


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        ({"domain": "wiki.robot.dev"}, False), ({"domain": "wiki.test"}, True), ({"domain": "robot.localhost"}, True),
        ({"domain": "wiki.robot.dev", "public_port": "8443"}, True),
        ({"domain": "wiki.test", "bluesky": "false"}, False),
    ],
)  # fmt: skip
def test_the_check_says_why_nobody_can_sign_in(settings: dict[str, str], is_told: bool, tmp_path: Path) -> None:
    assert ("Nobody can sign in with Bluesky: its servers" in check(tmp_path, **settings)) is is_told


def test_the_check_says_why_there_is_no_sign_in_without_tls(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["check"], env={"ROBOT_CONFIG": os.devnull, "ROBOT_BLUESKY": "true"})
    assert 'bluesky needs scheme = "https"' in str(done.exception)


def test_the_check_says_that_keys_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "atproto.json").write_text("{")
    assert "Nobody can sign in with Bluesky: " in check(tmp_path, domain="wiki.robot.dev")


def test_on_the_command_line(tmp_path: Path) -> None:
    def robot(*words: str) -> tuple[int, list[list[str]]]:
        done = CliRunner().invoke(cli, words, env={"ROBOT_DATA": str(tmp_path), "ROBOT_CONFIG": os.devnull})
        return done.exit_code, [line.split("\t") for line in done.stdout.splitlines()]

    _, [[first, state]] = robot("keys", "list")
    assert state.startswith("signs since 20")
    _, rows = robot("keys", "rotate")
    assert rows[0][0] == first
    assert rows[1][1].startswith("signs from 20")
    assert robot("keys", "rotate")[0] == 1
    assert robot("keys", "list")[1] == rows
    _, [[fresh, _]] = robot("keys", "rotate", "--stolen")
    assert fresh not in (first, rows[1][0])
