"""A web server with pages by path, over HTTP or HTTPS, and a proxy that only tunnels."""

import contextlib
import datetime
import select
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]
Page = Answer | Callable[[BaseHTTPRequestHandler], None]


def page(html: str, **headers: str) -> Answer:
    """Return a page in HTML; `headers` are names with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return 200, {"Content-Type": "text/html; charset=utf-8"} | named, html.encode()


def to(location: str, status: int = 302) -> Answer:
    """Return a redirect."""
    return status, {"Location": location}, b""


class WebSite:
    """`with WebSite({"/": page("…")}) as site:`; other paths get 404. Listens on loopback.

    A page may be a function, which writes to the connection itself. `certificate` is for a name.
    """

    def __init__(self, pages: dict[str, Page], certificate: tuple[str, str] | None = None) -> None:
        self.pages = pages
        self.requests: list[tuple[str, Headers]] = []
        self.leave = threading.Event()  # set when the server ends
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.requests.append((self.path, dict(self.headers)))
                found = site.pages.get(self.path, (404, {}, b"nothing here"))
                if callable(found):
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        found(self)
                    return
                status, headers, body = found
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            context.sni_callback = lambda _, name, __: self.names.append(name)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.names: list[str | None] = []  # that TLS clients asked for
        self.port: int = self._server.server_port
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> "WebSite":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave.set()
        self._server.shutdown()
        self._server.server_close()


class TunnelProxy:
    """A proxy for CONNECT, which leads every tunnel to one port of this machine.

    `targets` are the places that it was asked for.
    """

    def __init__(self, port: int, status: str = "200 OK") -> None:
        self._port = port
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.targets: list[str] = []

    def __enter__(self) -> "TunnelProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.targets.append(head.split(b"\r\n")[0].decode())
            client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
            if not self._status.startswith("200"):
                return
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                while ready := select.select([client, server], [], [], 10)[0]:
                    for end in ready:
                        if not (data := end.recv(65536)):
                            return
                        (server if end is client else client).sendall(data)


def certificate_for(name: str, folder: Path) -> tuple[str, str]:
    """Make a self-signed certificate for a host name; return the files of it and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(certificate), str(private)
