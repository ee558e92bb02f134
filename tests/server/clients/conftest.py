"""The service for official clients of OpenAI's protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import HANDBOOK, MODELS, Access
from tests.support.modelserver import ModelServer
from tests.support.service import TOKEN, Service


@pytest.fixture(scope="package")
def access(
    service: Service, model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Access]:
    """The service with a supplier `wire` that has all models, and a knowledge base."""
    supplier = {"name": "wire", "base_url": model_server.base_url, "models": list(MODELS)}
    reply = service.post("/api/suppliers", supplier)
    assert reply.status == 201, reply.body
    handbook = Path(tmp_path_factory.mktemp("handbook"), "handbook.md")
    handbook.write_text(HANDBOOK)
    base = service.add_documents("Clients' handbook", handbook)
    listed = service.get("/v1/models").json["data"]
    [embedder] = [model["id"] for model in listed if model["id"].startswith("embedder/")]
    yield Access(f"{service.url}/v1", TOKEN, base, embedder)
    assert service.request("DELETE", f"/api/suppliers/{reply.json['id']}").status == 204
