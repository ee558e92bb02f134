"""Uploads through the test client, processed in this process."""

from io import BytesIO
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.search.lexical import index_for
from chatapp.settings import Settings
from chatapp.web.services import Services
from tests.support.shelf import parse_here

TEXT = b"# Leave\n\nEmployees get 25 days of paid leave in a year."


def upload(client: FlaskClient, base: str, *files: tuple[str, bytes], **headers: str) -> Any:
    data = {"files": [(BytesIO(content), name) for name, content in files]}
    return client.post(
        f"/api/knowledge/{base}/files",
        data=data,
        content_type="multipart/form-data",
        headers=headers,
    )


def work(services: Services) -> None:
    originals = services.knowledge.originals
    ingest = Ingest(services.database, index_for(services.database.sqlite), originals, parse_here)
    while job := ingest.claim("a worker"):
        ingest.read(job)


def left(settings: Settings) -> list[Path]:
    return [path for path in (settings.home / "originals").rglob("*") if path.is_file()]
