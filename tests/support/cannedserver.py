"""An HTTP server with fixed responses by method and path, for what a model server does not do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Canned = dict[str, tuple[int, Any]]


class CannedServer:
    """`with CannedServer({"GET /v1/models": (200, [])}) as server:`; other requests get 404.

    A text body is sent as HTML, any other as JSON. With `key`, requests need it as a bearer token.
    """

    def __init__(self, responses: Canned, key: str = "") -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = f"{self.command} {self.path}"
                server.requests.append((asked, dict(self.headers)))
                status, body = responses.get(asked, (404, {"detail": "Not Found"}))
                if key and self.headers.get("Authorization") != f"Bearer {key}":
                    status, body = 401, {"error": {"code": "invalid_api_key"}}
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                kind = "text/html" if isinstance(body, str) else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "CannedServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
