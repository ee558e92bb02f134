"""Receives uploaded forms; too large a form, or a full disk, is refused before it is written."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from chatapp.errors import DiskFull, InvalidRequest, TooLarge
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.settings import MB
from chatapp.web.multipart import receive_files

FORM_BYTES = MB  # of a form beside its files
DRAIN_FACTOR = 4  # a body up to this many times the limit is read and discarded
READ_BYTES = 256 * 1024


def receive(
    arrived: ExitStack,
    field: str,
    most_bytes: int,
    require_space: Callable[[int], None],
    begin: Callable[[], Incoming],
) -> list[tuple[str, Incoming]]:
    """Return the files of a form's field and their names; they are written while they arrive.

    Files that were not stored are removed when `arrived` closes. Raises TooLarge and DiskFull
    before anything is written, and InvalidRequest for a form that is incomplete or not a form.
    """
    limit = most_bytes + FORM_BYTES
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        _drain(limit)
        raise TooLarge(limit=f"{most_bytes // MB} MB")
    if request.mimetype != "multipart/form-data":
        raise InvalidRequest(field, "form_files")
    try:
        require_space(request.content_length or 0)
    except DiskFull:
        _drain(limit)
        raise

    def start() -> Incoming:
        incoming = begin()
        arrived.callback(incoming.discard)
        return incoming

    boundary = request.mimetype_params.get("boundary", "")
    try:
        return receive_files(request.stream, boundary, field, start)
    except RequestEntityTooLarge as fault:
        raise TooLarge(limit=f"{most_bytes // MB} MB") from fault
    except (ValueError, ClientDisconnected) as fault:
        raise InvalidRequest(field, "unreadable") from fault


def _drain(limit: int) -> None:
    """Read and discard a refused body: a client cut off while sending never reads the response."""
    left = min(request.content_length or 0, DRAIN_FACTOR * limit)
    source = request.environ["wsgi.input"]
    while left > 0 and (piece := source.read(min(left, READ_BYTES))):
        left -= len(piece)
        time.sleep(0)  # yield to other greenlets
