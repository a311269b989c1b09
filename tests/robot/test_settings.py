"""Where settings come from when nobody names a file."""

import os
from pathlib import Path

import pytest

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
