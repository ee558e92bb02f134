"""Fixtures of the chains' tests: a model server, and ways to ask it."""

from collections.abc import Iterator

import pytest

from chatapp.chains.models import Models
from chatapp.settings import Settings
from tests.support.modelserver import ModelServer
from tests.support.supplier import Supplier


@pytest.fixture(scope="package")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def models() -> Iterator[Models]:
    made = Models(Settings(connect_seconds=2, first_token_seconds=5, idle_seconds=5))
    yield made
    made.close()


@pytest.fixture
def supplier(model_server: ModelServer, models: Models) -> Supplier:
    return Supplier(model_server, models)
