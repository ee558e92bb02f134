"""Slow statements are logged without their values."""

import logging

import pytest
from sqlalchemy import text

from chatapp.settings import Settings
from chatapp.storage import slow_statements
from chatapp.storage.database import open_database
from chatapp.storage.slow_statements import MOST_CHARACTERS, log_slow_statements, shortened

SLOW = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"
    " SELECT count(*) FROM n WHERE i || :canary <> ''"
)


@pytest.mark.parametrize(("limit_ms", "lines"), [(0, 0), (1, 1), (1_000_000, 0)])
def test_a_slow_statement_is_logged_without_its_values(
    settings: Settings, caplog: pytest.LogCaptureFixture, limit_ms: int, lines: int
) -> None:
    database = open_database(settings.sql_url)
    log_slow_statements(database.engine, limit_ms)
    with caplog.at_level(logging.WARNING, slow_statements.log.name):
        database.read(lambda t: t.execute(SLOW, {"most": 200_000, "canary": "secret"}) and None)
    database.close()
    slow = [line for line in caplog.messages if "RECURSIVE" in line]  # BEGIN may be slow too
    assert len(slow) == lines
    assert all(line.startswith("slow statement ms=") for line in caplog.messages)
    assert not any("secret" in line or "200000" in line for line in caplog.messages)


def test_a_long_statement_becomes_a_short_line() -> None:
    line = shortened("SELECT\n  " + "x, " * 1000)
    assert "\n" not in line and len(line) == MOST_CHARACTERS + 1
