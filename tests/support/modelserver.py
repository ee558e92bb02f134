"""A model server with OpenAI's protocol over real sockets; a model's name selects its faults.

    with ModelServer() as server: … server.base_url … server.requests
    python tests/support/modelserver.py --port 0

The model's name chooses the behaviour (BEHAVIOURS), so tests can drive it through the whole
product. GET /_log returns the requests, with the time a client closed its connection during an
answer. A key that begins with `bad` is always refused. Loopback only; standard library only.
"""

import argparse
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a program: the folder above is where `tests` is
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support import (  # noqa: E402
    modelpictures,  # noqa: F401  these register behaviours
    modelthinking,  # noqa: F401
    modeltools,  # noqa: F401
)
from tests.support.modelbehaviours import BEHAVIOURS  # noqa: E402
from tests.support.modelwire import Gone, Logged, Turn, Wire  # noqa: E402

MODELS = (
    "echo",
    "cited",
    "typewriter-200-20",
    "think",
    "reasoning",
    "slow-first-3",
    "hang-mid",
    "cut",
    "refuse-500",
    "text-embedding-none",
)


class ModelServer:
    """The server. `key` is the only accepted key; without one, all but `bad…` are accepted."""

    def __init__(
        self,
        port: int = 0,
        key: str = "",
        certificate: tuple[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.requests: list[Logged] = []
        self.key = key
        self._stopping = threading.Event()
        self._listener = socket.create_server((address, port), backlog=512)
        self._context: ssl.SSLContext | None = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self.port: int = self._listener.getsockname()[1]
        scheme = "https" if certificate else "http"
        self.base_url = f"{scheme}://{address}:{self.port}/v1"
        self._threads: set[threading.Thread] = set()
        self._counts: dict[str, int] = {}
        self._connections = 0

    def __enter__(self) -> "ModelServer":
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        self._stopping.set()
        self._listener.close()
        for thread in list(self._threads):
            thread.join(2)

    @property
    def other_url(self) -> str:
        """The same server by another address, for which no rate limit of the first is remembered:
        for ten minutes after one, no follow-up is rewritten."""
        return self.base_url.replace("127.0.0.1", "localhost")

    def asked(self, path: str = "/v1/chat/completions") -> list[Logged]:
        """Return the requests to a path."""
        return [request for request in list(self.requests) if request.path == path]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Wait for a condition."""
        end = time.monotonic() + seconds
        while not (true := condition()) and time.monotonic() < end:
            time.sleep(0.005)
        return true

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.1)
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections += 1
            self._spawn(self._serve, sock, self._connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            sock.settimeout(10)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            wire = Wire(sock, self._stopping, number)
            while wire.keep and (request := self._next(wire)):
                self._one(wire, request)
        except (OSError, ValueError):
            pass
        finally:
            sock.close()
            self._threads.discard(threading.current_thread())

    def _next(self, wire: Wire) -> Logged | None:
        while not wire.pending():
            if self._stopping.is_set():
                return None
        return wire.read_request()

    def _one(self, wire: Wire, request: Logged) -> None:
        self.requests.append(request)
        try:
            self._answer(wire, request)
        except Gone:
            request.closed_at = time.monotonic()
            wire.keep = False
        request.t_end = time.monotonic()

    def _answer(self, wire: Wire, request: Logged) -> None:
        if request.path == "/_log":
            wire.json(200, [asdict(logged) for logged in self.requests])
        elif not self._accepts(request.headers.get("authorization", "").removeprefix("Bearer ")):
            wire.json(
                401,
                {
                    "error": {
                        "message": "Incorrect API key provided: see the account.",
                        "code": "invalid_api_key",
                    }
                },
            )
        elif request.path == "/v1/models":
            wire.json(
                200,
                {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]},
            )
        elif request.path == "/v1/chat/completions" and isinstance(request.body, dict):
            self._complete(wire, request)
        else:
            wire.json(404, {"detail": "Not Found"})

    def _accepts(self, key: str) -> bool:
        return key == self.key if self.key else not key.startswith("bad")

    def _complete(self, wire: Wire, request: Logged) -> None:
        before = self._counts.get(request.model, 0)
        self._counts[request.model] = before + 1
        turn = Turn(wire, request, before, self.base_url)
        for pattern, behaviour in BEHAVIOURS:
            if match := pattern.fullmatch(request.model):
                behaviour(turn, *match.groups())
                return
        message = f"The model `{request.model}` does not exist"
        wire.json(
            404,
            {
                "error": {
                    "message": message,
                    "type": "invalid_request_error",
                    "code": "model_not_found",
                }
            },
        )


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    with ModelServer(options.port, options.key) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
