"""The lexical index for keyword search: chooses the implementation for the database.

Text is tokenised by core/text.py. The index's tables are no models; its rows and the bases' totals
change in the caller's transaction, which must also write the chunks.
"""

from sqlalchemy import Connection

from chatapp.knowledge.search import lexical_postgres, lexical_sqlite
from chatapp.knowledge.search.bm25 import LexicalIndex

TABLES = "lexical"  # prefix of the names of all tables of the index; Alembic ignores them


def index_for(sqlite: bool) -> LexicalIndex:
    """Return the index for SQLite, else for PostgreSQL."""
    return lexical_sqlite.FtsIndex() if sqlite else lexical_postgres.ArrayIndex()


def create_index(connection: Connection) -> None:
    """Create the index's tables where they are missing; called by the migration, repeatable."""
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in lexical_sqlite.STATEMENTS if is_sqlite else lexical_postgres.STATEMENTS:
        connection.exec_driver_sql(statement)
