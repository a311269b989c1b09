from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import demo_data
from tests.harness import Robot, running_robot

# How long an example takes to make or to run says how busy the machine is, and nothing of what is tested.
settings.register_profile("robot", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("robot")


@pytest.fixture(scope="session", autouse=True)
def demo_data_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name the place that robots of this run copy their first data from. What runs side by side shares it."""
    own = tmp_path_factory.getbasetemp()
    demo_data.make_at((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo-data")


@pytest.fixture(scope="session")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """One running robot for all tests that leave it as usable as they found it."""
    with running_robot(tmp_path_factory.mktemp("robot") / "data") as running:
        yield running


@pytest.fixture
def own_robot(tmp_path: Path) -> Iterator[Robot]:
    """A robot of the test's own, to be broken."""
    with running_robot(tmp_path / "data") as running:
        yield running
