"""SIGHUP takes over what is safe, says what waits, and never takes half a file."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from robot import settings as settings_module
from robot.client_address import ClientNetworks
from robot.limits import Limited, Limits
from robot.reloading import LIMITS, Reloading, appliers, difference, said
from robot.settings import Settings
from robot.slow_requests import SlowRequests
from robot.visits import Visits
from wikihost.fleet import Fleet, FleetOptions
from wikihost.layout import DataDir


class Host:
    """The parts that go by settings, and the file that these are read from."""

    def __init__(self, root: Path) -> None:
        self.file = root / "robot.toml"
        self.file.write_text("")
        self.limits, self.networks, self.slow = Limits(), ClientNetworks(), SlowRequests(1.0)
        self.visits = Visits(DataDir(root), 14)
        self.fleet = Fleet(root / "run", FleetOptions(), lambda *_: None)
        parts = appliers(
            limits=self.limits, networks=self.networks, slow=self.slow, visits=self.visits, fleet=self.fleet
        )
        self.reloading = Reloading(self.load(), self.load, parts)

    def load(self) -> Settings:
        return settings_module.load(self.file).settings


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in [name for name in os.environ if name.startswith("ROBOT_")]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield Host(tmp_path)
    root.handlers[:] = before
    root.setLevel(level)


def client(peer: str) -> dict[str, object]:
    return {"client": (peer, 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}


async def test_what_is_safe_is_taken_over_and_the_rest_waits(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    assert host.networks.of(client("10.0.0.5")) == "10.0.0.5"
    host.file.write_text(
        'trusted_proxies = ["10.0.0.5"]\nslow_request = 3\naccess_log_days = 3\nsearches_per_hour = 1\n'
        'port = 9000\noidc_issuer = "https://id.example.org"\noidc_client_id = "c"\noidc_client_secret = "MARKED"\n'
    )
    await host.reloading.reload()
    assert host.networks.of(client("10.0.0.5")) == "203.0.113.9"
    assert (host.slow.threshold_s, host.visits.days) == (3.0, 3)
    assert [host.limits.take(Limited.SEARCH, "t_1", "w_1") > 0 for _ in range(2)] == [False, True]
    assert host.limits.take(Limited.WRITE, "t_1", "w_1") == 0
    assert caplog.messages[0] == (
        "settings read anew: taken over: searches_per_hour, trusted_proxies, slow_request, access_log_days;"
        " after a restart: port, oidc_issuer, oidc_client_id, oidc_client_secret"
    )
    assert "MARKED" not in caplog.text
    await host.reloading.reload()
    assert caplog.messages[-1].endswith(
        "none to take over; after a restart: port, oidc_issuer, oidc_client_id, oidc_client_secret"
    ), "what waits is said until it is done"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("slow_request = 3\nport = 'x'\n", "port"),
        ("slow_request = 3\nsloow = 1\n", "sloow"),
        ("slow_request = \n", "not valid TOML"),
        ("slow_request = 3\nwake_timeout = -1\ndomain = 'x'\n", "wake_timeout"),
    ],
)
async def test_a_broken_file_changes_nothing(host: Host, caplog: pytest.LogCaptureFixture, text: str, why: str) -> None:
    host.file.write_text(text)
    await host.reloading.reload()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "the settings stay as they were" in record.getMessage()
    assert why in record.getMessage()
    assert host.slow.threshold_s == 1.0


async def test_the_level_of_the_log_changes(host: Host) -> None:
    host.file.write_text('log_level = "debug"\n')
    await host.reloading.reload()
    assert logging.getLogger().level == logging.DEBUG
    host.file.write_text('log_level = "error"\nlog_format = "json"\n')
    await host.reloading.reload()
    assert logging.getLogger().level == logging.ERROR


async def test_sighup_is_what_asks_for_it(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    done = trio.Event()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            done.set()

    logging.getLogger("robot.reloading").addHandler(handler := Heard())
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(host.reloading.run)
            host.file.write_text("slow_request = 7\n")
            os.kill(os.getpid(), signal.SIGHUP)
            with trio.fail_after(10):
                await done.wait()
            nursery.cancel_scope.cancel()
    finally:
        logging.getLogger("robot.reloading").removeHandler(handler)
    assert host.slow.threshold_s == 7.0


def test_all_limits_that_are_settings_are_taken_over() -> None:
    assert set(LIMITS) == {name for name in Settings.model_fields if name.endswith("_per_hour")}
    same = Settings.model_validate({})
    assert said(difference(same, same, {})) == "none to take over"
