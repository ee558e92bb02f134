"""A client of the running service over HTTP: its address, the token, errors as sentences.

For a service on this machine, address and token are in the home folder. CHATAPP_URL names a service
on another machine, and CHATAPP_TOKEN a token made on its page.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chatapp.chains.http.tls import is_loopback, tls_context
from chatapp.cli.terminal import End, plain, say
from chatapp.home import running, url_of
from chatapp.settings import Settings, bind_is_set, terminal_language

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
MOST_BYTES = 64 * 1024 * 1024
PAGE = 1000
TEMPORARY = (408, 429)  # and 500 and above, and a redirect or page of a network in between


class Unreachable(End):
    """No service answers at this URL."""

    def __init__(self, url: str) -> None:
        super().__init__(say("service.away", url=url), "not_running")


class Refused(End):
    """The service responded with an error, in the terminal's language."""

    def __init__(self, message: str, code: str, http_status: int, retry_after: int = 0) -> None:
        super().__init__(message, code)
        self.http_status = http_status
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether another attempt may succeed."""
        return self.http_status in TEMPORARY or self.http_status >= 500 or self.http_status < 300


def address_here(settings: Settings) -> str:
    """Return the address of this home's service: CHATAPP_BIND, a running one, the default."""
    return settings.bind if bind_is_set() else running(settings.home) or settings.bind


def url_here(settings: Settings) -> str:
    """Return the URL of this home folder's service."""
    return url_of(address_here(settings))


def link_url(settings: Settings) -> str:
    """Return the URL that sign-in links begin with: the public one, else that of this machine."""
    return str(settings.public_url or url_here(settings))


@dataclass(frozen=True, slots=True)
class Service:
    """The service's URL and credentials."""

    url: str
    token: str
    ca_file: str = ""

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> "Service":
        """Return the service of this home folder, or the one at CHATAPP_URL."""
        settings = settings or Settings.from_env()
        url = settings.url or url_here(settings)
        # The home's own token is never sent to another machine.
        own = _token(settings) if is_loopback(url) else ""
        return cls(url, own or settings.token, settings.ca_file)

    def call(
        self, method: str, path: str, body: Any = None, seconds: float = ANSWER_SECONDS
    ) -> Any:
        """Send a JSON request and return the JSON response, None if it is empty.

        Raises Unreachable, Refused.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            with self.connection(seconds) as connection:
                connection.request(method, self.path(path), data, {**self.headers(), **headers})
                response = connection.getresponse()
                return self.read(response)
        except (OSError, http.client.HTTPException) as fault:
            raise Unreachable(self.url) from fault

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a paged list."""
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.call(
                "GET", f"{path}?{urlencode({'limit': PAGE} | ({'after': after} if after else {}))}"
            )
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    def read(self, response: http.client.HTTPResponse) -> Any:
        """Read a JSON response; raise Refused for an error or anything else."""
        data = response.read(MOST_BYTES)
        if response.status == 204:
            return None
        try:
            found = json.loads(data)
            if response.status < 300:
                return found
            raise self._refused(response, found["error"])
        except (ValueError, KeyError, TypeError) as fault:
            raise Refused(
                say("service.unexpected", url=self.url, status=response.status),
                "unexpected",
                response.status,
            ) from fault

    @contextmanager
    def connection(self, seconds: float) -> Iterator[http.client.HTTPConnection]:
        """Connect, and close at the end. Proxy variables are ignored."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        made: http.client.HTTPConnection
        if parts.scheme == "https":
            made = http.client.HTTPSConnection(
                host, parts.port, timeout=CONNECT_SECONDS, context=tls_context(self.ca_file)
            )
        else:
            made = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
        try:
            made.connect()
            assert made.sock is not None
            made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.sock.settimeout(seconds)
            yield made
        finally:
            made.close()

    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        who = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Accept-Language": terminal_language(), **who}

    def path(self, path: str) -> str:
        """Return the path of a request, below the path of the URL."""
        return quote(urlsplit(self.url).path, safe="/%") + path

    def _refused(self, response: http.client.HTTPResponse, error: Any) -> Refused:
        wait = response.headers.get("Retry-After", "")
        message = (
            say("service.unauthorized", url=self.url)
            if response.status == 401
            else plain(str(error["message"]))
        )
        return Refused(
            message, str(error["code"]), response.status, int(wait) if wait.isdigit() else 0
        )


def _token(settings: Settings) -> str:
    try:
        return (settings.home / "token").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
