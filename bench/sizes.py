"""What the tables of an SQLite file take, with their indexes."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

MEGABYTE = 1e6


def table_sizes(file: Path) -> dict[str, float]:
    """Return the MB of each table, its indexes and what belongs to it, by name."""
    with closing(sqlite3.connect(file)) as connection:
        owners = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
        found: Counter[str] = Counter()
        for name, size in connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
            found[_family(owners.get(name, name))] += size
    return {name: size / MEGABYTE for name, size in found.most_common()}


def _family(name: str) -> str:
    """Return the virtual table that a table of FTS5 belongs to."""
    return next((one for one in ("message_index", "lexical") if name.startswith(f"{one}_")), name)
