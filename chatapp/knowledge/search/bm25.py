"""What the lexical indexes of all databases share: what they can do, and BM25 over what they find.

Every token carries its base's number (`k12_leave`): that is eight times faster than joining the base in, and lets each base
keep its own frequencies. FTS5 counts all rows of all bases as one collection, so whichever index found the candidates, they
are scored here with the frequencies of the bases that were asked: alike results everywhere.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.orm import Session

from chatapp.core.ranking import in_order, proximity
from chatapp.core.text import HEADING_JOINT, index_tokens
from chatapp.stems import stem
from chatapp.storage.models import KnowledgeBase

K1 = 1.2
B = 0.75
SEARCHABLE_CHUNKS = "SELECT c.id FROM chunks c JOIN files f ON f.id = c.file_id WHERE f.status IN ('embedding', 'ready')"
CANDIDATES = 100
SMOOTHING_CHUNKS, SMOOTHING_FREQUENCY = 200, 4
CHANCE_PER_LOG_CHUNK, MAX_CHANCE = (
    0.05,
    0.5,
)  # measured on bases of 10 to 1,500 chunks in both languages
MAX_QUERY_TOKENS = 400  # of a question are looked up at all,
MAX_SEARCHED_TOKENS = 48  # and the rarest of them are searched for
_TOTALS = select(func.sum(KnowledgeBase.chunks), func.sum(KnowledgeBase.tokens)).where(
    KnowledgeBase.number.in_(bindparam("bases", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that holds tokens of the question: its BM25 score; how near they stand, and how many as they were asked (0..1)."""

    chunk_id: int
    score: float
    proximity: float
    in_order: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search brought: matches, best first; what each token of the question tells; what chance would have found."""

    matches: list[Match]
    evidence: dict[str, float]
    chance: float


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search: numbers of bases; None or the md5s of files; whether files in work have to be kept out."""

    bases: tuple[int, ...]
    md5s: tuple[str, ...] | None = None
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the asked bases hold: chunks, tokens, and in how many chunks each token of the question stands."""

    chunks: int
    tokens: int
    frequencies: Mapping[str, int]

    def weight(self, token: str) -> float:
        """Return a token's idf, as Lucene writes it: never negative."""
        frequency = min(self.frequencies.get(token, 0), self.chunks)
        return math.log(1 + (self.chunks - frequency + 0.5) / (frequency + 0.5))

    def evidence(self, token: str) -> float:
        """Return how much it tells that a text holds a token: its idf, were there some more chunks about other things.

        In a base of a few pages about one thing, the words for that thing stand everywhere and would tell nothing.
        """
        frequency = min(self.frequencies.get(token, 0), self.chunks)
        return math.log((self.chunks + SMOOTHING_CHUNKS) / (frequency + SMOOTHING_FREQUENCY))

    def chance(self) -> float:
        """Return which share of any question some chunk covers by chance: the more chunks, the more."""
        return min(MAX_CHANCE, CHANCE_PER_LOG_CHUNK * math.log(max(self.chunks, 1)))


class LexicalIndex(Protocol):
    """What every database's index can do."""

    def add(self, session: Session, base: int, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Add chunks by id, each with its tokens."""

    def remove(self, session: Session, base: int, chunk_ids: Sequence[int]) -> None:
        """Forget chunks."""

    def statistics(
        self, session: Session, bases: Sequence[int], tokens: Sequence[str]
    ) -> Statistics:
        """Count what weighs the tokens."""

    def candidates(
        self, session: Session, scope: Scope, statistics: Statistics, tokens: Sequence[str]
    ) -> Sequence[tuple[int, list[str]]]:
        """Return the most promising chunks, each with its tokens, base's number before each."""


def tokens_of(title: str, heading: str, body: str) -> list[str]:
    """Return the tokens a chunk is found by: those of its text, its headings and its file's name.

    The heading just above keeps its stop words, since some consist of nothing else: "What can you do?"
    """
    above, _, title_of = heading.rpartition(HEADING_JOINT)
    of_heading = [*index_tokens(above, stem), *index_tokens(title_of, stem, frozenset())]
    return [*index_tokens(title, stem), *of_heading, *index_tokens(body, stem)]


def search(
    index: LexicalIndex,
    session: Session,
    scope: Scope,
    asked: Sequence[str],
    limit: int = CANDIDATES,
) -> SearchResult:
    """Return the best matches, best first.

    BM25 with k1 1.2 and b .75 (Robertson and Zaragoza, 2009); ties go to the earlier chunk.
    """
    tokens = list(dict.fromkeys(asked))[:MAX_QUERY_TOKENS]
    if not tokens or not scope.bases:
        return SearchResult([], {}, 0.0)
    statistics = index.statistics(session, scope.bases, tokens)
    evidence, chance = {token: statistics.evidence(token) for token in tokens}, statistics.chance()
    weights = {token: statistics.weight(token) for token in tokens}
    known = sorted(
        (token for token in tokens if statistics.frequencies.get(token)),
        key=lambda token: -weights[token],
    )
    if not known or not statistics.chunks:
        return SearchResult([], evidence, chance)
    rows = index.candidates(session, scope, statistics, known[:MAX_SEARCHED_TOKENS])
    plain = {prefixed(base, token): token for base in scope.bases for token in weights}
    mean = statistics.tokens / statistics.chunks
    order = [token for token in asked if token in weights]
    matches = [_match(key, held, plain, weights, order, mean) for key, held in rows]
    matches.sort(key=lambda match: (-match.score, match.chunk_id))
    return SearchResult(matches[:limit], evidence, chance)


def _match(
    key: int,
    held: Sequence[str],
    plain: Mapping[str, str],
    weights: Mapping[str, float],
    order: Sequence[str],
    mean: float,
) -> Match:
    places = [(place, plain[token]) for place, token in enumerate(held) if token in plain]
    norm = K1 * (1 - B + B * len(held) / mean)
    counts = Counter(token for _, token in places)
    score = sum(weights[token] * n * (K1 + 1) / (n + norm) for token, n in counts.items())
    return Match(key, score, proximity(weights, places), in_order(weights, order, places))


def prefixed(base: int, token: str) -> str:
    """Return a token as it stands in the index."""
    return f"k{base}_{token}"


@lru_cache
def expanding_text(query: str, *names: str) -> Any:
    """Return a query in which the named parameters are lists."""
    return text(query).bindparams(*(bindparam(name, expanding=True) for name in names))


def add_totals(session: Session, base: int, chunks: int, tokens: int) -> None:
    """Move a base's totals by what came or went."""
    session.execute(
        update(KnowledgeBase)
        .where(KnowledgeBase.number == base)
        .values(chunks=KnowledgeBase.chunks + chunks, tokens=KnowledgeBase.tokens + tokens)
    )


def read_totals(session: Session, bases: Iterable[int]) -> tuple[int, int]:
    """Return how many chunks and tokens the bases hold together."""
    row = session.execute(_TOTALS, {"bases": list(bases)}).one()
    return int(row[0] or 0), int(row[1] or 0)
