"""Read the file of weights: multilingual-e5-small with 4-bit matrices, and its tokenizer.

    "E5S1", version; width, layers, heads, inner width, vocabulary, positions, types, epsilon, block
    pieces: their number, four special ids, UTF-8 bytes with offsets, scores (log probabilities)
    a normalisation map, which is SentencePiece's nmt_nfkc
    tensors: their number, then name, type, length, offset and size of each

Numbers are little-endian. A tensor of type 1 is in blocks of 32 numbers (ggml's Q4_0): a 16-bit
scale, then 16 bytes; byte k holds number k in its lower and number k + 16 in its upper half, each
plus 8. A tensor of type 0 is float32.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MAGIC = b"E5S1"
BLOCK, BLOCK_BYTES = 32, 18
OFFSET = 8  # what a stored number of four bits is larger by


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix in 4 bits: numbers int8 [rows, columns], scales float32 [rows, columns / 32]."""

    numbers: Array
    scales: Array

    def floats(self) -> Array:
        """Return the matrix in float32."""
        floats: Array = self.numbers * np.repeat(self.scales, BLOCK, axis=1)
        return floats


class Weights:
    """The content of a file."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        if self._data[:4] != MAGIC:
            raise ValueError("not a file of weights")
        at = 8 + struct.calcsize("<7ifi")
        at, self.pieces = self._read_pieces(at)
        size = self._numbers("<2I", at)[1]
        self._places = dict(self._read_directory(at + 8 + size))

    def floats(self, name: str) -> Array:
        """Return a tensor of float32."""
        count, offset = self._places[name]
        return np.frombuffer(self._data, "<f4", count, offset)

    def blocks(self, name: str, columns: int) -> Blocks:
        """Return a matrix in 4 bits."""
        count, offset = self._places[name]
        raw = np.frombuffer(self._data, np.uint8, count // BLOCK * BLOCK_BYTES, offset)
        raw = raw.reshape(-1, BLOCK_BYTES)
        halves = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1).astype(np.int8)
        scales = raw[:, :2].copy().view("<f2").astype(np.float32)
        return Blocks((halves - OFFSET).reshape(-1, columns), scales.reshape(-1, columns // BLOCK))

    def _numbers(self, form: str, at: int) -> tuple[Any, ...]:
        return struct.unpack_from(form, self._data, at)

    def _read_pieces(self, at: int) -> tuple[int, list[tuple[str, float]]]:
        count = self._numbers("<5i", at)[0]
        (size,) = self._numbers("<Q", at + 20)
        at += 28
        offsets = np.frombuffer(self._data, "<u4", count + 1, at)
        scores = np.frombuffer(self._data, "<f4", count, at + 4 * (count + 1))
        at += 4 * (count + 1) + 4 * count
        texts = self._data[at : at + size]
        pieces = [
            (texts[offsets[n] : offsets[n + 1]].decode(), float(scores[n])) for n in range(count)
        ]
        return at + size, pieces

    def _read_directory(self, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
        (tensors,) = self._numbers("<i", at)
        at += 4
        for _ in range(tensors):
            (length,) = self._numbers("<H", at)
            name = self._data[at + 2 : at + 2 + length].decode()
            count, offset, _ = self._numbers("<IQQ", at + 3 + length)
            yield name, (count, offset)
            at += 3 + length + struct.calcsize("<IQQ")
