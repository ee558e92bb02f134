"""A reranking model behind the real service: its order, and the time limit under gevent."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.rerankserver import KEY, RerankServer
from tests.support.service import Service

pytestmark = pytest.mark.server

FILES = {
    "short.txt": "Employees get days of leave.",
    "long.txt": "Employees get days of leave, which they may also take in halves, in any month.",
}


def test_a_reranker_puts_passages_in_order_and_a_dripping_one_fails_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in FILES]
    for path in paths:
        path.write_text(FILES[path.name])
    with (
        RerankServer() as server,
        Service(
            tmp_path / "home",
            CHATAPP_RERANKER="some-reranker",
            CHATAPP_RERANKER_URL=server.base_url,
            CHATAPP_RERANKER_KEY=KEY,
        ) as service,
    ):
        base = service.add_documents("Rules", *paths)

        def search() -> list[tuple[str, Any]]:
            asked = {"query": "How many days of leave do employees get?"}
            items = service.post(f"/api/knowledge/{base}/search", asked).json["items"]
            return [(item["name"], item["by"].get("rerank")) for item in items]

        server.favourites = ("halves",)
        assert search() == [("long.txt", -1.0), ("short.txt", -2.0)]
        assert server.keys == [f"Bearer {KEY}"]
        assert service.get("/api/auth/me/stored").json["reranker"] == "some-reranker"
        server.mood = "drip"
        assert search() == [("short.txt", None), ("long.txt", None)]
        assert "reranking with some-reranker failed" in service.output()
        assert KEY not in service.output()
