"""Fetching a page over real connections: what is checked, what is limited, what goes wrong."""

import gzip
import socket
import zlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chatapp.addresses import Reachable, parse_reachable
from chatapp.errors import ChatAppError, PageUnavailable
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.web_pages.download import MOST_REDIRECTS, Downloads, Fetched
from chatapp.knowledge.web_pages.guard import Guard
from chatapp.settings import MB, Settings
from tests.support.websites import TunnelProxy, WebSite, certificate_for, page, to

LOOPBACK = parse_reachable("127.0.0.0/8")
PUBLIC = "93.184.216.34"


class Fetcher:
    """Fetches into a folder, and keeps the bytes."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._settings = Settings(**{"home": folder, "upload_bytes": MB, **options})
        self._originals = Originals(folder / "originals", self._settings.upload_bytes)
        self.resolve: Any = None
        self.allowed = LOOPBACK
        self.seconds = 20.0
        self.beats = 0
        self.body = b""

    def fetch(self, address: str, known: dict[str, str] | None = None) -> Fetched:
        guard = Guard(self.allowed, self.resolve) if self.resolve else Guard(self.allowed)
        incoming = self._originals.incoming()
        try:
            found = Downloads(self._settings, guard, self.seconds).fetch(
                address, incoming, self.beat, known
            )
            if not found.unchanged:
                self.body = self._originals_bytes(incoming)
            return found
        finally:
            incoming.discard()

    def _originals_bytes(self, incoming: Any) -> bytes:
        incoming.finish()
        return incoming.path.read_bytes()

    def beat(self) -> None:
        self.beats += 1

    def reason(self, address: str) -> str:
        with pytest.raises(ChatAppError) as caught:
            self.fetch(address)
        return str(caught.value.key.removeprefix("error.page_unavailable."))


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path)


def resolving(**names: str | list[str]) -> Any:
    """Return a resolver of these names (`_` for `.`), with an address for each call in turn."""
    asked: dict[str, int] = {}

    def resolve(host: str, port: int, seconds: float) -> list[Any]:
        found = names[host.replace(".", "_")]
        turn = asked[host] = asked.get(host, -1) + 1
        address = found if isinstance(found, str) else found[min(turn, len(found) - 1)]
        return [(0, 0, 0, "", (address, port))]

    return resolve


def test_a_page_arrives_with_what_its_server_says(fetcher: Fetcher) -> None:
    with WebSite({"/a?b=c": page("<p>Hello", ETag='"1"', Last_Modified="yesterday")}) as site:
        found = fetcher.fetch(f"{site.url}/a?b=c")
    assert (found.media_type, found.charset) == ("text/html", "utf-8")
    assert (found.etag, found.last_modified) == ('"1"', "yesterday")
    assert fetcher.body == b"<p>Hello"
    _, headers = site.requests[0]
    assert "chatapp" in headers["User-Agent"]
    assert headers["Host"] == f"127.0.0.1:{site.port}"
    assert "Cookie" not in headers


def test_a_private_address_is_never_connected_to(fetcher: Fetcher) -> None:
    fetcher.allowed = Reachable()
    fetcher.resolve = resolving(inside_example="127.0.0.1")
    with WebSite({"/": page("secret")}) as site:
        assert fetcher.reason(f"{site.url}/") == "not_public"
        assert fetcher.reason(f"http://inside.example:{site.port}/") == "not_public"
        assert not site.requests


def test_a_name_is_resolved_once_and_the_checked_address_is_used(fetcher: Fetcher) -> None:
    """A name server that answers first with an allowed address, then with another."""
    fetcher.allowed = parse_reachable("127.0.0.1")
    fetcher.resolve = resolving(twofaced_example=["127.0.0.1", "127.0.0.2"])
    with WebSite({"/": page("as checked")}) as site:
        fetcher.fetch(f"http://twofaced.example:{site.port}/")
        assert fetcher.body == b"as checked"
        assert fetcher.reason(f"http://twofaced.example:{site.port}/") == "not_public"
    assert len(site.requests) == 1
    assert site.requests[0][1]["Host"] == f"twofaced.example:{site.port}"


def test_redirects_are_followed_and_checked_alike(fetcher: Fetcher) -> None:
    fetcher.allowed = parse_reachable("127.0.0.1")
    pages = {
        "/old": to("new/", 301),
        "/new/": page("here"),
        "/inside": to("http://127.0.0.2/admin"),
        "/meta": to("http://169.254.169.254/latest/meta-data"),
        "/file": to("file:///etc/passwd"),
        "/credentials": to("http://a:b@127.0.0.1/"),
        "/nowhere": (302, {}, b""),
        **{f"/{n}": to(f"/{n + 1}") for n in range(MOST_REDIRECTS + 2)},
    }
    with WebSite(pages) as site:
        assert fetcher.fetch(f"{site.url}/old").address == f"{site.url}/new/"
        assert fetcher.body == b"here"
        assert fetcher.reason(f"{site.url}/inside") == "not_public"
        assert fetcher.reason(f"{site.url}/meta") == "not_public"
        assert fetcher.reason(f"{site.url}/file") == "bad_redirect"
        assert fetcher.reason(f"{site.url}/credentials") == "bad_redirect"
        assert fetcher.reason(f"{site.url}/nowhere") == "status"
        before = len(site.requests)
        assert fetcher.reason(f"{site.url}/0") == "redirects"
        assert len(site.requests) - before == MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "login"), (403, "forbidden"), (404, "gone"), (410, "gone"), (418, "status"),
     (429, "busy"), (451, "forbidden"), (500, "server"), (503, "server"), (204, "status")],
)  # fmt: skip
def test_each_status_has_its_reason(fetcher: Fetcher, status: int, reason: str) -> None:
    answer = (status, {"Retry-After": "7"}, b"")
    with WebSite({"/": answer}) as site, pytest.raises(PageUnavailable) as caught:
        fetcher.fetch(f"{site.url}/")
    assert caught.value.detail == reason
    assert caught.value.params["status"] == status
    assert caught.value.passing == (status in (429, 500, 503))
    assert caught.value.retry_after == 7


def test_a_body_beyond_the_limit_is_not_read_to_its_end(fetcher: Fetcher) -> None:
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            handler.wfile.write(b"x" * 64 * 1024)
            sent.append(64 * 1024)

    bomb = gzip.compress(bytes(50 * MB))
    stacked = gzip.compress(gzip.compress(bytes(50 * MB)))
    pages: dict[str, Any] = {
        "/endless": endless,
        "/says": (200, {"Content-Length": str(10**12)}, b"x"),
        "/bomb": (200, {"Content-Encoding": "gzip"}, bomb),
        "/stacked": (200, {"Content-Encoding": "gzip, gzip"}, stacked),
        "/deflate": (200, {"Content-Encoding": "deflate"}, zlib.compress(bytes(50 * MB))),
        "/zip": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"<p>small")),
    }
    with WebSite(pages) as site:
        for path in ("/endless", "/says", "/bomb", "/stacked", "/deflate"):
            assert fetcher.reason(site.url + path) == "error.too_large", path
        fetcher.fetch(f"{site.url}/zip")
    assert fetcher.body == b"<p>small"
    assert sum(sent) < 64 * MB


def raw(data: bytes) -> Any:
    return lambda handler: handler.wfile.write(data)


def test_a_broken_response_has_its_reason(fetcher: Fetcher) -> None:
    pages: dict[str, Any] = {
        "/short": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"),
        "/chunks": raw(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n9\r\nx"
        ),
        "/none": raw(b""),
        "/greeting": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        "/head": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
        "/coding": (200, {"Content-Encoding": "br"}, b"?"),
        "/wrong": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"word" * 999)[:40]),
    }
    with WebSite(pages) as site:
        assert fetcher.reason(f"{site.url}/short") == "broken"
        assert fetcher.reason(f"{site.url}/chunks") == "broken"
        assert fetcher.reason(f"{site.url}/none") == "unreachable"
        assert fetcher.reason(f"{site.url}/greeting") == "not_http"
        assert fetcher.reason(f"{site.url}/head") == "not_http"
        assert fetcher.reason(f"{site.url}/coding") == "coding"
        assert fetcher.reason(f"{site.url}/wrong") == "broken"


def test_a_server_that_drips_is_left_at_the_time_limit(fetcher: Fetcher) -> None:
    fetcher.seconds = 0.5

    def drip(head: bytes) -> Any:
        def send(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(head)
            while not site.leave.wait(0.01):
                handler.wfile.write(b"x")

        return send

    pages = {
        "/body": drip(b"HTTP/1.1 200 OK\r\n\r\n"),
        "/head": drip(b"HTTP/1.1 200 OK\r\nX-"),
        "/silent": lambda handler: site.leave.wait(),
    }
    with WebSite(pages) as site:
        assert fetcher.reason(f"{site.url}/body") == "too_slow"
        assert fetcher.reason(f"{site.url}/head") in ("timed_out", "too_slow")
        assert fetcher.reason(f"{site.url}/silent") in ("timed_out", "too_slow")


def test_what_cannot_be_reached_has_its_reason(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert fetcher.reason(f"http://127.0.0.1:{port}/") == "unreachable"

    def failing(error: OSError) -> Any:
        def resolve(*_: Any) -> Any:
            raise error

        return resolve

    fetcher.resolve = failing(socket.gaierror(socket.EAI_NONAME, "unknown"))
    assert fetcher.reason("http://nowhere.example/") == "no_host"
    fetcher.resolve = failing(socket.gaierror(socket.EAI_AGAIN, "later"))
    assert fetcher.reason("http://nowhere.example/") == "names"
    fetcher.resolve = failing(TimeoutError("getaddrinfo"))
    assert fetcher.reason("http://nowhere.example/") == "names"


def test_the_next_address_of_a_name_is_tried(fetcher: Fetcher) -> None:
    fetcher.resolve = lambda host, port, seconds: [
        (0, 0, 0, "", (address, port)) for address in ("127.0.0.9", "127.0.0.1")
    ]
    with WebSite({"/": page("second")}) as site:
        fetcher.fetch(f"http://two.example:{site.port}/")
    assert fetcher.body == b"second"


def test_tls_is_verified_by_the_name(tmp_path: Path) -> None:
    files = certificate_for("page.example", tmp_path)
    fetcher = Fetcher(tmp_path, ca_file=files[0])
    fetcher.resolve = resolving(page_example="127.0.0.1", other_example="127.0.0.1")
    with WebSite({"/": page("verified")}, files) as site:
        fetcher.fetch(f"https://page.example:{site.port}/")
        assert fetcher.body == b"verified"
        assert site.names == ["page.example"]
        assert fetcher.reason(f"https://other.example:{site.port}/") == "certificate"
        assert fetcher.reason(f"https://127.0.0.1:{site.port}/") == "certificate"
        distrusting = Fetcher(tmp_path)
        distrusting.resolve = fetcher.resolve
        assert distrusting.reason(f"https://page.example:{site.port}/") == "certificate"


def test_a_proxy_gets_the_checked_address_and_tls_the_name(tmp_path: Path) -> None:
    files = certificate_for("page.example", tmp_path)
    with (
        WebSite({"/": page("by TLS")}, files) as secure,
        WebSite({"/": page("in plain")}) as plain,
        TunnelProxy(secure.port) as to_secure,
        TunnelProxy(plain.port) as to_plain,
        TunnelProxy(plain.port, "403 Forbidden") as refusing,
    ):
        for site, proxy, address, port in (
            (secure, to_secure, "https://page.example/", 443),
            (plain, to_plain, "http://page.example/", 80),
        ):
            fetcher = Fetcher(tmp_path, ca_file=files[0], proxy=proxy.url)
            fetcher.resolve = resolving(page_example=PUBLIC)
            fetcher.fetch(address)
            assert fetcher.body in (b"by TLS", b"in plain")
            assert proxy.targets == [f"CONNECT {PUBLIC}:{port} HTTP/1.0"]
            assert site.requests[0][1]["Host"] == "page.example"
        assert secure.names == ["page.example"]
        fetcher = Fetcher(tmp_path, proxy=refusing.url)
        fetcher.resolve = resolving(page_example=PUBLIC, inside_example="192.168.0.1")
        assert fetcher.reason("https://page.example/") == "proxy"
        assert fetcher.reason("https://inside.example/") == "not_public"
        assert len(refusing.targets) == 1


def test_an_unchanged_page_is_not_sent_again(fetcher: Fetcher) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        same = handler.headers["If-None-Match"] == '"1"'
        handler.wfile.write(
            b"HTTP/1.1 304 Not Modified\r\n\r\n" if same else b"HTTP/1.1 500 \r\n\r\n"
        )

    with WebSite({"/": answer, "/always": (304, {}, b"")}) as site:
        assert fetcher.reason(f"{site.url}/always") == "status"
        assert fetcher.fetch(f"{site.url}/", {"etag": '"1"'}).unchanged
        assert fetcher.reason(f"{site.url}/") == "server"


def test_a_fetch_ends_when_its_caller_says_so(fetcher: Fetcher) -> None:
    class Enough(Exception):
        pass

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not site.leave.wait(0.005):
            handler.wfile.write(b"x")

    def beat() -> None:
        fetcher.beats += 1
        if fetcher.beats > 5:
            raise Enough

    fetcher.beat = beat  # type: ignore[method-assign]
    with WebSite({"/": drip}) as site, pytest.raises(Enough):
        fetcher.fetch(f"{site.url}/")
