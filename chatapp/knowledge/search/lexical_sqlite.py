"""The lexical index on SQLite: an FTS5 table over pre-tokenised text.

FTS5 finds the candidates. The table stores its tokens: a contentless FTS5 table cannot delete
before SQLite 3.43. Rows are written here and not by triggers.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.core.text import TOKENIZER
from chatapp.knowledge.ingest.jobs import HIDDEN
from chatapp.knowledge.search.bm25 import (
    KEYS_PER_VERSION,
    SEARCHABLE_CHUNKS,
    VERSIONS,
    Scope,
    Statistics,
    add_totals,
    expanding_text,
    keys_of,
    prefixed,
    read_totals,
    remove_totals,
)

NAMES = ("lexical", "lexical_terms")
# The ascii tokeniser treats every non-ASCII code point as a letter, so only spaces separate our
# tokens.
STATEMENTS = (
    'CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5(tokens, tokenize = "ascii tokenchars '
    "'_'\")",
    "CREATE VIRTUAL TABLE IF NOT EXISTS lexical_terms USING fts5vocab(lexical, row)",
)
_CHUNK_ID = f"rowid % {KEYS_PER_VERSION}"
_RANKED = "SELECT rowid, tokens FROM lexical WHERE lexical MATCH :match ORDER BY rank LIMIT :limit"
# `ORDER BY rank` ranks rows before any other condition, `+rank` after. A list as condition on the
# bare rowid would query FTS5 once for every row of the list.
_RANKED_VISIBLE = (
    "SELECT rowid, tokens FROM lexical WHERE lexical MATCH :match "
    f"AND {_CHUNK_ID} NOT IN (SELECT c.id FROM chunks c JOIN files f ON f.id = c.file_id "
    f"WHERE f.status IN {HIDDEN}) ORDER BY +rank LIMIT :limit"
)
# The ids of a file are close together, so the range skips most other chunks.
_RANKED_OF_FILES = (
    f"WITH asked (id) AS MATERIALIZED ({SEARCHABLE_CHUNKS} AND f.md5 IN :md5s) "
    "SELECT rowid, tokens FROM lexical WHERE lexical MATCH :match "
    "AND rowid BETWEEN :first + (SELECT min(id) FROM asked) "
    "AND :last + (SELECT max(id) FROM asked) "
    f"AND {_CHUNK_ID} IN (SELECT id FROM asked) ORDER BY +rank LIMIT :limit"
)


class FtsIndex:
    """The index in SQLite's FTS5."""

    def add(
        self,
        session: Session,
        base: int,
        rows: Sequence[tuple[int, list[str]]],
        version: int = TOKENIZER,
    ) -> None:
        """Add chunks by id, each with its tokens by a version of the tokenizer."""
        keys = keys_of(version)
        values = [
            {
                "id": keys[chunk_id],
                "tokens": " ".join(prefixed(base, token, version) for token in held),
            }
            for chunk_id, held in rows
        ]
        if values:
            session.execute(
                text("INSERT INTO lexical (rowid, tokens) VALUES (:id, :tokens)"), values
            )
            add_totals(session, base, version, len(rows), sum(len(held) for _, held in rows))

    def remove(
        self,
        session: Session,
        base: int,
        chunk_ids: Sequence[int],
        versions: Sequence[int] = VERSIONS,
    ) -> None:
        """Remove chunks, or only what some versions of the tokenizer made of them."""
        lengths: dict[int, int] = {}
        for version in versions:
            keys = keys_of(version)
            ids = {"ids": [keys[chunk_id] for chunk_id in chunk_ids]}
            rows = expanding_text("SELECT rowid, tokens FROM lexical WHERE rowid IN :ids", "ids")
            held = session.execute(rows, ids).all()
            lengths |= {row.rowid - keys.start: len(row.tokens.split()) for row in held}
            if held:
                gone = expanding_text("DELETE FROM lexical WHERE rowid IN :ids", "ids")
                session.execute(gone, ids)
        if lengths:
            remove_totals(session, base, versions, lengths)

    def held(self, session: Session, chunk_ids: Sequence[int], version: int) -> set[int]:
        """Return which of these chunks have a row of a version."""
        keys = keys_of(version)
        query = expanding_text("SELECT rowid FROM lexical WHERE rowid IN :ids", "ids")
        rows = session.execute(query, {"ids": [keys[chunk_id] for chunk_id in chunk_ids]})
        return {key - keys.start for key in rows.scalars()}

    def any_of(self, session: Session, version: int, limit: int) -> Sequence[int]:
        """Return some chunks, of any base, that have a row of a version."""
        keys = keys_of(version)
        query = text(
            "SELECT rowid FROM lexical WHERE rowid >= :start AND rowid < :stop LIMIT :limit"
        )
        rows = session.execute(query, {"start": keys.start, "stop": keys.stop, "limit": limit})
        return [key - keys.start for key in rows.scalars()]

    def statistics(self, session: Session, scope: Scope, tokens: Sequence[str]) -> Statistics:
        """Return the counts needed to weigh the tokens, from FTS5's own vocabulary."""
        terms = scope.terms(tokens)
        query = expanding_text("SELECT term, doc FROM lexical_terms WHERE term IN :terms", "terms")
        frequencies: Counter[str] = Counter()
        for term, chunks in session.execute(query, {"terms": list(terms)}):
            frequencies[terms[term]] += chunks
        return Statistics(*read_totals(session, scope.bases), frequencies)

    def candidates(
        self,
        session: Session,
        scope: Scope,
        statistics: Statistics,
        tokens: Sequence[str],
        rare: Sequence[str],
    ) -> Sequence[tuple[int, list[str]]]:
        """Return the best by FTS5's rank of the chunks that contain a rare token."""
        match = _any(scope.terms(rare))
        if len(rare) < len(tokens):
            # The second part excludes nothing, but the other tokens count for the rank.
            match = f"({match}) AND ({_any(scope.terms(tokens))})"
        values: dict[str, object] = {"match": match, "limit": scope.limit}
        query, expanding = _RANKED, []
        if scope.md5s is not None:
            query, expanding = _RANKED_OF_FILES, ["md5s"]
            versions = {scope.versions.get(base, TOKENIZER) for base in scope.bases}
            values["md5s"] = list(scope.md5s)
            values["first"] = keys_of(min(versions)).start
            values["last"] = keys_of(max(versions)).start
        elif scope.unfinished:
            query = _RANKED_VISIBLE
        rows = session.execute(expanding_text(query, *expanding), values).all()
        return [(row.rowid % KEYS_PER_VERSION, row.tokens.split(" ")) for row in rows]


def _any(terms: Iterable[str]) -> str:
    return " OR ".join(f'"{term}"' for term in terms)
