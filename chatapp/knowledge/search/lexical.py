"""The lexical index for keyword search: chooses the implementation for the database.

Text is tokenised by core/text.py. The index's tables are no models; its rows and the bases' totals
change in the caller's transaction, which must also write the chunks.
"""

from sqlalchemy import Connection, delete, inspect, update
from sqlalchemy.orm import Session

from chatapp.core.text import TOKENIZER
from chatapp.knowledge.search import lexical_postgres, lexical_sqlite
from chatapp.knowledge.search.bm25 import LexicalIndex
from chatapp.storage.lexical_models import Term
from chatapp.storage.models import KnowledgeBase

TABLES = "lexical"  # prefix of the names of all tables of the index; Alembic ignores them


def index_for(sqlite: bool) -> LexicalIndex:
    """Return the index for SQLite, else for PostgreSQL."""
    return lexical_sqlite.FtsIndex() if sqlite else lexical_postgres.ArrayIndex()


def create_index(connection: Connection) -> None:
    """Create the index's tables where they are missing; called by the migration, repeatable."""
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in lexical_sqlite.STATEMENTS if is_sqlite else lexical_postgres.STATEMENTS:
        connection.exec_driver_sql(statement)


def is_missing(connection: Connection) -> bool:
    """Return whether a table of the index is missing."""
    module = lexical_sqlite if connection.dialect.name == "sqlite" else lexical_postgres
    return not {*module.NAMES} <= {*inspect(connection).get_table_names()}


def restore_index(t: Session) -> None:
    """Create the index again, empty, and have the document worker fill it (retokenise.py).

    Until then, keyword search finds nothing in the bases.
    """
    create_index(t.connection())
    t.execute(delete(Term))
    # An earlier version of the tokenizer, of which there are no rows.
    t.execute(
        update(KnowledgeBase)
        .where(KnowledgeBase.tokenizer == TOKENIZER)
        .values(tokenizer=TOKENIZER - 1)
    )
