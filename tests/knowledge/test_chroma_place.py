"""Vectors in a tenant and a database of their own, on a real Chroma server, with a token."""

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from chatapp.knowledge.chroma import CollectionMissing, VectorEntry, VectorIndex
from chatapp.settings import Settings
from tests.support.chroma import Chroma


def test_a_tenant_and_database_are_made_and_hold_vectors_apart(tmp_path: Path) -> None:
    with Chroma(tmp_path) as server:
        usual = Settings(home=tmp_path, chroma_url=server.url)
        own = replace(usual, chroma_tenant="acme", chroma_database="chat")
        index = VectorIndex.of(own, lambda: server.url)
        assert index.names("kb") == []
        index.create("kb_one")
        index.create("kb_two")
        index.upsert("kb_one", [VectorEntry(7, "m", b"\0\0\x80\x3f" * 4)])
        assert VectorIndex.of(own, lambda: server.url).chunk_ids("kb_one") == {7}
        assert sorted(index.names("kb")) == ["kb_one", "kb_two"]
        other = VectorIndex.of(usual, lambda: server.url)
        assert other.names("kb") == []
        with pytest.raises(CollectionMissing):
            other.count("kb_one")


def test_the_token_is_sent_to_the_configured_server_alone() -> None:
    seen: list[dict[str, str]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        for settings in (
            Settings(chroma_url=url, chroma_token="the-token"),
            Settings(chroma_token="the-token"),
        ):
            VectorIndex.of(settings, lambda: url).names("kb")
    finally:
        server.shutdown()
        server.server_close()
    configured, started_here = seen
    assert configured["authorization"] == "Bearer the-token"
    assert configured["x-chroma-token"] == "the-token"
    assert not {"authorization", "x-chroma-token"} & started_here.keys()
