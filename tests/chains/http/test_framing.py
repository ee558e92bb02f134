"""The framing of HTTP bodies."""

import pytest

from chatapp.chains.http.framing import Chunked, Plain

BODY = b"4\r\nWiki\r\n6;name=value\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n"


def test_chunks_are_read_at_any_cut() -> None:
    for size in (1, 2, 3, 7, len(BODY)):
        chunked = Chunked()
        found = b"".join(chunked.feed(BODY[at : at + size]) for at in range(0, len(BODY), size))
        assert found == b"Wikipedia in \r\n\r\nchunks."
        assert chunked.ended


@pytest.mark.parametrize("body", [b"x\r\n", b"-1\r\nab", b"4\r\nWikiX\r\n", b"\r\n", b"4" * 5000])
def test_wrong_framing_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        Chunked().feed(body)


def test_an_early_end_is_an_error_where_the_length_is_known() -> None:
    for framed in (Chunked(), Plain(5)):
        with pytest.raises(ValueError):
            framed.feed(b"")
    endless = Plain(None)
    assert endless.feed(b"abc") == b"abc" and not endless.ended
    assert endless.feed(b"") == b"" and endless.ended
