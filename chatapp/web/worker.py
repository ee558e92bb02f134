"""gunicorn's gevent worker, with our own answers to requests that it cannot parse.

gunicorn's arbiter imports this module: what answers is imported by the workers only.
"""

import contextlib
import socket
import time
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request as GunicornRequest
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

from chatapp.storage.native_locks import use_native_locks, without_plugins
from chatapp.web.bodies import is_too_long_to_keep

SEND_SECONDS = 5  # for a client to take the answer
LINGER_SECONDS = 2  # for it to read the answer: closing earlier could reset the connection
RECEIVE_BYTES = 64 * 1024


class Request(GunicornRequest):  # type: ignore[misc]
    """A request whose whole head has the limit of one field, and which is kept if it is invalid.

    gunicorn would read as many bytes as all fields may have together.
    """

    def __init__(self, *arguments: Any) -> None:
        self.head = bytearray()
        try:
            super().__init__(*arguments)
        except ParseException as fault:
            fault.request = self
            raise

    def parse(self, unreader: Any) -> Any:
        """Parse the head."""
        self.max_buffer_headers = self.limit_request_field_size
        return super().parse(unreader)

    def read_into(self, unreader: Any, buf: bytearray, stop: bool = False) -> None:
        """Read more of the head."""
        super().read_into(unreader, buf, stop)
        self.head = buf

    def should_close(self) -> bool:
        """Return whether the connection closes after the response."""
        body = getattr(self, "body", None)
        return super().should_close() or (body is not None and is_too_long_to_keep(body))


RequestParser.mesg_class = Request


class Worker(GeventWorker):  # type: ignore[misc]
    """The worker class in gunicorn.conf.py."""

    def patch(self) -> None:
        """Patch the standard library."""
        with without_plugins():
            super().patch()
        use_native_locks()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Log a failed request as gunicorn does; answer it in our shape."""
        from chatapp.web.unparsed import answer

        super().handle_error(req, None, addr, exc)  # its own page goes nowhere
        with contextlib.suppress(OSError):
            client.settimeout(SEND_SECONDS)
            client.sendall(answer(self.wsgi, exc))
            client.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + LINGER_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                client.settimeout(left)
                if not client.recv(RECEIVE_BYTES):
                    break
