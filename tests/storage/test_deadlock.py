"""Deletions on PostgreSQL beside writes of the same rows, in another order."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.storage.database import open_database
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.service import PATIENCE_SECONDS

pytestmark = NEEDS_POSTGRES


def test_a_deletion_that_postgresql_rolls_back_is_repeated(postgres: str) -> None:
    database = open_database(postgres)
    make = "CREATE TABLE pairs AS SELECT n FROM generate_series(1, 2) AS n"
    database.write(lambda t: t.execute(text(make)) and None)
    both = threading.Barrier(2)
    tries: list[tuple[int, int]] = []

    def delete(*order: int) -> None:
        def rows(t: Session) -> None:
            first_time = order not in tries
            tries.append((order[0], order[1]))
            for n in order:
                t.execute(text(f"DELETE FROM pairs WHERE n = {n}"))
                if n == order[0] and first_time:
                    both.wait(PATIENCE_SECONDS)

        database.write_deletion(rows)

    other = threading.Thread(target=delete, args=(2, 1))
    other.start()
    try:
        delete(1, 2)
        other.join(PATIENCE_SECONDS)
        assert len(tries) >= 3, "PostgreSQL ends one of two that wait for each other"
        left = database.read(lambda t: t.execute(text("SELECT count(*) FROM pairs")).scalar())
        assert left == 0
    finally:
        database.write(lambda t: t.execute(text("DROP TABLE pairs")) and None)
        database.close()


def test_other_writes_are_not_repeated(postgres: str) -> None:
    """They may do more than write."""
    database = open_database(postgres)
    tried = []

    def fails(t: Session) -> None:
        tried.append(1)
        t.execute(text("SELECT no_such_function()"))

    with pytest.raises(Exception, match="no_such_function"):
        database.write_deletion(fails)
    assert tried == [1]
    database.close()
