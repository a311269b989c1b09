"""The embedding model in use: opened once, at the first need, and called in threads only."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from robot.search.model.embed import Embedder, EmbedderSource
from robot.search.model.hub import DownloadFailed, HubModel, NotListed
from robot.search.model.low_thread import LowThread
from robot.search.values import ModelUnavailable

if TYPE_CHECKING:
    from robot.search.model.embed import Vectors

log = logging.getLogger(__name__)

T = TypeVar("T")

# After a failure to open: long enough to be no load, short enough that a mended installation is noticed.
REOPEN_AFTER_S = 30.0
# A hub that does not answer is asked again, later each time.
FIRST_DOWNLOAD_RETRY_S = 60.0
LONGEST_DOWNLOAD_RETRY_S = 3_600.0
# One core for indexing; queries have their own threads and overtake it.
EMBED_THREADS = 1
QUERY_THREADS = 2


class ModelHost:
    """Opens the source's model at first use. A failure is remembered for a while: no request waits for it again."""

    def __init__(self, source: EmbedderSource) -> None:
        self._source = source
        self._embedder: Embedder | None = None
        self._opening = trio.Lock()
        self._reopen_at = 0.0
        self._passages = trio.CapacityLimiter(EMBED_THREADS)
        self._queries = trio.CapacityLimiter(QUERY_THREADS)
        self._low = LowThread("embedding")
        self.failure: str | None = None

    @property
    def model_id(self) -> str:
        return self._source.model_id

    async def prepare(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look at the files before anybody asks, and download what the operator named if it is not there."""
        if self._embedder is not None:
            # The part that runs this was restarted. What is loaded keeps its id, whatever the files are by now.
            task_status.started()
            return
        try:
            await trio.to_thread.run_sync(self._source.check, limiter=self._passages)
        except ModelUnavailable as error:
            self._failed(error)
        else:
            log.info("the embedding model is %s", self.model_id)
        task_status.started()
        if self.failure is not None and isinstance(self._source, HubModel):
            await self._download(self._source)

    async def embedder(self) -> Embedder:
        """The open model. Raises `ModelUnavailable`."""
        if self._embedder is not None:
            return self._embedder
        async with self._opening:
            if self._embedder is None:
                self._embedder = await self._open()
            return self._embedder

    async def embed_query(self, text: str) -> Vectors:
        """float32[1, dimension]. Raises `ModelUnavailable`, `EmbeddingFailed`."""
        embedder = await self.embedder()
        return await trio.to_thread.run_sync(embedder.embed_query, text, limiter=self._queries, abandon_on_cancel=True)

    async def embed_passage(self, text: str) -> bytes:
        """The vector as it is stored, in float16: one passage a call, so that a cancellation waits for one at most."""
        embedder = await self.embedder()
        async with self._passages:
            return await self._low.run(lambda: embedder.embed_passages([text])[0].astype("float16").tobytes())

    async def run(self, work: Callable[[], T]) -> T:
        """Run other work of the indexer, which must not take a second core."""
        return await trio.to_thread.run_sync(work, limiter=self._passages)

    async def _open(self) -> Embedder:
        if self.failure is not None and trio.current_time() < self._reopen_at:
            raise ModelUnavailable(self.failure)
        try:
            # Nothing is lost with a half-loaded model, and a stop must not wait for it.
            embedder = await trio.to_thread.run_sync(self._source.open, limiter=self._passages, abandon_on_cancel=True)
        except ModelUnavailable as error:
            self._failed(error)
            raise
        self.failure = None
        return embedder

    def _failed(self, error: ModelUnavailable) -> None:
        if str(error) != self.failure:
            log.warning("%s", error, exc_info=error.__cause__)
        self.failure = str(error)
        self._reopen_at = trio.current_time() + REOPEN_AFTER_S

    async def _download(self, model: HubModel) -> None:
        """Ask the hub until the model is there; nobody tries to open it meanwhile."""
        self._reopen_at = math.inf
        self.failure = f"The embedding model {model.name} is being downloaded."
        wait_s = FIRST_DOWNLOAD_RETRY_S
        while True:
            try:
                await model.download()
            except NotListed as error:
                log.warning("%s", error)
                self.failure = str(error)
                return
            except DownloadFailed as error:
                log.warning("%s", error)
                self.failure = f"{error} It is tried again every hour, and sooner at first."
            else:
                break
            await trio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_DOWNLOAD_RETRY_S)
        log.info("the embedding model %s is there", model.name)
        self.failure = None
