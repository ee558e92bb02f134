"""Write ONNX files: nodes and constants in, bytes out. Contains the format and no model.

The encoding is protobuf's; the field numbers are those of onnx.proto3
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). The `onnx` package could do this, but is
a download of its own with further requirements.
"""

import struct
from typing import Any

import numpy as np

IR_VERSION, OPSET, MICROSOFT_OPSET = 10, 21, 1  # the first that know four bits
MICROSOFT = "com.microsoft"  # the operators of onnxruntime itself
FLOAT, INT64, INT4 = 1, 7, 22
ELEMENT_TYPES = {"float32": FLOAT, "uint8": 2, "int8": 3, "int32": 6, "int64": INT64}
VARINT, BYTES, FIXED32 = 0, 2, 5

Number = int | float


class Graph:
    """A model under construction. Methods that add a value return its name."""

    def __init__(self) -> None:
        self._nodes = bytearray()
        self._constants = bytearray()
        self._inputs = bytearray()
        self._outputs = bytearray()
        self._count = 0

    def input(self, name: str, element: int, shape: list[int | str]) -> str:
        """Declare an input; a name in the shape is a variable size."""
        self._inputs += _field(11, _value(name, element, shape))
        return name

    def output(self, source: str, name: str, element: int, shape: list[int | str]) -> None:
        """Declare a value as an output under a name."""
        self._nodes += _field(1, _field(1, source) + _field(2, name) + _field(4, "Identity"))
        self._outputs += _field(12, _value(name, element, shape))

    def constant(self, values: "np.ndarray[Any, Any]") -> str:
        """Add a constant array."""
        return self._constant(values.shape, ELEMENT_TYPES[values.dtype.name], values)

    def constant4(self, values: "np.ndarray[Any, Any]") -> str:
        """Add a constant array of signed 4-bit integers (-8..7) with an even last dimension."""
        halves = values.astype(np.uint8) & 15
        return self._constant(values.shape, INT4, halves[..., 0::2] | halves[..., 1::2] << 4)

    def node(
        self, kind: str, *inputs: str, domain: str = "", **attributes: Number | list[int]
    ) -> str:
        """Add an operator with one output; an empty name is an omitted input."""
        return self.nodes(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self,
        kind: str,
        *inputs: str,
        outputs: int,
        domain: str = "",
        **attributes: Number | list[int],
    ) -> list[str]:
        """Add an operator with several outputs."""
        names = [self._name(kind) for _ in range(outputs)]
        body = b"".join(_field(1, name) for name in inputs) + b"".join(
            _field(2, name) for name in names
        )
        body += (
            _field(4, kind)
            + b"".join(_field(5, _attribute(*pair)) for pair in attributes.items())
            + _field(7, domain)
        )
        self._nodes += _field(1, body)
        return names

    def to_bytes(self, name: str) -> bytes:
        """Return the file."""
        graph = b"".join(
            (self._nodes, _field(2, name), self._constants, self._inputs, self._outputs)
        )
        opsets = _opset("", OPSET) + _opset(MICROSOFT, MICROSOFT_OPSET)
        return _field(1, IR_VERSION) + _field(2, "chatapp") + _field(7, graph) + opsets

    def _constant(
        self, shape: tuple[int, ...], element: int, stored: "np.ndarray[Any, Any]"
    ) -> str:
        name = self._name("constant")
        dimensions = b"".join(_field(1, size) for size in shape)
        data = _field(9, np.ascontiguousarray(stored).tobytes())
        self._constants += _field(5, dimensions + _field(2, element) + _field(8, name) + data)
        return name

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _opset(domain: str, version: int) -> bytes:
    return _field(8, _field(1, domain) + _field(2, version))


def _value(name: str, element: int, shape: list[int | str]) -> bytes:
    sizes = b"".join(_field(1, _field(2 if isinstance(size, str) else 1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, element) + _field(2, sizes)))


def _attribute(name: str, value: Number | list[int]) -> bytes:
    if isinstance(value, list):
        return _field(1, name) + b"".join(_field(8, each) for each in value) + _field(20, 7)
    number, kind = (2, 1) if isinstance(value, float) else (3, 2)
    return _field(1, name) + _field(number, value) + _field(20, kind)


def _field(number: int, value: Number | str | bytes) -> bytes:
    """Encode one field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | FIXED32) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number is written as 64 bits
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
