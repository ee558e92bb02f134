"""Fixtures: knowledge bases without HTTP, and generated documents."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.settings import Settings
from tests.support import documents
from tests.support.shelf import Shelf, make_shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = make_shelf(Settings(home=tmp_path))
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def english_pdf() -> bytes:
    return documents.english_pdf()


@pytest.fixture(scope="session")
def chinese_pdf() -> bytes:
    return documents.chinese_pdf()
