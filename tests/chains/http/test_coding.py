"""Compressed bodies: as they arrive, in any form, truncated, broken, and far larger inside."""

import gzip
import random
import zlib

import pytest

from chatapp.chains.http.coding import PIECE_BYTES, Inflation, codings, unreadable

TEXT = b'data: {"choices": []}\n\n' * 40
RAW, ZLIB, GZIP = -zlib.MAX_WBITS, zlib.MAX_WBITS, zlib.MAX_WBITS | 16


def packed(data: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    half = len(data) // 2
    return (
        packer.compress(data[:half])
        + packer.flush(zlib.Z_SYNC_FLUSH)
        + packer.compress(data[half:])
        + packer.flush()
    )


def unpacked(inflation: Inflation, parts: list[bytes]) -> bytes:
    found = b""
    for part in parts:
        found += inflation.feed(part)
        while inflation.pending:
            found += inflation.feed(b"")
    return found


BODIES = {
    "gzip": (("gzip",), packed(TEXT, GZIP)),
    "deflate": (("deflate",), packed(TEXT, ZLIB)),
    "deflate without a frame": (("deflate",), packed(TEXT, RAW)),
    "gzip, called deflate": (("deflate",), packed(TEXT, GZIP)),
    "not packed, called gzip": (("gzip",), TEXT),
    "not packed, called deflate": (("deflate",), TEXT),
    "members": (("gzip",), b"".join(gzip.compress(TEXT[n : n + 50]) for n in range(0, 920, 50))),
    "members and padding": (
        ("gzip",),
        gzip.compress(TEXT[:99]) + gzip.compress(b"") + gzip.compress(TEXT[99:]) + bytes(9),
    ),
    "something behind the end": (("gzip",), gzip.compress(TEXT) + b"\r\n0"),
    "both": (("deflate", "gzip"), packed(packed(TEXT, ZLIB), GZIP)),
    "gzip of gzip": (("gzip", "gzip"), gzip.compress(gzip.compress(TEXT))),
}


@pytest.mark.parametrize(("named", "body"), BODIES.values(), ids=BODIES)
def test_a_body_is_unpacked_at_any_cut(named: tuple[str, ...], body: bytes) -> None:
    chance = random.Random(1)
    cuts = [chance.randrange(len(body) + 1) for _ in range(60)]
    wholes = [[body], [body[n : n + 1] for n in range(len(body))]]
    for parts in [*wholes, *([body[:cut], body[cut:]] for cut in cuts)]:
        inflation = Inflation(named)
        assert unpacked(inflation, [part for part in parts if part]) == TEXT
        inflation.end()


@pytest.mark.parametrize("bits", [RAW, ZLIB, GZIP])
def test_what_is_flushed_is_readable_at_once(bits: int) -> None:
    packer = zlib.compressobj(wbits=bits)
    inflation = Inflation(("gzip" if bits == GZIP else "deflate",))
    for n in range(50):
        event = b"data: %d\n\n" % n
        part = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert unpacked(inflation, [part]) == event


@pytest.mark.parametrize("bits", [RAW, ZLIB, GZIP])
def test_a_body_that_ends_within_its_coding_is_an_error(bits: int) -> None:
    inflation = Inflation(("gzip" if bits == GZIP else "deflate",))
    unpacked(inflation, [packed(TEXT, bits)[:-6]])
    with pytest.raises(ValueError):
        inflation.end()


def test_an_empty_body_has_no_coding() -> None:
    Inflation(("gzip",)).end()


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08\xff" + bytes(40), b"\x78\x9c" + b"\xff" * 40])
def test_a_broken_coding_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        unpacked(Inflation(("gzip" if body[0] == 0x1F else "deflate",)), [body])


@pytest.mark.parametrize("times", [1, 2])
def test_a_bomb_comes_in_small_pieces(times: int) -> None:
    body = bytes(16 * 1024 * 1024)
    for _ in range(times):
        body = gzip.compress(body)
    inflation = Inflation(("gzip",) * times)
    total, piece = 0, inflation.feed(body)
    while piece or inflation.pending:
        assert len(piece) <= PIECE_BYTES
        total += len(piece)
        piece = inflation.feed(b"")
    assert total == 16 * 1024 * 1024
    inflation.end()


@pytest.mark.parametrize(
    ("headers", "named", "refused"),
    [
        ({}, (), ""),
        ({"content-encoding": "identity"}, (), ""),
        ({"content-encoding": "utf-8"}, (), ""),
        ({"content-encoding": "GZIP"}, ("gzip",), ""),
        ({"content-encoding": "x-gzip, identity , deflate"}, ("x-gzip", "deflate"), ""),
        ({"transfer-encoding": "gzip, chunked"}, ("gzip",), ""),
        ({"content-encoding": "br"}, ("br",), "br"),
        ({"content-encoding": "gzip, zstd"}, ("gzip", "zstd"), "zstd"),
        ({"content-encoding": "gzip," * 2000}, ("gzip",) * 2000, "gzip, gzip, gzip, gzip"),
    ],
)
def test_the_codings_of_a_body(
    headers: dict[str, str], named: tuple[str, ...], refused: str
) -> None:
    assert (codings(headers), unreadable(headers)) == (named, refused)
