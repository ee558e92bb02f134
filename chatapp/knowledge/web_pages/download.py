"""Fetches one web page: the request, its redirects, and the body within limits of size and time.

Every address is checked (guard.py), that of a redirect too. No cookie is kept, no script runs and
nothing that a page refers to is loaded. Every foreign error becomes a PageUnavailable.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from chatapp.chains.http.connection import Route, Unreachable
from chatapp.chains.http.tls import is_loopback
from chatapp.chains.http.transport import Broken, Exchange, Garbled, Request, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.errors import InvalidRequest, PageUnavailable, TooLarge
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.knowledge.web_pages.address import redirect_address, split_address
from chatapp.knowledge.web_pages.guard import Guard
from chatapp.settings import MB, Settings

FIRST_BYTE_SECONDS = 30
IDLE_SECONDS = 20
TOTAL_SECONDS = 180  # with all redirects
MOST_REDIRECTS = 10
MOST_RETRY_SECONDS = 300  # of a server's Retry-After that are waited for
REDIRECTS = (301, 302, 303, 307, 308)
NOT_MODIFIED = 304
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; chatapp; fetches single pages for its users)",
    "Accept": "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.8",
}
_STATUSES = {
    401: "login",
    403: "forbidden",
    404: "gone",
    407: "proxy",
    408: "server",
    410: "gone",
    425: "server",
    429: "busy",
    451: "forbidden",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response: the address after redirects, and the headers that matter.

    `unchanged`: the server says that the page is as it was, and has sent no body.
    """

    address: str
    media_type: str
    charset: str
    etag: str
    last_modified: str
    unchanged: bool = False


class Downloads:
    """Fetches pages by the settings; `TOTAL_SECONDS` and the like are its limits."""

    def __init__(
        self, settings: Settings, guard: Guard | None = None, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        self._settings = settings
        self._guard = guard or Guard(settings.fetch_allow)
        self._total_seconds = total_seconds

    def fetch(
        self,
        address: str,
        incoming: Incoming,
        beat: Callable[[], None],
        known: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Write a page's body to `incoming`; `known` are the etag and date of an earlier fetch.

        `beat` is called between the steps; what it raises ends the fetch. Raises PageUnavailable
        and TooLarge.
        """
        end = monotonic() + self._total_seconds
        conditions = _conditions(known or {})
        for _ in range(MOST_REDIRECTS + 1):
            exchange, deadline = self._ask(address, conditions, end, beat)
            try:
                target = _redirect(address, exchange)
                if target is None:
                    _require_success(address, exchange, may_be_unchanged=bool(conditions))
                    return self._receive(address, exchange, deadline, incoming, beat)
            finally:
                exchange.close()
            address = target
        raise PageUnavailable("redirects")

    def _ask(
        self, address: str, headers: Mapping[str, str], end: float, beat: Callable[[], None]
    ) -> tuple[Exchange, Deadline]:
        """Send the request to the first of the host's addresses that answers."""
        fault: PageUnavailable | None = None
        origin, path = split_address(address)
        beat()
        for pinned in self._guard.addresses(address):
            beat()
            left = end - monotonic()
            if left <= 0:
                break
            proxy = "" if is_loopback(f"http://{_bracketed(pinned)}") else self._settings.proxy
            route = Route(origin, proxy, self._settings.ca_file, pinned)
            connect = self._settings.connect_seconds
            deadline = Deadline(Limits(connect, FIRST_BYTE_SECONDS, IDLE_SECONDS, left))
            request = Request("GET", path, {**HEADERS, **headers})
            try:
                return Transport(keep=0).send(route, request, deadline), deadline
            except Unreachable as error:
                fault = _unreachable(error, address, proxy)
            except TimeoutError:
                fault = PageUnavailable("timed_out", host=_host(address))
            except Garbled as error:
                raise PageUnavailable("not_http", host=_host(address)) from error
        raise fault or self._too_slow()

    def _receive(
        self,
        address: str,
        exchange: Exchange,
        deadline: Deadline,
        incoming: Incoming,
        beat: Callable[[], None],
    ) -> Fetched:
        media_type, charset = _content_type(exchange.headers.get("content-type", ""))
        fetched = Fetched(
            address,
            media_type,
            charset,
            exchange.headers.get("etag", ""),
            exchange.headers.get("last-modified", ""),
            exchange.status == NOT_MODIFIED,
        )
        if fetched.unchanged:
            return fetched
        limit = self._settings.upload_bytes
        length = exchange.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise TooLarge(limit=f"{limit // MB} MB")
        if exchange.unreadable:
            raise PageUnavailable("coding", host=_host(address))
        try:
            deadline.allow(IDLE_SECONDS)
            while piece := exchange.read():
                incoming.write(piece)
                if incoming.size > limit:
                    raise TooLarge(limit=f"{limit // MB} MB")
                beat()
                deadline.allow(IDLE_SECONDS)
        except TimeoutError as error:
            raise self._too_slow() from error
        except Broken as error:
            raise PageUnavailable("broken", host=_host(address)) from error
        return fetched

    def _too_slow(self) -> PageUnavailable:
        return PageUnavailable("too_slow", seconds=round(self._total_seconds))


def _conditions(known: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that ask for a page only where it has changed."""
    headers = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("last_modified")}
    return {name: value for name, value in headers.items() if value}


def _redirect(address: str, exchange: Exchange) -> str | None:
    location = exchange.headers.get("location", "")
    if exchange.status not in REDIRECTS or not location:
        return None
    try:
        return redirect_address(address, location)
    except InvalidRequest as error:
        raise PageUnavailable("bad_redirect", host=_host(address)) from error


def _require_success(address: str, exchange: Exchange, may_be_unchanged: bool) -> None:
    status = exchange.status
    if status in (200, 203) or (status == NOT_MODIFIED and may_be_unchanged):
        return
    detail = _STATUSES.get(status) or ("server" if status >= 500 else "status")
    raise PageUnavailable(
        detail,
        retry_after=_retry_after(exchange.headers.get("retry-after", "")),
        host=_host(address),
        status=status,
    )


def _retry_after(value: str) -> int | None:
    with suppress(ValueError):
        return min(max(int(value), 0), MOST_RETRY_SECONDS)
    return None


def _content_type(value: str) -> tuple[str, str]:
    """Return media type and charset of a Content-Type header, in lower case."""
    kind, *params = value.lower().split(";")
    named = dict(pair.partition("=")[::2] for pair in params)
    charset = next((v for name, v in named.items() if name.strip() == "charset"), "")
    return kind.strip(), charset.strip().strip("\"'")[:40]


def _unreachable(error: Unreachable, address: str, proxy: str) -> PageUnavailable:
    detail = "certificate" if error.certificate else "proxy" if proxy else "unreachable"
    return PageUnavailable(detail, host=_host(address))


def _host(address: str) -> str:
    return urlsplit(address).netloc


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
