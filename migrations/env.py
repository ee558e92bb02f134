"""Alembic's environment, for `chatapp.storage.migrate` and `flask db`."""

from alembic import context
from flask import current_app

from chatapp.knowledge.search.lexical import TABLES
from chatapp.storage.message_index import INDEX

migrations = current_app.extensions["migrate"]


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Skip the indexes of words: FTS5's tables and its shadow tables are no models."""
    return not (kind == "table" and name and name.startswith((TABLES, INDEX)))


with migrations.db.engine.connect() as connection:
    if connection.dialect.name == "sqlite":
        # A table that is made anew is dropped, which would delete the rows that refer to it. This
        # has no effect in a transaction, hence the driver's connection.
        connection.connection.execute("PRAGMA foreign_keys=OFF")
    context.configure(
        connection=connection,
        target_metadata=migrations.db.metadata,
        include_name=is_ours,
        **migrations.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
