"""A model of the Hugging Face hub that the operator named, from a cache in the data directory.

Only `download` asks the hub, in a process of its own (`download`): it can be ended at any time, and waits for the
network where nobody else has to. In core itself fastembed never reaches the network.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import trio

from robot.garbage import loading
from robot.search.model import engine
from robot.search.model.download import NOT_LISTED, find_listed, note_file
from robot.search.model.embed import UNKNOWN, Embedder, identity
from robot.search.values import ModelUnavailable

log = logging.getLogger(__name__)

DOWNLOAD_DEADLINE_S = 3_600.0
# The end of what the process said: the cause comes last.
LOGGED_CHARS = 2_000


class NotDownloaded(ModelUnavailable):
    """It is not in the cache."""


class NotListed(ModelUnavailable):
    """fastembed knows no model of this name, so that trying again is of no use."""


class DownloadFailed(ModelUnavailable):
    """The hub did not give the model; it may do so later."""


class HubModel:
    """A model of fastembed's list, by its name there, such as `BAAI/bge-small-en-v1.5`."""

    def __init__(self, name: str, cache: Path) -> None:
        self.name = name
        self._cache = cache
        self._sha256 = UNKNOWN

    @property
    def model_id(self) -> str:
        return identity(self.name, self._sha256, engine.MAX_TOKENS)

    def check(self) -> None:
        try:
            self._sha256 = str(json.loads(note_file(self._cache, self.name).read_text("utf-8"))["sha256"])
        except FileNotFoundError:
            raise NotDownloaded(
                f"The embedding model {self.name} has not been downloaded yet; robot does that while it runs."
            ) from None
        except (OSError, ValueError, LookupError, TypeError) as error:
            note = f"{self._cache.name}/{note_file(self._cache, self.name).name}"
            raise ModelUnavailable(f"{note} in the data directory is damaged; remove it.") from error

    @loading()
    def open(self) -> Embedder:
        if find_listed(self.name) is None:
            raise self._not_listed()
        self.check()
        try:
            opened = engine.load_cached(self.name, self._cache)
        except Exception as error:
            # Whatever fastembed, onnxruntime and tokenizers raise.
            raise ModelUnavailable(
                f"The embedding model {self.name} does not load ({type(error).__name__}); remove {self._cache.name}/ "
                "in the data directory, and restart robot to download it again."
            ) from error
        return opened

    async def download(self) -> None:
        """Bring the model into the cache, from the hub where it must; an hour at most. May be cancelled.

        Raises `NotListed`, `DownloadFailed`.
        """
        command = [sys.executable, "-m", "robot.search.model.download", self.name, str(self._cache)]
        ended: subprocess.CompletedProcess[bytes] | None = None
        with trio.move_on_after(DOWNLOAD_DEADLINE_S):
            ended = await _run_with_lifeline(command, self._cache)
        if ended is not None and ended.returncode == 0:
            return
        if ended is not None:
            log.warning("%s", ended.stderr.decode("utf-8", "replace")[-LOGGED_CHARS:])
            if ended.returncode == NOT_LISTED:
                raise self._not_listed()
        raise DownloadFailed(f"The embedding model {self.name} could not be downloaded; the log says why.")

    def _not_listed(self) -> NotListed:
        return NotListed(f"fastembed knows no embedding model {self.name}; correct embedding_model.")


async def _run_with_lifeline(command: list[str], cache: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program that ends when its standard input does, and so also when core is killed."""
    # What the hub's library keeps beside the models must not go into a home that a service has none of.
    home = {"HF_HOME": str(cache / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment = os.environ | home | {"HF_HUB_OFFLINE": "0"}
    with TemporaryFile() as said:
        run = partial(
            trio.run_process,
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            check=False,
            env=environment,
        )
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(run)
            code = await process.wait()
        said.seek(0)
        return subprocess.CompletedProcess(command, code, b"", said.read())
