"""The floor: gunicorn and gevent pass the model's bytes through unread.

No design on this stack can cost much less.
"""

import http.client
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

MODEL = urlsplit(os.environ["OPENAI_BASE_URL"])
READ_BYTES = 65536


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Ask the model and pass on its bytes as they arrive."""
    if environ["REQUEST_METHOD"] != "POST":
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    asked = json.loads(environ["wsgi.input"].read())
    messages = [{"role": "user", "content": asked["question"]}]
    body = json.dumps({"model": asked["model"], "stream": True, "messages": messages})
    connection = http.client.HTTPConnection(MODEL.hostname or "", MODEL.port)
    connection.request(
        "POST", f"{MODEL.path}/chat/completions", body, {"Content-Type": "application/json"}
    )
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return _passed_through(connection)


def _passed_through(connection: http.client.HTTPConnection) -> Iterator[bytes]:
    try:
        response = connection.getresponse()
        while data := response.read1(READ_BYTES):
            yield data
    finally:
        connection.close()
