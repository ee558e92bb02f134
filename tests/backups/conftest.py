"""Homes with data, and places for backups of them."""

from pathlib import Path

import pytest

from chatapp.settings import Settings
from tests.support.backups import fill


@pytest.fixture
def source(settings: Settings) -> tuple[Settings, list[Path]]:
    """A home with documents, a picture and a secret; and the files."""
    return settings, fill(settings)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for backups."""
    return tmp_path_factory.mktemp("backups")


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home that does not exist."""
    return Settings(home=tmp_path_factory.mktemp("machine") / "home")
