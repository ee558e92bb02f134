"""Row 46: behind Debian's nginx, with default buffering and gzip on, tokens arrive one by one."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatapp.child import die_with_parent
from tests.faults.invariants import check
from tests.faults.reader import Reader
from tests.faults.stage import Stage
from tests.support.service import TOKEN, free_port, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(NGINX is None and os.environ.get("CI") != "true", reason="needs nginx"),
]
# buffering, sizes and time-outs keep their defaults; some have gzip on, some for all types
GZIP = {
    "gzip-as-usual": "",
    "gzip-for-everything": "gzip_types *; gzip_min_length 0; gzip_proxied any;",
}
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
    gzip on;
    {gzip}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{service}; }}
    }}
}}
"""


@pytest.fixture(params=list(GZIP))
def proxy(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[int]:
    """Start nginx before the service, and return its port."""
    assert NGINX is not None
    port = free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        CONF.format(
            folder=tmp_path, port=port, service=stage.service.port, gzip=GZIP[request.param]
        )
    )
    process = subprocess.Popen(
        [NGINX, "-c", str(conf), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")],
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),
    )
    try:
        wait_for(lambda: answers(port), what="nginx answers")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with (
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
        contextlib.suppress(OSError),
    ):
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


def test_behind_nginx_tokens_flow_one_by_one(stage: Stage, proxy: int) -> None:
    reader = Reader(stage.service, "proxy", llm_config=stage.config("numbered-60-20"))
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip",
    }
    with closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)) as connection:
        connection.request("POST", "/chat/stream", json.dumps(reader.body).encode(), headers)
        response = connection.getresponse()
        assert response.status == 200
        unpack = (
            zlib.decompressobj(wbits=31) if response.headers["Content-Encoding"] == "gzip" else None
        )
        body, came = b"", list[float]()
        while data := response.read1():
            if text := unpack.decompress(data) if unpack else data:
                body += text
                came.append(time.monotonic())
    (asked,) = stage.requests(reader.question)
    early = [at for at in came if at < asked.sent[-1]]
    assert len(early) > 10, "pieces arrive while the model still sends"
    reader.context = json.loads(body.split(b"data: ", 1)[1].split(b"\n", 1)[0])
    check(stage, reader)
    assert [int(number) for number in reader.text.split()] == list(range(60))
    assert reader.text == "".join(
        json.loads(block.partition(b"data: ")[2])["data"]
        for block in body.split(b"\n\n")
        if b'"type":"chunk"' in block
    )


def test_an_answer_is_resumed_through_nginx(stage: Stage, proxy: int) -> None:
    """nginx closes its connection to the service; the answer continues and can be resumed."""
    reader = Reader(stage.service, "proxy", llm_config=stage.config("numbered-60-30"))
    straight, stage.service.port = stage.service.port, proxy
    try:
        reader.ask(lambda each: len(each.text) > 20).follow()
        assert reader.ports and reader.end is not None
    finally:
        stage.service.port = straight
    assert check(stage, reader)["status"] == "complete"
