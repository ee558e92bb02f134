"""Body framing of an HTTP/1.1 response. Pure: bytes in, bytes out."""

CHUNK_HEAD_BYTES = 4096  # the longest line of chunked framing accepted


class Body:
    """Decodes the bytes of a connection to those of the body; `ended` is set at its end."""

    ended = False

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes, empty at the end of the connection. ValueError: wrong framing."""
        raise NotImplementedError


class Plain(Body):
    """A body of known length, or one that ends with the connection."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.ended = length == 0

    def feed(self, data: bytes) -> bytes:
        if self._left is None:
            self.ended = not data
            return data
        if not data:
            raise ValueError("cut")
        data = data[: self._left]
        self._left -= len(data)
        self.ended = self._left == 0
        return data


class Chunked(Body):
    """Chunked framing (RFC 9112, 7.1).

    Decoded here because http.client returns one chunk at a time: a call for every token.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0
        self._behind = b""  # the line end due after a chunk
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        if not data:
            raise ValueError("cut")
        buffer = self._rest + data if self._rest else data
        parts: list[bytes] = []
        at = 0
        while True:
            if self._left:
                part = buffer[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left or not part:
                    break
                self._behind = b"\r\n"
            start = at + len(self._behind)
            if not self._behind.startswith(buffer[at:start]):
                raise ValueError("framing")
            end = buffer.find(b"\r\n", start)
            if end < 0:
                break
            self._line(buffer[start:end])
            self._behind = b""
            at = end + 2
            if self.ended:
                break
        self._rest = buffer[at:]
        if len(self._rest) > CHUNK_HEAD_BYTES and not self.ended:
            raise ValueError("framing")
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        if self._trailer:
            self.ended = not line
            return
        self._left = int(line.partition(b";")[0], 16)
        if self._left < 0:
            raise ValueError("framing")
        self._trailer = self._left == 0
