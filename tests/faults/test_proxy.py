"""Row 46: behind proxies, nginx with its defaults and gzip on too, tokens arrive one by one."""

import http.client
import json
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader
from tests.faults.stage import Stage
from tests.support.guide_proxies import KINDS, guide_proxy
from tests.support.nginx import needs_nginx, nginx, server
from tests.support.service import PATIENCE_SECONDS, TOKEN, free_port

pytestmark = [pytest.mark.server, needs_nginx]
# buffering, sizes and time-outs keep their defaults; some have gzip on, some for all types
GZIP = {
    "gzip-as-usual": "",
    "gzip-for-everything": "gzip_types *; gzip_min_length 0; gzip_proxied any;",
}


@pytest.fixture(params=list(GZIP))
def proxy(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[int]:
    """Start nginx before the service, and return its port."""
    port = free_port()
    location = f"location / {{ proxy_pass http://127.0.0.1:{stage.service.port}; }}"
    with nginx(tmp_path, port, f"gzip on; {GZIP[request.param]} {server(port, location)}"):
        yield port


def test_behind_nginx_tokens_flow_one_by_one(stage: Stage, proxy: int) -> None:
    assert_flows(stage, http.client.HTTPConnection("127.0.0.1", proxy, timeout=PATIENCE_SECONDS))


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_lines_of_the_guide_tokens_flow_one_by_one(
    stage: Stage, tmp_path: Path, kind: str
) -> None:
    port = free_port()
    unchecked = ssl._create_unverified_context()
    with guide_proxy(kind, tmp_path, "localhost", port, stage.service.port):
        assert_flows(
            stage,
            http.client.HTTPSConnection(
                "localhost", port, timeout=PATIENCE_SECONDS, context=unchecked
            ),
        )


def assert_flows(stage: Stage, through: http.client.HTTPConnection) -> None:
    """Check that pieces of a compressed stream arrive while the model still sends."""
    reader = Reader(stage.service, "proxy", llm_config=stage.patient("numbered-60-20"))
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip",
    }
    with closing(through) as connection:
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
    reader = Reader(stage.service, "proxy", llm_config=stage.patient("numbered-60-30"))
    straight, stage.service.port = stage.service.port, proxy
    try:
        reader.ask(lambda each: len(each.text) > 20).follow()
        assert reader.ports and reader.end is not None
    finally:
        stage.service.port = straight
    assert check(stage, reader)["status"] == "complete"
