"""The built-in embedder, a small server with OpenAI's protocol.

    python -m chatapp.processes.embedder HOST:PORT [FOLDER]

    POST /v1/embeddings   {"input": text or [texts], "encoding_format": "base64" or "float",
                           "urgent": whether a question waits for them}
    GET  /healthz

A process of its own, so that all others share one copy of the model and no native code runs in a
web process. The model is loaded at the first request; until then only the standard library is
imported, to save memory.

Texts are embedded one at a time. Batches of this model are no faster on a few cores, and its 8-bit
arithmetic scales by the largest number of a batch: a text's vector would depend on its neighbours.
An urgent request (without that field: a single text, as of a question) never waits for a batch;
threads that embed batches run at a lower priority. Both run on few threads at once: hundreds that
compete for the interpreter would be slower, and this process would seem to hang.
"""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chatapp.home import MODEL_FOLDERS, model_folder

FORMER_MOST_TOKENS = 256  # of a text, where the model's description has no `tokens`
MOST_CHARACTERS = 16 * 1024  # of a text that are tokenised; of its tokens the first count
MOST_TEXTS = 256  # of a request
MOST_URGENT = 64  # texts of an urgent request
MOST_BYTES = 32 * 1024 * 1024  # of a request
IDLE_SECONDS = 600  # for a connection without requests
BATCH_NICENESS = 10
URGENT_AT_ONCE = 2
URGENT_SECONDS = 3.0  # to wait for a turn; the question has gone on without its vector by then


class ModelError(Exception):
    """The model is missing or differs from its description."""


class RequestError(Exception):
    """The request is refused with a status and a message."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """The model in a folder that set-up has created. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        described = json.loads((folder / "model.json").read_text("utf-8"))
        if hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest() != described["sha256"]:
            raise ModelError("the file of the model has changed since set-up")
        self.name: str = described["name"]
        self._batches = threading.Lock()  # all batches together get one core
        self._urgent = threading.BoundedSemaphore(URGENT_AT_ONCE)
        self._session, self._tokenizer = _load(folder, described.get("tokens", FORMER_MOST_TOKENS))

    def embed(self, texts: Sequence[str], urgent: bool = False) -> list[bytes]:
        """Return one vector for each text: little-endian float32, normalised."""
        return [self._in_turn(text, urgent) for text in texts]

    def _in_turn(self, text: str, urgent: bool) -> bytes:
        turns, seconds = (self._urgent, URGENT_SECONDS) if urgent else (self._batches, -1)
        if not turns.acquire(timeout=seconds):
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "Too many questions at once.")
        try:
            return self._vector(text)
        finally:
            turns.release()

    def _vector(self, text: str) -> bytes:
        import numpy

        # A lone surrogate is not encodable.
        clean = text[:MOST_CHARACTERS].encode("utf-8", "replace").decode()
        tokens = numpy.array([self._tokenizer.encode(clean).ids])
        vector: bytes = self._session.run(None, {"tokens": tokens})[0].astype("<f4").tobytes()
        return vector


def _load(folder: Path, most_tokens: int) -> tuple[Any, Any]:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # live answers matter more than the speed of a batch
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(most_tokens)
    tokenizer.no_padding()
    model = str(folder / "model.onnx")
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    ), tokenizer


class Server(ThreadingHTTPServer):
    """One thread per connection; all share the model."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        super().__init__(address, Handler)
        self._folder = folder
        self._loading = threading.Lock()
        self._model: Model | None = None
        self.load_error = ""

    def embed(self, texts: Sequence[str], urgent: bool) -> tuple[str, list[bytes]]:
        """Return the model's name and the vectors; raise RequestError if it fails."""
        model = self._loaded()
        try:
            return model.name, model.embed(texts, urgent)
        except RequestError:
            raise
        except Exception as fault:  # what foreign libraries raise
            print(f"Texts could not be embedded: {fault!r}", file=sys.stderr, flush=True)
            raise RequestError(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"The texts could not be embedded: {fault}"
            ) from fault

    def _loaded(self) -> Model:
        """Return the model, loading it at first use and again after a failure."""
        with self._loading:
            if self._model is None:
                try:
                    self._model = Model(self._folder)
                    self.load_error = ""
                except Exception as fault:  # a damaged file makes foreign libraries raise anything
                    self.load_error = f"The model cannot be loaded: {fault}"
                    print(self.load_error, file=sys.stderr, flush=True)
                    raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, self.load_error) from fault
            return self._model

    def handle_error(self, request: object, client_address: object) -> None:
        """Log the error, unless the client has disconnected."""
        fault = sys.exc_info()[1]
        if not isinstance(fault, ConnectionError | TimeoutError):
            print(f"A request failed: {fault!r}", file=sys.stderr, flush=True)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        """Answer health checks: 503 after the model failed to load."""
        if self.path != "/healthz":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.server.load_error:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, self.server.load_error)
        else:
            self._send(HTTPStatus.OK, {"status": "ok"})

    def do_POST(self) -> None:
        """Answer with embeddings."""
        try:
            body = self._body()
            if self.path != "/v1/embeddings":
                raise RequestError(HTTPStatus.NOT_FOUND, "Not found. Use /v1/embeddings.")
            texts, compact, urgent = read_request(body)
            if not urgent:
                _lower_priority()
            name, vectors = self.server.embed(texts, urgent)
        except RequestError as fault:
            self.send_error(fault.status, str(fault))
        else:
            self._send(HTTPStatus.OK, _answer(name, vectors, compact))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error in JSON, and close: the request may not have been read to its end."""
        self.close_connection = True
        said = message or HTTPStatus(code).phrase
        self._send(
            code,
            {
                "error": {
                    "message": said,
                    "type": "invalid_request_error" if code < 500 else "server_error",
                }
            },
        )

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "The header Content-Length is required.")
        if len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request is limited to {MOST_BYTES} bytes."
            )
        return self.rfile.read(int(length))

    def _send(self, status: int, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def read_request(body: bytes) -> tuple[list[str], bool, bool]:
    """Return the texts, whether base64 is wanted, and whether it is urgent; raise RequestError."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise RequestError(HTTPStatus.BAD_REQUEST, "The request is not JSON.") from fault
    given = asked.get("input") if isinstance(asked, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RequestError(HTTPStatus.BAD_REQUEST, "`input` must be a string or a list of strings.")
    if len(texts) > MOST_TEXTS:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"`input` is limited to {MOST_TEXTS} texts.")
    urgent = asked.get("urgent", len(texts) == 1) is True and len(texts) <= MOST_URGENT
    return texts, asked.get("encoding_format") == "base64", urgent


def _answer(name: str, vectors: list[bytes], compact: bool) -> dict[str, Any]:
    shown = [
        base64.b64encode(vector).decode() if compact else memoryview(vector).cast("f").tolist()
        for vector in vectors
    ]
    data = [
        {"object": "embedding", "index": index, "embedding": each}
        for index, each in enumerate(shown)
    ]
    return {"object": "list", "model": name, "data": data}


def _lower_priority() -> None:
    """Lower the priority of this thread alone; on Linux niceness belongs to threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(
            os.PRIO_PROCESS, thread, max(BATCH_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
        )


def main(address: str, folder: str = str(model_folder() or MODEL_FOLDERS[0])) -> int:
    """Serve the model of a folder until a signal ends the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # nothing is stored here: end at once
    host, _, port = address.rpartition(":")
    try:
        server = Server((host, int(port)), Path(folder))
    except (OSError, ValueError, OverflowError) as fault:
        print(f"The embedder cannot listen on {address}: {fault}", file=sys.stderr)
        return 1
    server.serve_forever(poll_interval=3600)  # only a signal ends it
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
