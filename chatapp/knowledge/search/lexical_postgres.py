"""The lexical index on PostgreSQL: an array of tokens per chunk with a GIN index.

The table `terms` stores the document frequencies, which FTS5 counts by itself. Candidates are the
chunks that contain a rare token of the question; the database sums BM25 over them and returns the
best.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chatapp.core.text import TOKENIZER
from chatapp.knowledge.search.bm25 import (
    K1,
    KEYS_PER_VERSION,
    SEARCHABLE_CHUNKS,
    VERSIONS,
    B,
    Scope,
    Statistics,
    add_totals,
    counted,
    keys_of,
    prefixed,
    read_totals,
    remove_totals,
)
from chatapp.storage.lexical_models import Term

NAMES = ("lexical",)
STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS lexical (chunk_id bigint PRIMARY KEY, terms text[] NOT NULL, "
    "counts int[] NOT NULL, "
    "length int NOT NULL, tokens text NOT NULL)",
    "CREATE INDEX IF NOT EXISTS ix_lexical_terms ON lexical USING gin (terms)",
)

_CANDIDATES = f"""
WITH asked AS (
        SELECT unnest(CAST(:terms AS text[])) AS term,
               unnest(CAST(:weights AS float8[])) AS weight),
     found AS (
        SELECT chunk_id, terms, counts, length FROM lexical
        WHERE terms && CAST(:rare AS text[]) {{where}}),
     best AS (
        SELECT f.chunk_id, sum(
            a.weight * n.count * ({K1} + 1)
            / (n.count + {K1} * (1 - {B} + {B} * f.length / :mean))
        ) AS score
        FROM found f JOIN asked a ON a.term = ANY (f.terms)
        CROSS JOIN LATERAL (
            SELECT f.counts[array_position(f.terms, a.term)] AS count) n
        GROUP BY f.chunk_id ORDER BY score DESC, f.chunk_id LIMIT :limit)
SELECT lexical.chunk_id, lexical.tokens FROM best JOIN lexical ON lexical.chunk_id = best.chunk_id
"""


class ArrayIndex:
    """The index as arrays of tokens."""

    def add(
        self,
        session: Session,
        base: int,
        rows: Sequence[tuple[int, list[str]]],
        version: int = TOKENIZER,
    ) -> None:
        """Add chunks by id, each with its tokens by a version of the tokenizer."""
        keys = keys_of(version)
        frequencies: Counter[str] = Counter()
        values = []
        for chunk_id, held in rows:
            counts = Counter(held)
            frequencies.update(counts.keys())
            tokens = " ".join(prefixed(base, token, version) for token in held)
            values.append(
                {
                    "id": keys[chunk_id],
                    "terms": [prefixed(base, token, version) for token in counts],
                    "counts": list(counts.values()),
                    "length": len(held),
                    "tokens": tokens,
                }
            )
        if values:
            into = (
                "INSERT INTO lexical (chunk_id, terms, counts, length, tokens) VALUES (:id, "
                ":terms, :counts, :length, :tokens)"
            )
            session.execute(text(into), values)
            # Update the base's row first: its lock keeps two writers from locking terms in
            # different orders.
            add_totals(session, base, version, len(rows), sum(len(held) for _, held in rows))
            self._count(session, base, version, frequencies)

    def remove(
        self,
        session: Session,
        base: int,
        chunk_ids: Sequence[int],
        versions: Sequence[int] = VERSIONS,
    ) -> None:
        """Remove chunks, or only what some versions of the tokenizer made of them."""
        gone = text(
            "DELETE FROM lexical WHERE chunk_id = ANY (:ids) RETURNING chunk_id, terms, length"
        )
        lengths: dict[int, int] = {}
        frequencies: dict[int, Counter[str]] = {}
        for version in versions:
            keys = keys_of(version)
            ids = [keys[chunk_id] for chunk_id in chunk_ids]
            rows = session.execute(gone, {"ids": ids}).all()
            if rows:
                lengths |= {row.chunk_id - keys.start: row.length for row in rows}
                frequencies[version] = _frequencies(row.terms for row in rows)
        if lengths:
            remove_totals(session, base, versions, lengths)  # first, as in `add`
            for version, found in frequencies.items():
                self._count(session, base, version, {token: -n for token, n in found.items()})
            unused = text("DELETE FROM terms WHERE base = :base AND df <= 0")
            session.execute(unused, {"base": base})

    def held(self, session: Session, chunk_ids: Sequence[int], version: int) -> set[int]:
        """Return which of these chunks have a row of a version."""
        keys = keys_of(version)
        query = text("SELECT chunk_id FROM lexical WHERE chunk_id = ANY (:ids)")
        rows = session.execute(query, {"ids": [keys[chunk_id] for chunk_id in chunk_ids]})
        return {key - keys.start for key in rows.scalars()}

    def any_of(self, session: Session, version: int, limit: int) -> Sequence[int]:
        """Return some chunks, of any base, that have a row of a version."""
        keys = keys_of(version)
        query = text(
            "SELECT chunk_id FROM lexical WHERE chunk_id >= :start AND chunk_id < :stop "
            "LIMIT :limit"
        )
        rows = session.execute(query, {"start": keys.start, "stop": keys.stop, "limit": limit})
        return [key - keys.start for key in rows.scalars()]

    def statistics(self, session: Session, scope: Scope, tokens: Sequence[str]) -> Statistics:
        """Return the counts needed to weigh the tokens."""
        query = text(
            "SELECT term, sum(df) AS df FROM terms WHERE base = ANY (:bases) AND term = ANY "
            "(:terms) GROUP BY term"
        )
        terms = {
            counted(spelled, version): token for _, version, spelled, token in scope.spelled(tokens)
        }
        rows = session.execute(query, {"bases": list(scope.bases), "terms": list(terms)})
        frequencies: Counter[str] = Counter()
        for row in rows:
            frequencies[terms[row.term]] += int(row.df)
        return Statistics(*read_totals(session, scope.bases), frequencies)

    def candidates(
        self,
        session: Session,
        scope: Scope,
        statistics: Statistics,
        tokens: Sequence[str],
        rare: Sequence[str],
    ) -> Sequence[tuple[int, list[str]]]:
        """Return the best of the chunks that contain a rare token."""
        chunk_id = f"chunk_id % {KEYS_PER_VERSION}"
        where = f"AND {chunk_id} IN ({SEARCHABLE_CHUNKS})" if scope.is_part else ""
        if scope.md5s is not None:
            where = f"AND {chunk_id} IN ({SEARCHABLE_CHUNKS} AND f.md5 = ANY (:md5s))"
        terms = scope.terms(tokens)
        values = {
            "terms": list(terms),
            "weights": [statistics.weight(token) for token in terms.values()],
            "rare": list(scope.terms(rare)),
            "mean": statistics.tokens / statistics.chunks,
            "limit": scope.limit,
            "md5s": list(scope.md5s or ()),
        }
        rows = session.execute(text(_CANDIDATES.format(where=where)), values)
        return [(row.chunk_id % KEYS_PER_VERSION, row.tokens.split(" ")) for row in rows]

    def _count(
        self, session: Session, base: int, version: int, frequencies: Mapping[str, int]
    ) -> None:
        """Add to the document frequencies, in the same order for all writers."""
        values = [
            {"base": base, "term": counted(token, version), "df": change}
            for token, change in sorted(frequencies.items())
        ]
        adding = insert(Term)
        session.execute(
            adding.on_conflict_do_update(
                index_elements=["base", "term"], set_={"df": Term.df + adding.excluded.df}
            ),
            values,
        )


def _frequencies(rows: Iterable[Sequence[str]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for terms in rows:
        counted.update(term.partition("_")[2] for term in terms)
    return counted
