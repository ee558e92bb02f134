"""Giving the space of deleted rows back: free pages of a database."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, text


def free_bytes(file: Path) -> int:
    """Return the size of an SQLite file's unused pages."""
    with closing(sqlite3.connect(file)) as connection:
        [pages] = connection.execute("PRAGMA freelist_count").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def rewrite(file: Path) -> None:
    """Write an SQLite file anew, without unused pages. Nothing else can write meanwhile.

    A killed one changes nothing. The temporary copy is made beside the file: in a container, /tmp
    may be memory.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        folder = str(file.parent).replace("'", "''")
        connection.execute(f"PRAGMA temp_store_directory = '{folder}'")
        connection.execute("VACUUM")


def reuse(engine: Engine) -> None:
    """Let PostgreSQL use the space of deleted rows again; others may write meanwhile."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
