"""A model through fastembed: one ORT thread and batches of one, which is fastest per core (measured)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from robot.search.values import EmbeddingFailed

if TYPE_CHECKING:
    import numpy as np
    from fastembed import TextEmbedding

    from robot.search.model.embed import Vectors

# What a model reads of a text at most, also one that could read more: a chunk has no more.
MAX_TOKENS = 256
# Enough characters for MAX_TOKENS of any language; what lies beyond would be tokenized only to be dropped.
MAX_TEXT_CHARS = 8_000

Pooling = Literal["mean", "cls", "last_token", "disabled"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model's files are used. `pooling` "disabled" is for a model that gives one vector for a text by itself."""

    pooling: Pooling = "mean"
    max_tokens: int = MAX_TOKENS
    query_prefix: str = ""
    passage_prefix: str = ""


class FastembedModel:
    """An `Embedder` over fastembed."""

    def __init__(self, model: TextEmbedding, recipe: Recipe) -> None:
        self._model = model
        self._recipe = recipe
        self._tokenizer = _tokenizer(model)

    def count_tokens(self, text: str) -> int:
        # As a batch of one: only then does the tokenizer let other threads run meanwhile.
        (read,) = self._tokenizer.encode_batch_fast([_encodable(text)], add_special_tokens=False)
        # What is beyond the model's limit comes in parts, the last of them filled up.
        return sum(sum(part.attention_mask) for part in (read, *read.overflowing))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        prefix = self._recipe.passage_prefix
        return _stack(self._model.embed([prefix + _bounded(text) for text in texts], batch_size=1))

    def embed_query(self, text: str) -> Vectors:
        return _stack(self._model.query_embed(self._recipe.query_prefix + _bounded(text)))


def load_files(name: str, model: Path, tokenizer: Path, recipe: Recipe) -> FastembedModel:
    """The model of an ONNX file and a tokenizer. `name` stands for these files in this process."""
    from fastembed import TextEmbedding  # noqa: PLC0415 - half a second and 80 MB, in the caller's thread

    _register(name, model, recipe)
    # fastembed wants the limit beside the tokenizer, in a file of its own; here it is part of the recipe.
    with TemporaryDirectory(prefix="robot-model-") as directory:
        beside = Path(directory)
        (beside / "tokenizer.json").symlink_to(tokenizer.absolute())
        (beside / "tokenizer_config.json").write_text(
            json.dumps({"model_max_length": recipe.max_tokens, "pad_token": _any_token(tokenizer)})
        )
        loaded = TextEmbedding(name, specific_model_path=directory, **_HOW)
    return FastembedModel(loaded, recipe)


def load_cached(name: str, cache: Path) -> FastembedModel:
    """A model that fastembed knows, from its cache; never from the network."""
    from fastembed import TextEmbedding  # noqa: PLC0415

    loaded = TextEmbedding(name, cache_dir=str(cache), **_HOW)
    tokenizer = _tokenizer(loaded)
    limit = (tokenizer.truncation or {}).get("max_length", MAX_TOKENS)
    tokenizer.enable_truncation(max_length=min(limit, MAX_TOKENS))
    return FastembedModel(loaded, Recipe())


# Without ORT's arena: it keeps the most that any text has ever needed, and saves no time with one text after the other.
_HOW: dict[str, Any] = {
    "threads": 1,
    "providers": ["CPUExecutionProvider"],
    "local_files_only": True,
    "enable_cpu_mem_arena": False,
}


def _register(name: str, model: Path, recipe: Recipe) -> None:
    """Make the files known to fastembed, once in a process.

    Its absolute file name wins over the directory given later, which holds the tokenizer.
    """
    from fastembed import TextEmbedding  # noqa: PLC0415
    from fastembed.common.model_description import ModelSource, PoolingType  # noqa: PLC0415

    if name.lower() in {entry["model"].lower() for entry in TextEmbedding.list_supported_models()}:
        return
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType[recipe.pooling.upper()],
        normalization=True,
        sources=ModelSource(hf="local/none"),
        dim=0,  # asked by nobody
        model_file=str(model.absolute()),
    )


def _tokenizer(model: TextEmbedding) -> Any:
    return model.model.tokenizer


def _any_token(tokenizer: Path) -> str:
    """fastembed wants a token to fill batches up with, which batches of one have no use for."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    return str(Tokenizer.from_file(str(tokenizer)).id_to_token(0))


def _encodable(text: str) -> str:
    """Text without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _bounded(text: str) -> str:
    return _encodable(text[:MAX_TEXT_CHARS])


def _stack(vectors: Iterable[np.ndarray[Any, Any]]) -> Vectors:
    import numpy as np  # noqa: PLC0415

    try:
        return np.vstack(list(vectors)).astype(np.float32, copy=False)
    except Exception as error:
        # Whatever onnxruntime raises from inside the graph; the caller records it and tries again later.
        raise EmbeddingFailed(f"The embedding model failed: {type(error).__name__}.") from error
