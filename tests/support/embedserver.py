"""A real embedding service over HTTP with OpenAI's protocol; texts with equal words get near
vectors. It can fail on demand."""

import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

DIMENSION = 256
# Synonyms, which only vectors find.
MEANINGS = {"holiday": "leave", "vacation": "leave", "automobile": "car", "假期": "年假"}


def embedding(text: str, dimension: int = DIMENSION) -> list[float]:
    """Return a vector of the words' meanings, regardless of their order."""
    numbers = [1e-6] * dimension
    for word in re.findall(r"[a-z]+|[\u4e00-\u9fff]{2}", text.lower()):
        digest = hashlib.sha256(MEANINGS.get(word, word).encode()).digest()
        numbers[digest[0] % dimension] += 1
    return numbers


class EmbedServer:
    """`with EmbedServer() as server:` serves on `base_url`.

    `most` is its batch limit; `mood` selects a failure.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.mood = ""
        self.most = 1000
        self.dimension = DIMENSION
        self.refused = ""  # a word whose texts it refuses
        self.failing: set[int] = set()  # numbers of the requests that fail, from 1
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.gate = threading.Event()  # opens the mood "wait"
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._server.daemon_threads = True
        self.base_url = f"http://{address}:{self._server.server_port}/v1"

    def __enter__(self) -> "EmbedServer":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def texts(self) -> list[str]:
        """Return all texts that were embedded."""
        return [text for payload in self.asked for text in payload["input"]]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.keys.append(self.headers["Authorization"])
                status, body = owner.answer(self.path, payload)
                # The client may have disconnected while the gate was closed.
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler

    def answer(self, path: str, payload: dict[str, Any]) -> tuple[int, bytes]:
        if self.mood == "wait":
            self.gate.wait(30)
        if self.mood == "key":
            return 401, b'{"error":{"message":"Incorrect API key provided: sk-secret"}}'
        if self.mood == "down" or len(self.keys) in self.failing:
            return 503, b"<html>try later</html>"
        if self.mood == "html":
            return 200, b"<html>hello</html>"
        if self.mood == "nan":
            return 200, b'{"data":[{"index":0,"embedding":[NaN,1]}]}'
        if self.mood == "short":
            return 200, b'{"data":[]}'
        if self.refused and any(self.refused in text for text in payload["input"]):
            return 422, b'{"error":{"message":"this text cannot be embedded"}}'
        if path != "/v1/embeddings" or len(payload["input"]) > self.most:
            return 400, b'{"error":{"message":"batch size is invalid"}}'
        self.asked.append(payload)
        data = [
            {"index": n, "embedding": embedding(text, self.dimension)}
            for n, text in enumerate(payload["input"])
        ]
        return 200, json.dumps({"data": data[::-1], "model": payload["model"]}).encode()
