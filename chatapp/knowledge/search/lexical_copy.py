"""The lexical index as parts of a copy of the database (storage/copying.py).

Both databases store the tokens of each chunk, from which PostgreSQL's arrays follow. The document
frequencies are FTS5's own on SQLite, and the table `terms` on PostgreSQL.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from chatapp.storage.copying import Part, Row, is_sqlite, streamed, table_parts
from chatapp.storage.models import KnowledgeBase

_FTS = text("SELECT rowid, tokens FROM lexical ORDER BY rowid LIMIT -1 OFFSET :skip")
_ARRAYS = text(
    "SELECT chunk_id, tokens, terms, counts, length FROM lexical ORDER BY chunk_id OFFSET :skip"
)
_INTO_FTS = text("INSERT INTO lexical (rowid, tokens) VALUES (:id, :tokens)")
_INTO_ARRAYS = text(
    "INSERT INTO lexical (chunk_id, tokens, terms, counts, length) VALUES (:id, :tokens, :terms, "
    ":counts, :length)"
)
_FTS_TERMS = text("SELECT term, doc FROM lexical_terms ORDER BY term")
# As `prefixed` of bm25.py makes a token of what `counted` makes of it.
_TERMS = text(
    "SELECT CASE WHEN strpos(term, '_') = 0 THEN 'k' || base || '_' || term "
    'ELSE left(term, 1) || base || substr(term, 2) END COLLATE "C" AS held, df '
    "FROM terms ORDER BY held OFFSET :skip"
)
_INTO_TERMS = text("INSERT INTO terms (base, term, df) VALUES (:base, :term, :df)")


class LexicalPart:
    """The tokens of each chunk; rows are those of PostgreSQL."""

    name = "lexical"
    key_columns = 1

    def count(self, t: Session) -> int:
        """Return the number of rows."""
        return t.scalar(text("SELECT count(*) FROM lexical")) or 0

    def rows(self, t: Session, skip: int = 0) -> Iterator[Row]:
        """Yield key, tokens, terms, their counts and length of each chunk."""
        if not is_sqlite(t):
            return streamed(t, _ARRAYS, {"skip": skip})
        return (_as_arrays(*row) for row in streamed(t, _FTS, {"skip": skip}))

    def add(self, t: Session, rows: Sequence[Row]) -> None:
        """Insert rows."""
        names = ("id", "tokens", "terms", "counts", "length")
        if is_sqlite(t):
            t.execute(_INTO_FTS, [{"id": row[0], "tokens": row[1]} for row in rows])
        else:
            t.execute(_INTO_ARRAYS, [dict(zip(names, row, strict=True)) for row in rows])

    def finish(self, source: Session, target: Session) -> None:
        """Nothing remains."""


class TermsPart:
    """How many chunks contain each token; rows are the token with its base, and this number."""

    name = "terms"
    key_columns = 1

    def count(self, t: Session) -> int:
        """Return the number of rows."""
        return sum(1 for _ in self.rows(t))

    def rows(self, t: Session, skip: int = 0) -> Iterator[Row]:
        """Yield the tokens of bases that exist."""
        if not is_sqlite(t):
            return streamed(t, _TERMS, {"skip": skip})
        bases = set(t.scalars(select(KnowledgeBase.number)))
        found = (row for row in streamed(t, _FTS_TERMS) if _base(row[0]) in bases)
        return islice(found, skip, None)

    def add(self, t: Session, rows: Sequence[Row]) -> None:
        """Insert rows; FTS5 has counted them itself."""
        if not is_sqlite(t):
            values = [
                {"base": _base(held), "term": _counted(held), "df": chunks} for held, chunks in rows
            ]
            t.execute(_INTO_TERMS, values)

    def finish(self, source: Session, target: Session) -> None:
        """Nothing remains."""


def database_parts() -> list[Part]:
    """Return all parts of a database, in the order in which they are copied."""
    return [*table_parts(), LexicalPart(), TermsPart()]


def _as_arrays(key: int, tokens: str) -> Row:
    held = tokens.split()
    counts = Counter(held)
    return key, tokens, list(counts), list(counts.values()), len(held)


def _base(held: str) -> int:
    return int(held[1 : held.index("_")])


def _counted(held: str) -> str:
    """Return a token as a base's frequencies name it (`counted` of bm25.py)."""
    letter, token = held[0], held[held.index("_") + 1 :]
    return token if letter == "k" else f"{letter}_{token}"
