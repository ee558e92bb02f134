"""The comparison of a database with the models: SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from chatapp.storage import schema
from chatapp.storage.database import Database
from chatapp.storage.schema import Differences, differences
from tests.support.postgres import BOTH, empty_database


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


def found(database: Database) -> Differences:
    return database.read(lambda t: differences(t.connection()))


def test_what_differs_is_named(database: Database) -> None:
    assert found(database) == Differences((), (), ())
    for statement in (
        "DROP INDEX ix_files_status",
        "DROP TABLE shares",
        "ALTER TABLE sessions DROP COLUMN knowledge_options",
        "ALTER TABLE prompts RENAME COLUMN text TO body",
        "ALTER TABLE users ADD COLUMN shoe_size INTEGER",
        "ALTER TABLE users ADD COLUMN hat_size INTEGER NOT NULL DEFAULT 7",
    ):
        database.write(lambda t, each=statement: t.execute(text(each)) and None)  # type: ignore[misc]
    said = found(database)
    assert {*said.missing} == {"sessions.knowledge_options", "shares", "prompts.text"}
    assert (said.unexpected, said.indexes) == (("prompts.body",), ("ix_files_status",))


def test_all_tables_are_compared() -> None:
    modules = {path.stem for path in Path(schema.__file__).parent.glob("*_models.py")}
    assert modules <= {*vars(schema)}
