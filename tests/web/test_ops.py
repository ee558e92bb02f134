"""/readyz when no helper runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from chatapp import create_app
from chatapp import home as home_files
from chatapp.settings import Settings


def test_without_helpers_the_service_is_ready(settings: Settings) -> None:
    answer = create_app(replace(settings, embedder="off")).test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ready", "missing": ["helpers", "chroma"]}


def test_without_tables_the_service_is_not_ready(tmp_path: Path) -> None:
    answer = create_app(Settings(home=tmp_path, embedder="off")).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "status": "database_unusable",
        "missing": ["database", "helpers", "chroma"],
    }


@pytest.mark.skipif(home_files.model_folder() is None, reason="set-up made no model")
def test_a_missing_embedder_is_named_where_one_is_configured(settings: Settings) -> None:
    answer = create_app(settings).test_client().get("/readyz")
    assert answer.json == {"status": "ready", "missing": ["helpers", "chroma", "embedder"]}
