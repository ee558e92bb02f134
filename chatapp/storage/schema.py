"""Compares the real schema of a database with the models, on SQLite and PostgreSQL.

Migrations make what the models say; a test holds this. A database differs after somebody changed it
by hand, or where a migration was edited after a home had run it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Index, Inspector, Table, UniqueConstraint, inspect

from chatapp.storage import (  # noqa: F401  their tables belong to the metadata
    audit_models,
    chat_models,
    host_models,
    image_models,
    lexical_models,
    message_models,
    sharing_models,
    sign_in_models,
    text_models,
    usage_models,
)
from chatapp.storage.models import Base


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs, by name: `sessions.title` is a column, `sessions` a table.

    Statements fail without `missing` columns and tables, and where a column that no model has must
    not be NULL (`unexpected`). Without `indexes`, the names of which include those of unique
    constraints, they are slow, or rows are stored twice.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    indexes: tuple[str, ...]


def differences(connection: Connection) -> Differences:
    """Return how a database differs from the models."""
    found = inspect(connection)
    tables = set(found.get_table_names())
    missing, unexpected, indexes = [], [], []
    for table in Base.metadata.sorted_tables:
        if table.name not in tables:
            missing.append(table.name)
            continue
        columns = {column["name"]: column for column in found.get_columns(table.name)}
        missing += [f"{table.name}.{c.name}" for c in table.columns if c.name not in columns]
        unexpected += [
            f"{table.name}.{name}"
            for name, column in columns.items()
            if name not in table.c and not column["nullable"] and column["default"] is None
        ]
        indexes += _missing_indexes(found, table)
    return Differences(tuple(missing), tuple(unexpected), tuple(indexes))


def _missing_indexes(found: Inspector, table: Table) -> list[str]:
    """Return the names of missing indexes and unique constraints.

    One on the same columns does: two migrations have chosen other names than the models.
    """
    there: list[Any] = [*found.get_indexes(table.name)]
    there += found.get_unique_constraints(table.name)
    names = {each["name"] for each in there}
    columns = {tuple(each["column_names"]) for each in there}
    unique = (each for each in table.constraints if isinstance(each, UniqueConstraint))
    wanted: list[Index | UniqueConstraint] = [*table.indexes, *unique]
    return sorted(
        str(each.name)
        for each in wanted
        if each.name not in names and tuple(column.name for column in each.columns) not in columns
    )
