"""The bodies of requests: how long and how many at a time a worker waits for.

gunicorn's gevent worker limits the time for a head, not for a body, so a few hundred half-sent
requests would occupy all its connections. A body is limited while it arrives, and what is left of
one that was not read is discarded within limits: closing a connection with unread bytes resets it,
and the client never reads the answer.

gunicorn's arbiter imports this module: nothing of Flask here.
"""

import contextlib
import socket
import time
from collections import Counter
from ipaddress import IPv6Address, IPv6Network
from time import monotonic
from typing import Any

from chatapp.addresses import client_chain, is_within, parse_address
from chatapp.chains.http.gevent_socket import receive_now
from chatapp.errors import ChatAppError, RequestTimeout
from chatapp.settings import Settings

BYTES_PER_SECOND = 500  # of waiting for a body, beyond the time limit
RECEIVE_BYTES, MOST_RECEIVED = 8192, 1024 * 1024  # at once, as gunicorn does
IPV6_PREFIX = 64  # bits of an IPv6 address that name a client: the others it chooses itself
# How long it is waited for more of a body that nobody reads, and for all of it: longer for at most
# one in LINGER_SHARE places.
LINGER_SECONDS, LINGER_ALL_SECONDS, LINGER_LEAST_SECONDS = 2, 30, 0.05
LINGER_SHARE = 4
KEPT_BYTES = 64 * 1024  # of an unread body; beyond, the connection closes after the response


class TooManyRequests(ChatAppError):
    """A client sends too many bodies at a time."""

    code, status, retryable, again_seconds = "too_many_requests", 429, True, 5


class Bodies:
    """The bodies that a worker waits for.

    One that does not grow for `body_seconds`, grows by less than BYTES_PER_SECOND, or takes longer
    than `upload_seconds`, is refused. Beyond `slow_bodies`, further ones of a client are
    refused. At most `most` wait at a time: beyond, one of the client that has most is refused
    early, so that slow clients leave places for others. A body that arrives with its head never
    waits and is never counted.
    """

    def __init__(self, settings: Settings, most: int) -> None:
        self.settings = settings
        self._most = most
        self._per_client = min(settings.slow_bodies, max(1, most // 2))
        self._waiting: set[_Body] = set()
        self._lingering = 0

    def watch(self, request: Any) -> None:
        """Limit the body of a request, until `finish`."""
        request.unreader.chunk = _Body(self, request).chunk

    def finish(self, request: Any) -> None:
        """Discard what is left of the body; the response has been sent.

        Then let gunicorn read the head of the next request by its own rules.
        """
        chunk = vars(request.unreader).pop("chunk", None)
        if chunk is not None and not is_read(request.body):
            request.unreader.chunk = chunk
            try:
                self._discard(request, chunk.__self__)
            finally:
                vars(request.unreader).pop("chunk", None)

    def wait(self, body: "_Body", size: int) -> bytes:
        """Wait for the next bytes; raise RequestTimeout or TooManyRequests."""
        if body.is_new and self._of(body.client) >= self._per_client:
            raise TooManyRequests
        body.is_new = False
        if len(self._waiting) >= self._most:
            counts = Counter(waiting.client for waiting in self._waiting)
            refused = max(self._waiting, key=lambda each: (counts[each.client], -each.left()))
            self._waiting.discard(refused)
            refused.refuse()
        self._waiting.add(body)
        try:
            return body.receive(size)
        finally:
            self._waiting.discard(body)

    def _of(self, client: str) -> int:
        return sum(waiting.client == client for waiting in self._waiting)

    def _discard(self, request: Any, body: "_Body") -> None:
        """Read the rest of a body, within limits; the connection closes unless all has arrived."""
        has_place = self._lingering < max(1, self._most // LINGER_SHARE)
        body.linger(LINGER_ALL_SECONDS if has_place else LINGER_LEAST_SECONDS)
        read = request.body.read
        if request.should_close():
            body.end_response()
            read = body.chunk
        self._lingering += 1
        try:
            while read(MOST_RECEIVED):
                time.sleep(0)  # lets other greenlets run
        except Exception:  # whatever is wrong with the rest
            request.body.failed = True
        finally:
            self._lingering -= 1


def is_read(body: Any) -> bool:
    """Return whether gunicorn has read all of a body."""
    reader = body.reader
    unread = getattr(reader, "length", 0) > 0 or getattr(reader, "parser", None) is not None
    return not (unread or body.failed)


def is_too_long_to_keep(body: Any) -> bool:
    """Return whether the connection closes after the response, as what is left is not worth it."""
    return bool(body.failed) or getattr(body.reader, "length", 0) > KEPT_BYTES


class _Body:
    """One body: what has arrived, and for how long it was waited for."""

    def __init__(self, bodies: Bodies, request: Any) -> None:
        self._bodies = bodies
        self._request = request
        self._sock: socket.socket = request.unreader.sock
        self._began = monotonic()
        self._received = 0
        self._waited = 0.0
        self._waits_since = 0.0
        self._refused = False
        self._lingers_until: float | None = None
        self._client: str | None = None
        self.is_new = True

    @property
    def client(self) -> str:
        """Who sends it: an address, as trusted proxies give it, or an IPv6 network."""
        if self._client is None:
            self._client = _client_of(self._request, self._bodies.settings)
        return self._client

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, as gunicorn's `SocketUnreader.chunk` does."""
        size = min(max(size_hint or 0, RECEIVE_BYTES), MOST_RECEIVED)
        if self._lingers_until is not None:
            return self._receive_more(size, self._lingers_until)
        data = receive_now(self._sock, size)
        if data is None:
            data = self._bodies.wait(self, size)
        if self._refused:  # its connection ended with what had arrived before
            raise RequestTimeout
        self._received += len(data)
        return data

    def left(self) -> float:
        """Return for how many seconds it may still be waited for."""
        settings, present = self._bodies.settings, monotonic()
        waited = self._waited + present - self._waits_since
        by_rate = settings.body_seconds + self._received / BYTES_PER_SECOND - waited
        return min(by_rate, self._began + settings.upload_seconds - present)

    def refuse(self) -> None:
        """End the wait of another greenlet."""
        self._refused = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def receive(self, size: int) -> bytes:
        """Wait for the next bytes; raise RequestTimeout."""
        self._waits_since = monotonic()
        try:
            return self._receive_within(min(self._bodies.settings.body_seconds, self.left()), size)
        except OSError as fault:  # a timeout, or gevent's error of a wait that `refuse` ended
            if self._refused or isinstance(fault, TimeoutError):
                raise RequestTimeout from fault
            raise
        finally:
            self._waited += monotonic() - self._waits_since

    def linger(self, seconds: float) -> None:
        """From now on receive for this long only, and wait less for each piece."""
        self._lingers_until = monotonic() + seconds

    def end_response(self) -> None:
        """Tell the client that nothing follows the response."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _receive_more(self, size: int, until: float) -> bytes:
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError
        return self._receive_within(min(LINGER_SECONDS, left), size)

    def _receive_within(self, seconds: float, size: int) -> bytes:
        before = self._sock.gettimeout()
        self._sock.settimeout(max(0.001, seconds))
        try:
            return self._sock.recv(size)
        finally:
            self._sock.settimeout(before)


def _client_of(request: Any, settings: Settings) -> str:
    peer = request.peer_addr[0] if isinstance(request.peer_addr, tuple) else ""
    address = parse_address(peer)
    if not peer or (address is not None and is_within(address, settings.trusted_proxies)):
        sent = [value for name, value in request.headers if name == "X-FORWARDED-FOR"]
        chain = client_chain(",".join(sent).split(","), settings.trusted_proxies)
        address = parse_address(chain[0]) if chain else address
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_PREFIX), strict=False))
    return str(address or peer)
