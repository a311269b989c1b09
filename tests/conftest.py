from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Robot, running_robot


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
