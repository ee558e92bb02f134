"""A model server with Ollama's native protocol, `POST /api/chat` in NDJSON.

    with OllamaServer() as server: … server.base_url … server.requests
    python tests/support/ollamaserver.py --port 0

A model's name selects the behaviour, as in tests/support/modelserver.py: `echo`, `think`, `silent`,
`only-thinks`, `hang-mid`, `broken-json`; any other name is a model that has not been pulled.
Loopback only.
"""

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a program: the folder above is where `tests` is
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.modelserver import ModelServer  # noqa: E402
from tests.support.modelwire import Logged, Turn, Wire  # noqa: E402

CREATED = "2026-11-01T00:00:00Z"
COUNTS = {
    "done_reason": "stop",
    "total_duration": 1,
    "load_duration": 1,
    "prompt_eval_count": 11,
    "prompt_eval_duration": 1,
    "eval_count": 7,
    "eval_duration": 1,
}


class OllamaServer(ModelServer):
    """The server; its address is that of the host, without `/v1`."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.base_url = self.base_url.removesuffix("/v1")

    def _answer(self, wire: Wire, request: Logged) -> None:
        if request.path == "/api/tags":
            wire.json(200, {"models": [{"name": "echo", "model": "echo"}]})
        elif request.path == "/api/chat" and isinstance(request.body, dict):
            _chat(Turn(wire, request, 0, self.base_url))
        else:
            wire.json(404, {"error": "not found"})


def _chat(turn: Turn) -> None:
    model = turn.request.model
    if model not in ("echo", "think", "silent", "only-thinks", "hang-mid", "broken-json"):
        turn.wire.json(404, {"error": f"model '{model}' not found, try pulling it first"})
        return
    turn.wire.begin("application/x-ndjson")
    if model in ("think", "only-thinks"):
        _line(turn, {"content": "", "thinking": "Let me think."})
    for word in turn.question.split() if model not in ("silent", "only-thinks") else ():
        _line(turn, {"content": f"{word} "})
    if model == "hang-mid":
        turn.wire.wait()
    if model == "broken-json":
        turn.wire.chunk(b'{"message": \n')
    _line(turn, {"content": ""}, COUNTS)
    turn.wire.end()


def _line(turn: Turn, message: dict[str, Any], end: dict[str, Any] | None = None) -> None:
    body = {
        "model": turn.request.model,
        "created_at": CREATED,
        "message": {"role": "assistant", **message},
        "done": end is not None,
        **(end or {}),
    }
    turn.wire.chunk(json.dumps(body).encode() + b"\n")


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    with OllamaServer(parser.parse_args().port) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
