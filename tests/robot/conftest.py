from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.robot.small_host import SmallHost, small_host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    async with small_host(tmp_path) as made:
        yield made
