"""A model in a directory of its own: the bundled one, or what the operator put there.

model.onnx       from input_ids and attention_mask to a vector for each token, or for the text
tokenizer.json   of the Hugging Face tokenizers library
embedding.json   optional: how the files are used (`Recipe`), and the `dimension` that they must have
reference.json   optional: texts and their vectors, to which the loaded model is held
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from robot.garbage import loading
from robot.search.model import engine
from robot.search.model.embed import UNKNOWN, Embedder, identity
from robot.search.model.engine import MAX_TOKENS, Pooling, Recipe
from robot.search.values import EmbeddingFailed, ModelUnavailable

if TYPE_CHECKING:
    from robot.search.model.embed import Vectors

T = TypeVar("T")

BUNDLED = Path(__file__).parent / "minilm"
BUNDLED_NAME = "all-minilm-l6-v2"
BUNDLED_SHA256 = MappingProxyType(
    {
        "model.onnx": "5ff613ca8c25ee80ac21ec1075ae4472ede2fb5684ccccb2008c22673c8e6724",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "reference.json": "2de6ddbe8848242a9a9212bd0664b5770d951549669575f52481249629c2cf36",
    }
)
# int8 costs 0.01 on any text; what a processor gets wrong costs more.
LEAST_COSINE = 0.97


class _Settings(BaseModel):
    """embedding.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pooling: Pooling = "mean"
    max_tokens: Annotated[int, Field(ge=16)] = MAX_TOKENS
    query_prefix: str = ""
    passage_prefix: str = ""
    dimension: Annotated[int, Field(ge=1)] | None = None


class _Reference(BaseModel):
    text: str
    vector: list[float]


class ModelDirectory:
    """A model's files; `expected` are the checksums that they must have, where they are known beforehand."""

    def __init__(self, directory: Path, *, name: str, expected: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        # What is said of it: readers of a wiki are told too, and need not learn of the host's directories.
        self._place = "embedding_model_dir" if expected is None else "the installation"
        self._name = name
        self._expected = expected
        self._identity = identity(name, expected["model.onnx"], MAX_TOKENS) if expected else UNKNOWN

    @property
    def model_id(self) -> str:
        return self._identity

    def check(self) -> None:
        self._read_settings()

    @loading()
    def open(self) -> Embedder:
        settings = self._read_settings()
        recipe = Recipe(**settings.model_dump(exclude={"dimension"}))
        model = self._directory / "model.onnx"
        try:
            opened = engine.load_files(f"{self._identity}{model}", model, self._directory / "tokenizer.json", recipe)
        except Exception as error:
            # fastembed, onnxruntime and tokenizers each raise their own kinds; to us they are one: it does not load.
            raise ModelUnavailable(
                f"The embedding model in {self._place} does not load ({type(error).__name__}): "
                "model.onnx or tokenizer.json is of a kind that onnxruntime or tokenizers cannot read."
            ) from error
        self._try_out(opened, settings)
        return opened

    def _read_settings(self) -> _Settings:
        """What embedding.json says, and `model_id` from the files as they are now."""
        found = {name: self._checksum(name) for name in ("model.onnx", "tokenizer.json")}
        settings = self._parse("embedding.json", TypeAdapter(_Settings), b"{}")
        for name, sha256 in (self._expected or {}).items():
            if (found.get(name) or self._checksum(name)) != sha256:
                raise ModelUnavailable(
                    f"{name} of the embedding model in {self._place} is damaged; install robot again."
                )
        if self._expected is None:
            parts = json.dumps([found, asdict(Recipe(**settings.model_dump(exclude={"dimension"})))], sort_keys=True)
            self._identity = identity(self._name, hashlib.sha256(parts.encode()).hexdigest(), settings.max_tokens)
        return settings

    def _try_out(self, model: Embedder, settings: _Settings) -> None:
        """Hold the loaded model to what is known of it. An unsound model would fill the index with noise."""
        import numpy as np  # noqa: PLC0415

        references = self._parse("reference.json", TypeAdapter(list[_Reference]), b"[]")
        longest = "word " * settings.max_tokens
        texts = [*(reference.text for reference in references), longest]
        try:
            vectors = model.embed_passages(texts)
        except EmbeddingFailed as error:
            raise ModelUnavailable(
                f"model.onnx in {self._place} cannot embed a text of {settings.max_tokens} tokens: it must take "
                f"input_ids and attention_mask, give what pooling {settings.pooling!r} needs, and read as many tokens "
                "as max_tokens (embedding.json)."
            ) from error
        if vectors.ndim != 2 or not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):
            raise ModelUnavailable(
                f"model.onnx in {self._place} gives no vectors with pooling {settings.pooling!r}; "
                "name the right pooling in embedding.json."
            )
        if settings.dimension not in (None, vectors.shape[1]):
            raise ModelUnavailable(
                f"embedding.json in {self._place} says dimension {settings.dimension}, "
                f"and model.onnx gives {vectors.shape[1]} numbers; correct one of them."
            )
        self._compare(vectors, [reference.vector for reference in references])

    def _compare(self, vectors: Vectors, references: Sequence[Sequence[float]]) -> None:
        for vector, reference in zip(vectors, references, strict=False):
            if len(reference) != len(vector) or float(vector @ reference) < LEAST_COSINE:
                raise ModelUnavailable(
                    f"The embedding model in {self._place} computes other vectors here than it should; "
                    "name another one (embedding_model_dir), such as one in float32."
                )

    def _checksum(self, name: str) -> str:
        try:
            with (self._directory / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnavailable(
                f"{name} of the embedding model in {self._place} cannot be read: {error.strerror}."
            ) from error

    def _parse(self, name: str, kind: TypeAdapter[T], default: bytes) -> T:
        file = self._directory / name
        try:
            return kind.validate_json(file.read_bytes() if file.exists() else default)
        except OSError as error:
            raise ModelUnavailable(f"{name} in {self._place} cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ModelUnavailable(
                f"{name} in {self._place} is wrong: {f'{where}: ' if where else ''}{first['msg']}."
            ) from error


def bundled_model(directory: Path = BUNDLED) -> ModelDirectory:
    """all-MiniLM-L6-v2 in int8, which comes with the installation; its checksums decide."""
    return ModelDirectory(directory, name=BUNDLED_NAME, expected=BUNDLED_SHA256)
