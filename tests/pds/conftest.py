"""One PDS for all tests here (they make accounts of their own for what they change), and who visits it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.harness import Robot, running_robot
from tests.pds.internet import PLATFORM, Internet, running_internet
from tests.pds.visitor import Visitor, visiting


@pytest.fixture(scope="package")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    with running_internet(tmp_path_factory.mktemp("internet")) as running:
        yield running


@pytest.fixture
async def visitor(internet: Internet) -> AsyncIterator[Visitor]:
    async with visiting(internet) as opened:
        yield opened


@pytest.fixture(scope="package")
def robot_there(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """A real robot at its public address in the small internet; the only one, since the PDS keeps a client's keys."""
    data = tmp_path_factory.mktemp("robot") / "data"
    with (
        running_robot(data, env=internet.robot_environment(), module="tests.pds.robot_of_test") as robot,
        internet.serving(robot.port, PLATFORM, f".{PLATFORM}"),
    ):
        yield robot


@pytest.fixture(scope="module")
def chromium_there(internet: Internet) -> Iterator[Browser]:
    """Chromium in the small internet. Open contexts with `ignore_https_errors`: it does not know the authority.

    A file that uses it runs nothing under Trio: Playwright keeps a loop of its own in this thread until the file ends.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no chromium: tests/require-system-packages installs Debian's"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, internet.chromium_rules])
        yield browser
        browser.close()
