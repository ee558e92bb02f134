"""Upload files in pieces and wait until they have been read."""

import http.client
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from chatapp.cli.folder import Local
from chatapp.cli.service import Refused, Service, Unreachable
from chatapp.cli.terminal import End, say

PIECE_BYTES = 256 * 1024
SEND_SECONDS = 120  # for the service to accept a piece
POLL_SECONDS = 0.5
STALL_SECONDS = 900  # without progress; one file may take CHATAPP_PARSE_SECONDS

Row = dict[str, Any]


def upload(service: Service, base_id: str, file: Local, on_bytes: Callable[[int], None]) -> Row:
    """Upload a file and return its row. Raises Refused, Unreachable, or OSError of the file."""
    boundary = f"chatapp-{uuid.uuid4().hex}"
    # Unlike `filename`, this has no escapes that a name may contain by itself.
    disposition = f"form-data; name=\"files\"; filename*=UTF-8''{quote(file.name, safe='')}"
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    with open(file.path, "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        try:
            with service.connection(SEND_SECONDS) as connection:
                connection.putrequest("POST", service.path(f"/api/knowledge/{base_id}/files"))
                for header, value in service.headers().items():
                    connection.putheader(header, value)
                connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
                connection.putheader("Content-Length", str(len(head) + size + len(tail)))
                connection.endheaders(head)
                _send(connection, opened.read, size, on_bytes)
                connection.send(tail)
                row: Row = service.read(connection.getresponse())["items"][0]
                return row
        except (ConnectionError, TimeoutError, http.client.HTTPException) as fault:
            raise Unreachable(service.url) from fault


def _send(
    connection: http.client.HTTPConnection,
    read: Callable[[int], bytes],
    size: int,
    on_bytes: Callable[[int], None],
) -> None:
    """Send exactly `size` bytes, even if the file grows; raise OSError if it has shrunk."""
    left = size
    while left:
        piece = read(min(left, PIECE_BYTES))
        if not piece:
            raise OSError(0, say("sync.changed"))
        connection.send(piece)
        left -= len(piece)
        on_bytes(len(piece))


def wait_until_read(
    service: Service, base_id: str, ids: set[str], on_done: Callable[[int], None]
) -> Mapping[str, Row]:
    """Wait until files are ready or failed; return their rows.

    A file that only lacks vectors counts as ready: keyword search finds it.
    """
    rows: dict[str, Row] = {}
    seen: Any = None
    since = time.monotonic()
    done = 0
    while True:
        rows = {
            row["id"]: row
            for row in service.items(f"/api/knowledge/{base_id}/files")
            if row["id"] in ids
        }
        now = sum(is_read(row) for row in rows.values())
        on_done(now - done)
        done = now
        if done == len(rows):
            return rows
        state = sorted((row["id"], row["status"], row["progress"]) for row in rows.values())
        if state != seen:
            seen, since = state, time.monotonic()
        elif time.monotonic() - since > STALL_SECONDS:
            raise End(say("sync.stalled"), "stalled")
        time.sleep(POLL_SECONDS)


def is_read(row: Row) -> bool:
    """Return whether a file is ready or failed, or only lacks vectors."""
    return row["status"] in ("ready", "failed") or (
        row["status"] == "embedding" and bool(row["error"])
    )


def reason(fault: Refused | Unreachable | OSError) -> str:
    """Return why a file could not be uploaded."""
    return fault.message if isinstance(fault, End) else fault.strerror or ""
