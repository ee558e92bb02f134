"""Fixtures: knowledge bases without HTTP, and generated documents."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.settings import Settings
from chatapp.storage.models import Base
from tests.support import documents
from tests.support.postgres import BOTH
from tests.support.shelf import Shelf, make_shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = make_shelf(Settings(home=tmp_path))
    yield made
    made.database.close()


@pytest.fixture(params=BOTH)
def either_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """A shelf on each database."""
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else ""
    made = make_shelf(Settings(home=tmp_path, database_url=url))
    yield made
    if url:
        made.database.write(lambda t: t.connection().exec_driver_sql("DROP TABLE lexical") and None)
        Base.metadata.drop_all(made.database.engine)
    made.database.close()


@pytest.fixture(scope="session")
def english_pdf() -> bytes:
    return documents.english_pdf()


@pytest.fixture(scope="session")
def chinese_pdf() -> bytes:
    return documents.chinese_pdf()
