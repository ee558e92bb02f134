"""`minilm.py WEIGHTS TOKENIZER MODEL` converts all-MiniLM-L6-v2 to ONNX in 8-bit integers.

Set-up runs it with the packages of `.venv`. The model takes the tokens of one text and returns its
vector of length 1. Weights are rounded to seven bits with a scale for each column: processors
without VNNI add two products in 16 bits, which overflow with eight bits
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). Activations are
rounded at run time with one scale for each text. So texts are never computed together: a vector
must not depend on other texts.

The model is checked before it is written: in float32 it must give the published similarities, in
8 bits nearly the same vectors as in float32.
"""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
from onnxfile import FLOAT, INT64, MICROSOFT, Graph

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]

LAYERS, HEADS, WIDTH, MOST_TOKENS = 6, 12, 384, 256
EPSILON = 1e-12
SEVEN_BITS, EIGHT_BITS = 63, 127

# similarities published for this model by sentence-transformers, and the tolerance in float32
SENTENCES = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
SIMILARITIES = ((0, 1, 0.6660), (0, 2, 0.1046), (1, 2, 0.1411))
TOLERANCE = 0.001
# ordinary text, longer than a sentence, to compare 8 bits with 32
PASSAGES = (
    "How long do I have to return something that I bought?",
    "Employees are entitled to 25 days of paid leave in each calendar year. Up to five unused days "
    "may be carried over into the next year, but they lapse at the end of March. Leave has to be "
    "agreed with the team two weeks ahead.",
    "The pump must be switched off and disconnected from the mains before the cover is removed. "
    "Check the seal for cracks, replace it every 2,000 hours of operation, and tighten the four "
    "screws crosswise with a torque of 12 Nm. Afterwards let it run for ten minutes without load "
    "and look for leaks at the flange.",
)
LEAST_COSINE = 0.98
OFF_STATUS = 3  # the exit status when the vectors are wrong; known to embedder.py


class Float32:
    """Layers in the precision they were trained in."""

    @staticmethod
    def look_up(graph: Graph, tokens: str, table: Array) -> str:
        """Return the rows of a table."""
        return graph.node("Gather", graph.constant(table), tokens)

    @staticmethod
    def dense(graph: Graph, source: str, weight: Array) -> str:
        """Multiply by a matrix."""
        return graph.node("MatMul", source, graph.constant(weight))

    @staticmethod
    def attention(graph: Graph, source: str, weight: Array, bias: Array) -> str:
        """Compute attention."""
        inputs = (source, graph.constant(weight), graph.constant(bias))
        return graph.node("Attention", *inputs, domain=MICROSOFT, num_heads=HEADS)


class Int8:
    """The same layers in 8-bit integers."""

    @staticmethod
    def look_up(graph: Graph, tokens: str, table: Array) -> str:
        """Return the rows of a table, each of which has its own scale."""
        rounded, scales = _rounded(table.T, EIGHT_BITS)
        rows = graph.node("Cast", graph.node("Gather", graph.constant(rounded.T), tokens), to=FLOAT)
        return graph.node(
            "Mul", rows, graph.node("Gather", graph.constant(scales[:, None]), tokens)
        )

    @staticmethod
    def dense(graph: Graph, source: str, weight: Array) -> str:
        """Multiply by a matrix."""
        rounded, scales = _rounded(weight, SEVEN_BITS)
        inputs = (source, *map(graph.constant, (rounded, scales, np.zeros(len(scales), np.int8))))
        return graph.node("DynamicQuantizeMatMul", *inputs, domain=MICROSOFT)

    @staticmethod
    def attention(graph: Graph, source: str, weight: Array, bias: Array) -> str:
        """Compute attention."""
        rounded, scales = _rounded(weight, SEVEN_BITS)
        values, scale, zero = graph.nodes("DynamicQuantizeLinear", source, outputs=3)
        weights, biases, weight_scales, zeros = map(
            graph.constant, (rounded, bias, scales, np.zeros(len(scales), np.int8))
        )
        inputs = (values, weights, biases, scale, weight_scales, "", zero, zeros)
        return graph.node("QAttention", *inputs, domain=MICROSOFT, num_heads=HEADS)


def _rounded(columns: Array, most: int) -> tuple[Array, Array]:
    """Return integers of at most this size, and what to multiply each column with."""
    scales = (np.abs(columns).max(axis=0) / most).astype(np.float32)
    return np.rint(columns / scales).clip(-most, most).astype(np.int8), scales


def build(weights: Weights, layers: type[Float32] | type[Int8]) -> bytes:
    """Return the model as an ONNX file: int64 tokens [1, n] to float32 embedding [1, 384]."""
    graph = Graph()
    x = _embeddings(graph, weights, layers)
    for number in range(LAYERS):
        x = _layer(
            graph,
            x,
            {
                name.partition(f"encoder.layer.{number}.")[2]: array
                for name, array in weights.items()
            },
            layers,
        )
    # The sum instead of the mean: the vector is normalised anyway.
    total = graph.node("ReduceSum", x, graph.constant(np.array([1])), keepdims=0)
    length = graph.node("ReduceL2", total, axes=[1], keepdims=1)
    graph.output(graph.node("Div", total, length), "embedding", FLOAT, [1, WIDTH])
    return graph.to_bytes("all-MiniLM-L6-v2")


def _embeddings(graph: Graph, weights: Weights, layers: type[Float32] | type[Int8]) -> str:
    tokens = graph.input("tokens", INT64, [1, "n"])
    words = layers.look_up(graph, tokens, weights["embeddings.word_embeddings.weight"])
    positions, kinds = (
        weights[f"embeddings.{table}_embeddings.weight"] for table in ("position", "token_type")
    )
    zero, one, two = (graph.constant(np.array([number])) for number in range(3))
    count = graph.node("Slice", graph.node("Shape", tokens), one, two)
    x = graph.node(
        "Add",
        words,
        graph.node("Slice", graph.constant(positions[:MOST_TOKENS] + kinds[0]), zero, count, zero),
    )
    scale, shift = (
        graph.constant(weights[f"embeddings.LayerNorm.{kind}"]) for kind in ("weight", "bias")
    )
    return graph.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)


def _layer(graph: Graph, x: str, own: Weights, layers: type[Float32] | type[Int8]) -> str:
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    weight = np.concatenate([own[f"{part}.weight"] for part in parts]).T
    bias = np.concatenate([own[f"{part}.bias"] for part in parts])
    looked = layers.attention(graph, x, weight, bias)
    x = _added(
        graph,
        layers.dense(graph, looked, own["attention.output.dense.weight"].T),
        x,
        own,
        "attention.output",
    )
    inner = layers.dense(graph, x, own["intermediate.dense.weight"].T)
    inner = graph.node(
        "BiasGelu", inner, graph.constant(own["intermediate.dense.bias"]), domain=MICROSOFT
    )
    return _added(graph, layers.dense(graph, inner, own["output.dense.weight"].T), x, own, "output")


def _added(graph: Graph, new: str, x: str, own: Weights, part: str) -> str:
    """Add the output of a part of a layer to its input, and normalise."""
    names = (f"{part}.LayerNorm.weight", f"{part}.LayerNorm.bias", f"{part}.dense.bias")
    constants = [graph.constant(own[name]) for name in names]
    return graph.node(
        "SkipLayerNormalization", new, x, *constants, domain=MICROSOFT, epsilon=EPSILON
    )


def read_weights(path: Path) -> Weights:
    """Read a safetensors file: the length of a JSON header, the header, the arrays."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return {
        name: _array(data, 8 + length, entry)
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def _array(data: bytes, start: int, entry: dict[str, Any]) -> Array:
    shape, offset = entry["shape"], entry["data_offsets"][0]
    return np.frombuffer(data, "<f4", count=int(np.prod(shape)), offset=start + offset).reshape(
        shape
    )


def embed(model: bytes, tokenizer: "tokenizers.Tokenizer", texts: tuple[str, ...]) -> Array:
    """Return the vectors of texts, one row each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows = [
        session.run(None, {"tokens": np.array([tokenizer.encode(text).ids])})[0] for text in texts
    ]
    return np.concatenate(rows)


def fault(float32: Array, int8: Array) -> str:
    """Return the fault of the vectors of SENTENCES + PASSAGES, empty if there is none."""
    off = max(
        abs(float(float32[one] @ float32[other]) - known) for one, other, known in SIMILARITIES
    )
    least = float((float32 * int8).sum(axis=1).min())
    if not off <= TOLERANCE:
        return f"similarities are off by {off:.4f}"
    return "" if least >= LEAST_COSINE else f"8 bits against 32: a cosine of {least:.4f}"


def main(weights_path: str, tokenizer_path: str, model_path: str) -> int:
    """Convert, check and write."""
    weights = read_weights(Path(weights_path))
    tokenizer = tokenizers.Tokenizer.from_file(tokenizer_path)
    tokenizer.enable_truncation(MOST_TOKENS)
    tokenizer.no_padding()
    model = build(weights, Int8)
    found = fault(
        *(embed(each, tokenizer, SENTENCES + PASSAGES) for each in (build(weights, Float32), model))
    )
    if found:
        print(found, file=sys.stderr)
        return OFF_STATUS
    Path(model_path).write_bytes(model)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
