"""`robot user`, on a data directory of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from robot.cli import _sentence, cli


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.setenv("ROBOT_DATA", str(tmp_path / "data"))
    return Say()


class Say:
    """Calls a verb; returns what it prints, or the sentence that it fails with."""

    def __call__(self, *words: str, typed: str | None = None) -> str:
        done = CliRunner().invoke(cli, ["user", *words], input=typed, standalone_mode=False)
        if done.exit_code == 0:
            return done.output
        assert isinstance(done.exception, Exception)
        sentence = _sentence(done.exception)
        assert sentence, repr(done.exception)
        return sentence


def test_accounts_from_the_command_line(say: Say) -> None:
    assert "robot login-link --user grace" in say("create", "grace", "--display-name", "Grace Hopper", "--operator")
    say("create", "ada")
    assert "is taken" in say("create", "ada")
    assert "nobody named eve" in say("suspend", "eve")
    assert "only operator" in say("operator", "grace", "off")
    assert "ada is suspended" in say("suspend", "ada", "--why", "Spam.")
    lines = [line.split("\t") for line in say("list").splitlines()]
    assert [(line[0], line[1], line[3:]) for line in lines] == [
        ("ada", "ada", ["suspended"]), ("grace", "Grace Hopper", ["operator"]),
    ]  # fmt: skip
    say("unsuspend", "ada")
    assert "an operator now" in say("operator", "ada", "on")
    assert "no operator now" in say("operator", "grace", "off")
    assert "only operator" in say("delete", "ada", "--yes")
    assert "Nothing was deleted" in say("delete", "grace", typed="yes\n")
    assert "Deleted the account grace" in say("delete", "grace", typed="grace\n")
    assert "grace" not in say("list")
    assert "is taken" in say("create", "grace")  # commits bear the name
