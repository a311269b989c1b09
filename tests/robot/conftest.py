from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.robot.import_site import Site, open_site
from tests.robot.oauth_stage import Stage, open_stage
from tests.robot.small_host import SmallHost, small_host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    async with small_host(tmp_path) as made:
        yield made


@pytest.fixture
async def site(host: SmallHost) -> AsyncIterator[Site]:
    async with open_site(host) as made:
        yield made


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = await open_stage(tmp_path)
    yield made
    made.db.close()
