from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SHARED_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 1 << 30


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in memory; an ordinary one where the machine has no room for that.

    For tests that write hundreds of wikis, and look at each step of it themselves: how long a disk takes to sync says
    nothing more.
    """
    if not os.access(_SHARED_MEMORY, os.W_OK) or shutil.disk_usage(_SHARED_MEMORY).free < _ROOM_BYTES:
        yield tmp_path_factory.mktemp("memory")
        return
    with TemporaryDirectory(prefix="robot-test-", dir=_SHARED_MEMORY, ignore_cleanup_errors=True) as place:
        yield Path(place)


@pytest.fixture
def memory_path(memory: Path) -> Iterator[Path]:
    """A directory in `memory` for one test."""
    with TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as place:
        yield Path(place)
