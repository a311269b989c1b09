"""all-MiniLM-L6-v2 as an ONNX graph: a BERT of six layers, in the fused operators that onnxruntime runs fastest.

Words come as int8 rows, each with a scale of its own, so that a lookup is exact to half a step of that row.
onnxruntime's quantizer would choose one scale for the whole table, by its largest number.
Multiplications are left in float32 here: `quantize_dynamic` takes them from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = 1e-12
FUSED = "com.microsoft"


class _Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output


def make_model(weights: Weights) -> ModelProto:
    """From `input_ids` and `attention_mask`, int64[batch, tokens], to `last_hidden_state`, float32[…, 384]."""
    graph = _Graph()
    hidden = _embeddings(graph, weights)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    for layer in range(LAYERS):
        output = "last_hidden_state" if layer == LAYERS - 1 else f"hidden_{layer}"
        hidden = _layer(graph, weights, layer, hidden, mask, output)
    ids = ["batch", "tokens"]
    made = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ids) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*ids, WIDTH])],
        graph.constants,
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(made, opset_imports=imports, ir_version=8, producer_name="robot")


def _embeddings(graph: _Graph, weights: Weights) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    scales = np.maximum(np.abs(words).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny)
    rows = graph.constant("words", np.rint(words / scales).astype(np.int8))
    steps = graph.constant("word_scales", scales.astype(np.float32))
    # Every text is one segment, so its vector belongs to each position.
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    table = graph.constant("positions", positions)
    found = graph.node("Gather", [rows, "input_ids"], "found_rows", axis=0)
    found = graph.node("Cast", [found], "found_floats", to=TensorProto.FLOAT)
    found = graph.node("Mul", [found, graph.node("Gather", [steps, "input_ids"], "found_scales")], "found_words")
    shape = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    first = graph.constant("first", np.array([0], dtype=np.int64))
    places = graph.node("Slice", [table, first, shape], "places")
    summed = graph.node("Add", [found, places], "placed_words")
    norm = [
        graph.constant(f"embeddings.{part}", weights[f"embeddings.LayerNorm.{part}"]) for part in ("weight", "bias")
    ]
    return graph.node("LayerNormalization", [summed, *norm], "embedded", epsilon=EPSILON, axis=-1)


def _layer(graph: _Graph, weights: Weights, layer: int, hidden: str, mask: str, output: str) -> str:
    of = f"encoder.layer.{layer}."

    def matrix(*names: str) -> str:
        return graph.constant(f"{of}{names[0]}.weight", np.hstack([weights[f"{of}{name}.weight"].T for name in names]))

    def vector(*names: str) -> str:
        return graph.constant(f"{of}{names[0]}", np.hstack([weights[f"{of}{name}"] for name in names]))

    def add_and_norm(added: str, to: str, bias: str, norm: str, name: str) -> str:
        inputs = [added, to, vector(f"{norm}.weight"), vector(f"{norm}.bias"), vector(bias)]
        return graph.node("SkipLayerNormalization", inputs, name, FUSED, epsilon=EPSILON)

    heads = ["attention.self.query", "attention.self.key", "attention.self.value"]
    attended = graph.node(
        "Attention",
        [hidden, matrix(*heads), vector(*(f"{head}.bias" for head in heads)), mask],
        f"attended_{layer}",
        FUSED,
        num_heads=HEADS,
    )
    mixed = graph.node("MatMul", [attended, matrix("attention.output.dense")], f"mixed_{layer}")
    hidden = add_and_norm(mixed, hidden, "attention.output.dense.bias", "attention.output.LayerNorm", f"noted_{layer}")
    wide = graph.node("MatMul", [hidden, matrix("intermediate.dense")], f"wide_{layer}")
    wide = graph.node("BiasGelu", [wide, vector("intermediate.dense.bias")], f"active_{layer}", FUSED)
    narrow = graph.node("MatMul", [wide, matrix("output.dense")], f"narrow_{layer}")
    return add_and_norm(narrow, hidden, "output.dense.bias", "output.LayerNorm", output)
