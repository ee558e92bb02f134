"""Debian's nginx in front of a service, with its defaults unless a test says otherwise."""

import contextlib
import datetime
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatapp.child import die_with_parent
from tests.support.service import wait_for

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
needs_nginx = pytest.mark.skipif(
    NGINX is None and os.environ.get("CI") != "true", reason="needs nginx"
)
CONF = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {more}
}}
"""


@contextmanager
def nginx(folder: Path, port: int, more: str) -> Iterator[None]:
    """Run nginx with more lines of its `http` block, one server of which listens on the port."""
    assert NGINX is not None
    conf, log = folder / "nginx.conf", folder / "error.log"
    conf.write_text(CONF.format(folder=folder, more=more))
    with running([NGINX, "-c", str(conf), "-p", str(folder), "-e", str(log)], port, log):
        yield


@contextmanager
def running(command: list[str], port: int, log: Path, **environ: str) -> Iterator[None]:
    """Run a server that writes its faults into a file or to stderr; it listens on the port."""
    with open(log, "ab") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            stderr=said,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
    try:
        wait_for(lambda: process.poll() is not None or _listens(port), what="the proxy listens")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def server(port: int, block: str, address: str = "127.0.0.1", more: str = "") -> str:
    """Return a server that listens on a port."""
    return f"server {{ listen {address}:{port}{more}; {block} }}"


def make_certificate(folder: Path, name: str) -> str:
    """Make a certificate for a host; return nginx's lines for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;"


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
