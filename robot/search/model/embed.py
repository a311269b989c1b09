"""Texts to vectors: what the rest of search knows of an embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from robot.search.chunk import CHUNKER_VERSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

UNKNOWN = "unknown"
"""In place of what is not known before a model's files were looked at."""


class Embedder(Protocol):
    """A loaded model. Thread-safe; every call is bounded work for a thread, never for the event loop."""

    def count_tokens(self, text: str) -> int: ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """float32[len(texts), dimension], rows of length 1. Raises `EmbeddingFailed`."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """float32[1, dimension], of length 1. Raises `EmbeddingFailed`."""
        ...


class EmbedderSource(Protocol):
    """Where a model comes from."""

    @property
    def model_id(self) -> str:
        """Names the model, its limits and the chunker; vectors of different ids are never mixed.

        Costs nothing. `check` and `open` may find that the files are others by now, and change it.
        """
        ...

    def check(self) -> None:
        """Look at the files and load nothing: tens of milliseconds, for a thread. Raises `ModelUnavailable`."""
        ...

    def open(self) -> Embedder:
        """Load the model: a second and 150 MB, for a thread. Raises `ModelUnavailable`."""
        ...


def identity(name: str, sha256: str, max_tokens: int) -> str:
    """A `model_id`: of `sha256` so much that two models are told apart."""
    return f"{name}/{sha256[:12]}/{max_tokens}/{CHUNKER_VERSION}"
