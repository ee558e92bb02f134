"""A real reranking service over HTTP, in either protocol, that prefers texts with its favourite
words. It can fail on demand."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

KEY = "sk-rerank"
FLOOD_BYTES = 64 * 1024
DRIP_SECONDS = 0.05  # between two bytes


class RerankServer:
    """`with RerankServer() as server:` serves on `base_url`, which ends in /v1.

    `favourites` are words, the best first. `mood` selects a failure. With `texts_only` it speaks
    the protocol of Text Embeddings Inference. `meanwhile` is called before each response.
    """

    def __init__(self, texts_only: bool = False) -> None:
        self.texts_only = texts_only
        self.favourites: tuple[str, ...] = ()
        self.mood = ""
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.gate = threading.Event()  # opens the mood "wait", ends "drip" and "flood"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.root_url = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = f"{self.root_url}/v1"

    def __enter__(self) -> "RerankServer":
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.asked.append(payload)
                owner.paths.append(self.path)
                owner.keys.append(self.headers["Authorization"])
                owner.meanwhile()
                with suppress(ConnectionError):  # the client may have given up
                    owner.respond(self, payload)

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler

    def respond(self, handler: BaseHTTPRequestHandler, payload: dict[str, Any]) -> None:
        if self.mood == "wait":
            self.gate.wait(30)
        if self.mood in ("drip", "flood"):
            return self._send_endlessly(handler)
        status, body = self._failure() or self._answer(payload)
        handler.send_response(status)
        if self.mood == "redirect":
            handler.send_header("Location", f"{self.root_url}/elsewhere")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        if self.mood == "close":  # without saying so
            handler.close_connection = True

    def _send_endlessly(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        while not self.gate.is_set():
            handler.wfile.write(b" " if self.mood == "drip" else b" " * FLOOD_BYTES)
            if self.mood == "drip":
                self.gate.wait(DRIP_SECONDS)

    def _failure(self) -> tuple[int, bytes] | None:
        fixed = {
            "key": (401, b'{"message": "invalid api token: sk-rerank"}'),
            "refused": (400, b'{"message": "query is too long"}'),
            "busy": (429, b'{"message": "trial key"}'),
            "down": (503, b"<html>try later</html>"),
            "redirect": (307, b""),
            "html": (200, b"<html>sign in</html>"),
            "empty": (200, b""),
            "number": (200, b"7"),
            "none": (200, b'{"results": []}'),
            "null": (200, b'{"results": null}'),
            "strings": (200, b'{"results": ["a", "b"]}'),
            "deep": (200, b"[" * 100_000),
        }
        return fixed.get(self.mood)

    def _answer(self, payload: dict[str, Any]) -> tuple[int, bytes]:
        name = "texts" if self.texts_only else "documents"
        if name not in payload:
            return 422, f"missing field `{name}`".encode()
        results = [
            {"index": n, "score" if self.texts_only else "relevance_score": self._score(text)}
            for n, text in enumerate(payload[name])
        ]
        if self.mood == "few":
            results.pop()
        if self.mood == "twice":
            results[-1] = dict(results[0])
        if self.mood == "index":
            results[0]["index"] = -1
        if self.mood == "no score":
            results[0] = {"index": 0}
        if self.mood == "text":
            results = [{name: str(value) for name, value in each.items()} for each in results]
        if self.mood == "nan":
            results = [{"index": n, "relevance_score": float("nan")} for n, _ in enumerate(results)]
        results.reverse()
        return 200, json.dumps(results if self.texts_only else {"results": results}).encode()

    def _score(self, text: str) -> float:
        found = [n for n, word in enumerate(self.favourites) if word in text]
        return -1.0 - min(found, default=len(self.favourites))
