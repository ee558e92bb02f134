"""The stand-in service, started in both ways; the document worker uses the knowledge shelf."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.knowledge.conftest import chinese_pdf, english_pdf, shelf
from tests.support.standins import StandIn

__all__ = ["chinese_pdf", "english_pdf", "service", "shelf"]


@pytest.fixture(params=["app", "gunicorn"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn]:
    """A service that is started by `python app.py`, and one that is started by gunicorn."""
    made = StandIn(tmp_path / "service", request.param)
    yield made
    made.kill_everything()
