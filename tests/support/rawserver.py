"""An HTTP server that answers every request with the bytes that a test gives it."""

import contextlib
import socket
import threading
from collections.abc import Callable

from tests.support.quirks import Quirk

CHUNK_BYTES = 50  # of a quirk's body, in each chunk


class RawServer:
    """`handle` writes to the connection of a request; afterwards the connection is closed.

    `by_path` has other handlers for some paths.
    """

    def __init__(self) -> None:
        self.handle: Callable[[socket.socket], None] = lambda connection: None
        self.by_path: dict[str, Callable[[socket.socket], None]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> "RawServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def sends(self, quirk: Quirk) -> None:
        """Answer with a quirk, in chunks; its body ends well unless it breaks."""
        self.handle = lambda connection: connection.sendall(framed(quirk))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            data = b""
            while b"\r\n\r\n" not in data:
                if not (more := connection.recv(65536)):
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            while len(body) < length:
                body += connection.recv(65536)
            self.by_path.get(head.split()[1].decode(), self.handle)(connection)


def framed(quirk: Quirk) -> bytes:
    """Return the response that a quirk's supplier sends."""
    headers = {"Content-Type": "text/event-stream", **quirk.headers}
    if not quirk.status.startswith("204"):
        headers["Transfer-Encoding"] = "chunked"
    lines = [f"HTTP/1.1 {quirk.status}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, "", ""]).encode()
    if quirk.status.startswith("204"):
        return head
    pieces = [quirk.sent[at : at + CHUNK_BYTES] for at in range(0, len(quirk.sent), CHUNK_BYTES)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"" if quirk.breaks else b"0\r\n\r\n")
