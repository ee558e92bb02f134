"""`e5.py WEIGHTS LATIN FOLDER` converts multilingual-e5-small to ONNX.

FOLDER gets model.onnx, tokenizer.json, and questions.bin: the mean vectors of questions in English
and in Chinese.

Set-up runs it with the packages of `.venv`. Of the vocabulary (250,002 pieces in a hundred
languages) Chinese and Latin pieces are kept, punctuation, numbers and symbols. Of the Latin ones
only those that LATIN knows, the same model with another vocabulary: it has what English and its
nearest relatives use, and the tokenizer of all of them needs 70 MB more.

The model takes the tokens of one text and returns its vector of length 1. The table of pieces stays
in 4 bits as it comes. Matrices are rounded to seven bits with a scale for each column: processors
without VNNI add two products in 16 bits, which overflow with eight bits
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). That takes half the
time of 4 bits (MatMulNBits). Activations are rounded at run time with one scale for each text. So
texts are never computed together: a vector must not depend on other texts.

The model is checked before it is written: in float32 it must find similar what is known to be, in
8 bits compute nearly the same vectors as in float32.
"""

import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from e5_file import BLOCK, Blocks, Weights
from onnxfile import FLOAT, INT64, MICROSOFT, Graph
from sample_questions import CHINESE, ENGLISH, questions
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

Array = np.ndarray[Any, Any]

LAYERS, HEADS, WIDTH, INNER = 12, 12, 384, 1536
EPSILON = 1e-12
SEVEN_BITS = 63
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # the first pieces
MASK = "<mask>"
BEGIN, END, UNKNOWN = 0, 2, 3

# Two questions, their passages, and the similarities of these weights in float32 with all pieces.
TEXTS = (
    "query: how much protein should a female eat",
    "query: 南瓜的家常做法",
    "passage: As a general guideline, the average requirement of protein for women ages 19 to 70 "
    "is 46 grams per day. You'll need to increase that if you're expecting or training.",
    "passage: 清炒南瓜丝：南瓜去皮，擦成细丝；锅烧热放油，入葱花煸出香味，"
    "放入南瓜丝快速翻炒一分钟左右，加盐和少许白糖调味即可出锅。",
)
SIMILARITIES = ((0, 2, 0.9392), (0, 3, 0.7755), (1, 2, 0.7513), (1, 3, 0.9113), (2, 3, 0.7406))
TOLERANCE = 0.001
LEAST_COSINE = 0.98
OFF_STATUS = 3  # the exit status when the vectors are wrong; known to embedder.py


class Float32:
    """Layers in the precision in which the model computes best."""

    @staticmethod
    def look_up(graph: Graph, tokens: str, table: Blocks) -> str:
        """Return the rows of a table."""
        return graph.node("Gather", graph.constant(table.floats()), tokens)

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
    """The same layers in small integers."""

    @staticmethod
    def look_up(graph: Graph, tokens: str, table: Blocks) -> str:
        """Return the rows of a table in 4 bits."""
        return graph.node(
            "GatherBlockQuantized",
            graph.constant4(table.numbers),
            tokens,
            graph.constant(table.scales),
            domain=MICROSOFT,
            quantize_axis=1,
            block_size=BLOCK,
        )

    @staticmethod
    def dense(graph: Graph, source: str, weight: Array) -> str:
        """Multiply by a matrix."""
        rounded, scales = _rounded(weight)
        inputs = (source, *map(graph.constant, (rounded, scales, np.zeros(len(scales), np.int8))))
        return graph.node("DynamicQuantizeMatMul", *inputs, domain=MICROSOFT)

    @staticmethod
    def attention(graph: Graph, source: str, weight: Array, bias: Array) -> str:
        """Compute attention."""
        rounded, scales = _rounded(weight)
        values, scale, zero = graph.nodes("DynamicQuantizeLinear", source, outputs=3)
        weights, biases, weight_scales, zeros = map(
            graph.constant, (rounded, bias, scales, np.zeros(len(scales), np.int8))
        )
        inputs = (values, weights, biases, scale, weight_scales, "", zero, zeros)
        return graph.node("QAttention", *inputs, domain=MICROSOFT, num_heads=HEADS)


def _rounded(columns: Array) -> tuple[Array, Array]:
    """Return integers of seven bits, and what to multiply each column with."""
    scales = (np.abs(columns).max(axis=0) / SEVEN_BITS).astype(np.float32)
    return np.rint(columns / scales).clip(-SEVEN_BITS, SEVEN_BITS).astype(np.int8), scales


def build(weights: Weights, kept: Array, layers: type[Float32] | type[Int8]) -> bytes:
    """Return the model as an ONNX file: int64 tokens [1, n] to float32 embedding [1, 384]."""
    graph = Graph()
    x = _embeddings(graph, weights, kept, layers)
    for number in range(LAYERS):
        x = _layer(graph, x, weights, f"l{number}.", layers)
    # The sum instead of the mean: the vector is normalised anyway.
    total = graph.node("ReduceSum", x, graph.constant(np.array([1])), keepdims=0)
    vector = graph.node("LpNormalization", total, axis=-1, p=2)
    graph.output(vector, "embedding", FLOAT, [1, WIDTH])
    return graph.to_bytes("multilingual-e5-small")


def _embeddings(
    graph: Graph, weights: Weights, kept: Array, layers: type[Float32] | type[Int8]
) -> str:
    tokens = graph.input("tokens", INT64, [1, "n"])
    table = weights.blocks("emb.word", WIDTH)
    words = layers.look_up(graph, tokens, Blocks(table.numbers[kept], table.scales[kept]))
    positions, kinds = (
        weights.floats(f"emb.{table}").reshape(-1, WIDTH) for table in ("pos", "type")
    )
    zero, one, two = (graph.constant(np.array([number])) for number in range(3))
    count = graph.node("Slice", graph.node("Shape", tokens), one, two)
    places = graph.node("Slice", graph.constant(positions + kinds[0]), zero, count, zero)
    x = graph.node("Add", words, places)
    scale, shift = (graph.constant(weights.floats(f"emb.ln.{kind}")) for kind in ("w", "b"))
    return graph.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)


def _layer(
    graph: Graph, x: str, weights: Weights, prefix: str, layers: type[Float32] | type[Int8]
) -> str:
    def matrix(name: str, columns: int = WIDTH) -> Array:
        return weights.blocks(f"{prefix}{name}.w", columns).floats()

    def floats(name: str) -> Array:
        return weights.floats(f"{prefix}{name}")

    def added(new: str, norm: str, bias: str) -> str:
        """Add the output of a part of the layer to its input, and normalise."""
        constants = [
            graph.constant(floats(name)) for name in (f"{norm}.w", f"{norm}.b", f"{bias}.b")
        ]
        return graph.node(
            "SkipLayerNormalization", new, x, *constants, domain=MICROSOFT, epsilon=EPSILON
        )

    weight = np.concatenate([matrix(name) for name in ("q", "k", "v")]).T
    bias = np.concatenate([floats(f"{name}.b") for name in ("q", "k", "v")])
    looked = layers.attention(graph, x, weight, bias)
    x = added(layers.dense(graph, looked, matrix("ao").T), "aln", "ao")
    inner = layers.dense(graph, x, matrix("fi").T)
    inner = graph.node("BiasGelu", inner, graph.constant(floats("fi.b")), domain=MICROSOFT)
    return added(layers.dense(graph, inner, matrix("fo", INNER).T), "oln", "fo")


def chosen(pieces: list[tuple[str, float]], latin: set[str]) -> list[int]:
    """Return the pieces to keep."""
    return [
        number
        for number, (piece, _) in enumerate(pieces)
        if number < len(SPECIAL) or (piece != MASK and _is_kept(piece, latin))
    ]


def _is_kept(piece: str, latin: set[str]) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in piece if letter.isalpha()}
    return not scripts or scripts == {"CJK"} or (scripts == {"LATIN"} and piece in latin)


def tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return SentencePiece's unigram tokenizer with these pieces."""
    made = Tokenizer(models.Unigram(pieces, unk_id=UNKNOWN))
    made.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[BEGIN]} $A {SPECIAL[END]}",
        special_tokens=[(SPECIAL[BEGIN], BEGIN), (SPECIAL[END], END)],
    )
    return made


def embed(model: bytes, tokens: Tokenizer, texts: Sequence[str]) -> Array:
    """Return the vectors of texts, one row each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows = [session.run(None, {"tokens": np.array([tokens.encode(text).ids])})[0] for text in texts]
    return np.concatenate(rows)


def fault(float32: Array, int8: Array) -> str:
    """Return the fault of the vectors of TEXTS, empty if there is none."""
    off = max(
        abs(float(float32[one] @ float32[other]) - known) for one, other, known in SIMILARITIES
    )
    least = float((float32 * int8).sum(axis=1).min())
    if not off <= TOLERANCE:
        return f"similarities are off by {off:.4f}"
    return "" if least >= LEAST_COSINE else f"8 bits against 32: a cosine of {least:.4f}"


def main(weights_path: str, latin_path: str, folder: str) -> int:
    """Convert, check and write."""
    weights = Weights(Path(weights_path))
    kept = chosen(weights.pieces, {piece for piece, _ in Weights(Path(latin_path)).pieces})
    tokens = tokenizer([weights.pieces[number] for number in kept])
    model = build(weights, np.array(kept), Int8)
    float32 = build(weights, np.array(kept), Float32)
    found = fault(embed(float32, tokens, TEXTS), embed(model, tokens, TEXTS))
    if found:
        print(found, file=sys.stderr)
        return OFF_STATUS
    Path(folder, "model.onnx").write_bytes(model)
    tokens.save(str(Path(folder, "tokenizer.json")), pretty=False)
    means = [
        embed(model, tokens, [f"query: {question}" for question in questions(lines)]).mean(axis=0)
        for lines in (ENGLISH, CHINESE)
    ]
    Path(folder, "questions.bin").write_bytes(np.stack(means).astype("<f4").tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
