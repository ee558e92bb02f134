"""JSON over HTTP to a service that stores or computes vectors: Chroma or an embedder.

Redirects are not followed, and no proxy is read from the environment. Every call is idempotent and
is repeated once: a service that was restarted has a new address.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from chatapp.chains.http.tls import tls_context

CONNECT_SECONDS = 3
KEPT_CONNECTIONS = 8


class Unreachable(Exception):
    """The service does not answer in time, or its response is not JSON."""


class TimedOut(Unreachable):
    """The service took longer than allowed."""


class InvalidResponse(Unreachable):
    """The response is not JSON."""


class ErrorStatus(Exception):
    """The service answered with an error status."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class JsonClient:
    """A client of one service. `find` returns its current URL, None where it does not run."""

    def __init__(
        self,
        find: Callable[[], str | None],
        headers: Mapping[str, str] | None = None,
        proxy: str = "",
        ca_file: str = "",
    ) -> None:
        self._find = find
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            **(headers or {}),
        }
        options: dict[str, Any] = {"maxsize": KEPT_CONNECTIONS, "retries": False}
        # Loading certificates takes time and memory.
        if proxy or (find() or "").startswith("https"):
            options["ssl_context"] = tls_context(ca_file)
        self._pool = (
            urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        )

    @property
    def url(self) -> str | None:
        """The service's current URL."""
        return self._find()

    def call(
        self, method: str, path: str, payload: Mapping[str, Any] | None, seconds: float
    ) -> Any:
        """Return the decoded response; raise Unreachable or ErrorStatus."""
        body = orjson.dumps(payload) if payload is not None else None
        try:
            return self._send(method, path, body, seconds)
        except (TimedOut, InvalidResponse):
            raise
        except Unreachable:
            return self._send(method, path, body, seconds)

    def _send(self, method: str, path: str, body: bytes | None, seconds: float) -> Any:
        url = self._find()
        if url is None:
            raise Unreachable("not running")
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)
        try:
            response = self._pool.request(
                method,
                url + path,
                body=body,
                headers=self._headers,
                timeout=timeout,
                redirect=False,
            )
            if response.status >= 300:
                raise ErrorStatus(response.status, response.data[:300].decode(errors="replace"))
        except ReadTimeoutError as fault:
            raise TimedOut(str(fault)) from fault
        except (HTTPError, OSError, ValueError) as fault:
            raise Unreachable(str(fault)) from fault
        try:
            return orjson.loads(response.data or b"null")
        except ValueError as fault:
            raise InvalidResponse("not JSON") from fault
