"""The stored form of vectors: little-endian float32, normalised to length 1."""

import math
import sys
from array import array
from collections.abc import Sequence


def pack(numbers: Sequence[float]) -> bytes:
    """Normalise and pack a vector; raise ValueError where it has no direction."""
    length = math.sqrt(sum(number * number for number in numbers))
    if not numbers or not math.isfinite(length) or length == 0:
        raise ValueError("the vector has no direction")
    return _little_endian(array("f", [number / length for number in numbers])).tobytes()


def unpack(vector: bytes) -> list[float]:
    """Return the numbers of a stored vector."""
    numbers = array("f")
    numbers.frombytes(vector)
    return _little_endian(numbers).tolist()


def dimension(vector: bytes) -> int:
    """Return how many numbers a stored vector has."""
    return len(vector) // 4


def _little_endian(numbers: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
