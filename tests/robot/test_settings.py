"""Where settings come from when nobody names a file."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot.secret_files import exposed_secrets
from robot.settings import SettingsError, load


@pytest.fixture
def machines_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file as the machine has it in /etc/robot, and no setting in the environment."""
    for name in [name for name in os.environ if name.startswith("ROBOT_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "etc" / "robot.toml"
    path.parent.mkdir()
    path.write_text('domain = "wiki.example.org"\nscheme = "https"\n')
    return path


def test_the_machines_own_file_is_read(machines_own: Path) -> None:
    loaded = load(default=machines_own)
    assert (loaded.settings.domain, loaded.config_file) == ("wiki.example.org", machines_own)


def test_no_file_is_fine(machines_own: Path) -> None:
    assert load(default=machines_own.parent / "other.toml").config_file is None


def test_a_demo_leaves_the_machines_own_file_alone(machines_own: Path) -> None:
    assert load(default=None).settings.domain == "robot.localhost"


@pytest.mark.parametrize("life", ["inf", "nan", "1e300", "0"])
def test_tokens_live_for_a_time_that_can_be_stored(machines_own: Path, life: str) -> None:
    machines_own.write_text(f"access_token_life = {life}\n")
    with pytest.raises(SettingsError, match="access_token_life"):
        load(default=machines_own)


def test_trusted_proxies_are_addresses_and_networks(machines_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines_own.write_text('trusted_proxies = ["10.0.0.5", "2001:db8::/32"]\n')
    assert [str(one) for one in load(default=machines_own).settings.trusted_proxies] == ["10.0.0.5/32", "2001:db8::/32"]
    monkeypatch.setenv("ROBOT_TRUSTED_PROXIES", "10.0.0.6, 10.1.0.0/16")
    assert [str(one) for one in load(default=machines_own).settings.trusted_proxies] == ["10.0.0.6/32", "10.1.0.0/16"]
    monkeypatch.setenv("ROBOT_TRUSTED_PROXIES", "10.0.0.6, caddy")
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load(default=machines_own)


def test_a_named_file_wins(machines_own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT_CONFIG", str(tmp_path / "named.toml"))
    (tmp_path / "named.toml").write_text('log_level = "debug"\n')
    loaded = load(default=machines_own)
    assert (loaded.settings.log_level, loaded.settings.domain) == ("debug", "robot.localhost")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode_of", ["directory", "file"])
def test_a_file_for_somebody_else(machines_own: Path, mode_of: str) -> None:
    closed = machines_own if mode_of == "file" else machines_own.parent
    closed.chmod(0)
    try:
        with pytest.raises(SettingsError, match="may not be read by this user"):
            load(default=machines_own)
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "sloow_request = 1\n",
            "sloow_request (from {file}) is not a setting of robot; remove it. Is slow_request meant?",
        ),
        ("zzz = 1\n", "zzz (from {file}) is not a setting of robot; remove it. All there are stand in the example"),
        ('port = "eighty"\n', "port (from {file}): input should be a valid integer"),
        ('bluesky = "perhaps"\n', "bluesky (from {file}): input should be a valid boolean"),
        ('log_format = "yaml"\n', "log_format (from {file}): input should be 'text' or 'json'"),
        ("trusted_proxies = 7\n", "trusted_proxies (from {file}): input should be a valid tuple"),
        ("[port]\nvalue = 1\n", "port (from {file}): input should be a valid integer"),
        ("port = \n", "The settings file {file} is not valid TOML: "),
        ("\x00", "The settings file {file} is not valid TOML: "),
    ],
)
def test_a_faulty_file_is_refused_with_its_mend(machines_own: Path, text: str, sentence: str) -> None:
    machines_own.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(default=machines_own)
    assert sentence.format(file=machines_own) in str(refused.value)


def test_a_misspelt_variable_is_answered_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT_LOGLEVEL", "debug")
    with pytest.raises(SettingsError, match=r"ROBOT_LOGLEVEL is not .* unset it\. Is ROBOT_LOG_LEVEL meant\?"):
        load(default=None)


@pytest.mark.parametrize(("name", "why"), [("nowhere.toml", "No such file"), (".", "Is a directory")])
def test_a_file_that_was_named_must_be_there(machines_own: Path, tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load(tmp_path / name, default=machines_own)


SECRET = 'oidc_issuer = "https://id.example.org"\noidc_client_id = "c"\n'


@pytest.fixture
def reachable(machines_own: Path) -> Iterator[Path]:
    """The same, where everybody gets to the file."""
    closed = {place: mode for place in machines_own.parents if not (mode := place.stat().st_mode) & stat.S_IXOTH}
    for place, mode in closed.items():
        place.chmod(mode | stat.S_IXOTH)
    yield machines_own
    for place, mode in closed.items():
        place.chmod(mode)


def test_secrets_that_everybody_can_read_are_told_of(reachable: Path) -> None:
    reachable.write_text(f'{SECRET}oidc_client_secret = "MARKED"\n')
    reachable.chmod(0o644)
    (sentence,) = exposed_secrets(load(default=reachable))
    assert sentence == (
        f"Every user of this machine can read {reachable}, which holds oidc_client_secret: chmod o= {reachable}"
    )
    for mode in (0o640, 0o600):
        reachable.chmod(mode)
        assert list(exposed_secrets(load(default=reachable))) == []
    reachable.chmod(0o644)
    reachable.parent.chmod(0o750)
    assert list(exposed_secrets(load(default=reachable))) == [], "nobody else gets there"


def test_a_secret_in_a_file_of_its_own(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = reachable.with_name("secret")
    secret.write_text("MARKED")
    secret.chmod(0o644)
    reachable.write_text(f'{SECRET}oidc_client_secret_file = "{secret}"\n')
    reachable.chmod(0o644)
    (sentence,) = exposed_secrets(load(default=reachable))
    assert f"chmod o= {secret}" in sentence
    secret.chmod(0o640)
    assert list(exposed_secrets(load(default=reachable))) == []
    reachable.write_text(SECRET)
    monkeypatch.setenv("ROBOT_OIDC_CLIENT_SECRET", "MARKED")
    assert list(exposed_secrets(load(default=reachable))) == [], "it is not in the file"
