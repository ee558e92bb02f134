"""Receives the files of an upload: written to disk while they arrive, within the limits."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from chatapp.errors import DiskFull, InvalidRequest, TooLarge
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.settings import MB
from chatapp.web.multipart import receive_files
from chatapp.web.services import services

READ_BYTES = 256 * 1024
FORM_BYTES = MB  # of a form beside its files
DRAIN_FACTOR = 4  # a body up to this many times the limit is read and discarded


def receive_uploads(
    arrived: ExitStack, begin: Callable[[], Incoming]
) -> list[tuple[str, Incoming]]:
    """Return the uploaded files and their names; they are written to disk while they arrive.

    Files that were not stored are removed when `arrived` closes. Raises TooLarge and DiskFull
    before anything is written, and InvalidRequest for a form that is incomplete or not a form.
    """
    limit = services().settings.upload_bytes + FORM_BYTES
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        _drain(limit)
        raise TooLarge(limit=f"{services().settings.upload_bytes // MB} MB")
    if request.mimetype != "multipart/form-data":
        raise InvalidRequest("files", "form_files")

    try:
        services().knowledge.require_space(request.content_length or 0)
    except DiskFull:
        _drain(limit)
        raise

    def start() -> Incoming:
        incoming = begin()
        arrived.callback(incoming.discard)
        return incoming

    boundary = request.mimetype_params.get("boundary", "")
    try:
        return receive_files(request.stream, boundary, "files", start)
    except RequestEntityTooLarge as fault:
        raise TooLarge(limit=f"{services().settings.upload_bytes // MB} MB") from fault
    except (ValueError, ClientDisconnected) as fault:
        raise InvalidRequest("files", "unreadable") from fault


def _drain(limit: int) -> None:
    """Read and discard a refused body: a client cut off while sending never reads the response."""
    left = min(request.content_length or 0, DRAIN_FACTOR * limit)
    source = request.environ["wsgi.input"]
    while left > 0 and (piece := source.read(min(left, READ_BYTES))):
        left -= len(piece)
        time.sleep(0)  # yield to other greenlets
