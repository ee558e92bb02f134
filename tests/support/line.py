"""A TCP proxy between browser and service that can cut, drop, stall or buffer connections."""

import contextlib
import socket
import struct
import threading

END_OF_CHUNKS = b"0\r\n\r\n"
# SO_LINGER with no time: closing sends a reset, as when a network breaks.
RESET = struct.pack("ii", 1, 0)


class Line:
    """`with Line(port) as line:` — a page opened by `line.url` reaches the service over it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._deaf: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self.is_down = False
        self.holds_back = False

    def __enter__(self) -> "Line":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset all current connections; new ones work."""
        with self._lock:
            pairs, self._pairs, self._deaf = self._pairs, set(), set()
        for pair in pairs:
            _break(*pair)

    def go_down(self) -> None:
        """Reset all current and new connections until `come_up`."""
        self.is_down = True
        self.cut()

    def come_up(self) -> None:
        self.is_down = False

    def go_deaf(self) -> None:
        """Silently drop all bytes of the current connections; new ones work."""
        with self._lock:
            self._deaf |= self._pairs

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                _break(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                _break(near)
                continue
            pair = (near, far)
            with self._lock:
                self._pairs.add(pair)
            for receiver, sender in (pair, pair[::-1]):
                receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(
                    target=self._carry, args=(pair, receiver, sender), daemon=True
                ).start()

    def _carry(
        self,
        pair: tuple[socket.socket, socket.socket],
        receiver: socket.socket,
        sender: socket.socket,
    ) -> None:
        held = b""
        with contextlib.suppress(OSError):
            while data := receiver.recv(65536):
                if pair in self._deaf:
                    continue
                held += data
                if receiver is pair[1] and self.holds_back and _is_growing(held):
                    continue
                sender.sendall(held)
                held = b""
            sender.sendall(held)
            sender.shutdown(socket.SHUT_WR)


def _is_growing(answer: bytes) -> bool:
    """Return whether this is an event stream without its end."""
    return b"text/event-stream" in answer and not answer.endswith(END_OF_CHUNKS)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
