"""The lexical index on SQLite: an FTS5 table over pre-tokenised text.

FTS5 finds the candidates. The table stores its tokens: a contentless FTS5 table cannot delete
before SQLite 3.43. Rows are written here and not by triggers.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.knowledge.search.bm25 import (
    SEARCHABLE_CHUNKS,
    Scope,
    Statistics,
    add_totals,
    expanding_text,
    prefixed,
    read_totals,
)

# The ascii tokeniser treats every non-ASCII code point as a letter, so only spaces separate our
# tokens.
STATEMENTS = (
    'CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5(tokens, tokenize = "ascii tokenchars '
    "'_'\")",
    "CREATE VIRTUAL TABLE IF NOT EXISTS lexical_terms USING fts5vocab(lexical, row)",
)
_HIDDEN_CHUNKS = (
    "SELECT c.id FROM chunks c JOIN files f ON f.id = c.file_id WHERE f.status NOT IN "
    "('embedding', 'ready')"
)


class FtsIndex:
    """The index in SQLite's FTS5."""

    def add(self, session: Session, base: int, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Add chunks by id, each with its tokens."""
        values = [
            {"id": key, "tokens": " ".join(prefixed(base, token) for token in held)}
            for key, held in rows
        ]
        if values:
            session.execute(
                text("INSERT INTO lexical (rowid, tokens) VALUES (:id, :tokens)"), values
            )
            add_totals(session, base, len(rows), sum(len(held) for _, held in rows))

    def remove(self, session: Session, base: int, chunk_ids: Sequence[int]) -> None:
        """Remove chunks."""
        ids = {"ids": list(chunk_ids)}
        held = (
            session.execute(
                expanding_text("SELECT tokens FROM lexical WHERE rowid IN :ids", "ids"), ids
            )
            .scalars()
            .all()
        )
        if held:
            session.execute(expanding_text("DELETE FROM lexical WHERE rowid IN :ids", "ids"), ids)
            add_totals(session, base, -len(held), -sum(len(tokens.split()) for tokens in held))

    def statistics(
        self, session: Session, bases: Sequence[int], tokens: Sequence[str]
    ) -> Statistics:
        """Return the counts needed to weigh the tokens, from FTS5's own vocabulary."""
        terms = [prefixed(base, token) for base in bases for token in tokens]
        query = expanding_text("SELECT term, doc FROM lexical_terms WHERE term IN :terms", "terms")
        frequencies: Counter[str] = Counter()
        for term, chunks in session.execute(query, {"terms": terms}):
            frequencies[term.partition("_")[2]] += chunks
        return Statistics(*read_totals(session, bases), frequencies)

    def candidates(
        self, session: Session, scope: Scope, statistics: Statistics, tokens: Sequence[str]
    ) -> Sequence[tuple[int, list[str]]]:
        """Return the most promising chunks by FTS5's rank, each with its prefixed tokens."""
        match = " OR ".join(
            f'"{prefixed(base, token)}"' for base in scope.bases for token in tokens
        )
        values: dict[str, object] = {"match": match, "limit": scope.limit}
        where, expanding = "", []
        # The unary plus keeps SQLite from querying FTS5 once for every row of the list.
        if scope.md5s is not None:
            where, expanding = f" AND +rowid IN ({SEARCHABLE_CHUNKS} AND f.md5 IN :md5s)", ["md5s"]
            values["md5s"] = list(scope.md5s)
        elif scope.unfinished:
            where = f" AND +rowid NOT IN ({_HIDDEN_CHUNKS})"
        query = (
            f"SELECT rowid, tokens FROM lexical WHERE lexical MATCH :match{where} ORDER BY rank "
            f"LIMIT :limit"
        )
        rows = session.execute(expanding_text(query, *expanding), values).all()
        return [(row.rowid, row.tokens.split(" ")) for row in rows]
