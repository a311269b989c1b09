"""How an operator names an OpenID Connect provider, and what `robot check` says about it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from robot.address import PublicAddress
from robot.cli import cli
from robot.fetch import Door, is_host, is_public
from robot.settings import Settings, SettingsError, load
from robot.signin.client_secret import read_client_secret
from robot.signin.oidc.chosen import chosen_provider

ISSUER = "https://id.example.org/realms/staff"
ADDRESS = PublicAddress("https", "wiki.example.org", 443)


def settings(**more: object) -> Settings:
    chosen: dict[str, object] = {"oidc_issuer": ISSUER, "oidc_client_id": "robot", **more}
    return load(overrides=chosen, default=None).settings


def check(place: Path, **more: str) -> str:
    env = {f"ROBOT_{name.upper()}": value for name, value in more.items()}
    env |= {"ROBOT_DATA": str(place / "data"), "ROBOT_CONFIG": os.devnull, "ROBOT_EMBEDDING_MODEL": "none"}
    return CliRunner().invoke(cli, ["check"], env=env).output


def test_no_provider_is_switched_on_by_default() -> None:
    usual = load(default=None).settings
    assert chosen_provider(usual, ADDRESS, Door()) is None
    assert (usual.sign_up, usual.operators, usual.bluesky) == ("invited", (), False)


def test_a_fresh_host_shows_its_redirect_uri_and_that_the_secret_is_set_but_not_which(tmp_path: Path) -> None:
    said = check(tmp_path, oidc_issuer=ISSUER, oidc_client_id="robot", oidc_client_secret="hush-hush")
    assert "its secret is set" in said
    assert "/auth/callback/oidc" in said
    assert "hush-hush" not in said
    assert "a public client, without a secret" in check(tmp_path, oidc_issuer=ISSUER, oidc_client_id="robot")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "it is not text")],
)
def test_a_secret_that_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    said = check(tmp_path, oidc_issuer=ISSUER, oidc_client_id="robot", oidc_client_secret_file=str(file))
    assert "problem: Nobody can sign in with single sign-on: oidc_client_secret_file" in said
    assert problem in said
    with pytest.raises(SettingsError, match=problem):
        read_client_secret(settings(oidc_client_secret_file=file))


def test_a_secret_may_end_in_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush-hush\n")
    assert read_client_secret(settings(oidc_client_secret_file=tmp_path / "secret")) == "hush-hush"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "https address"),
        ({"oidc_issuer": "id.example.org"}, "https address"),
        ({"oidc_issuer": "https://id.example.org/?realm=1"}, "https address"),
        ({"oidc_issuer": "https://id.example.org/#x"}, "https address"),
        ({"oidc_client_id": ""}, "go together"),
        ({"oidc_issuer": ""}, "go together"),
        ({"oidc_client_secret": "a", "oidc_client_secret_file": "b"}, "not both"),
        ({"sign_up": "everybody"}, "sign_up"),
        ({"operators": 7}, "operators"),
        ({"operators": "did:plc:x, alice.bsky.social"}, "alice.bsky.social is neither"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        settings(**more)


def test_operators_are_a_list_or_one_text() -> None:
    for given in (["did:plc:x", f"{ISSUER}#1"], f"did:plc:x, {ISSUER}#1"):
        assert settings(operators=given).operators == ("did:plc:x", f"{ISSUER}#1")


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.2", "127.0.0.1", "fd00::1", "1.1.1.1", "100.64.0.1"])
def test_a_private_issuer_may_be_where_hosts_are(address: str) -> None:
    assert is_host(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "ff02::1", "::ffff:169.254.169.254"]
)
def test_and_never_where_clouds_keep_their_secrets(address: str) -> None:
    assert not is_host(ipaddress.ip_address(address))
    assert not is_public(ipaddress.ip_address(address))
