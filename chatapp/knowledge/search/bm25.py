"""Keyword search: the interface of the lexical index, and BM25 scoring of its candidates.

Every token is prefixed with its base's number (`k12_leave`), which is eight times faster than a
join and gives each base its own frequencies. FTS5 treats the rows of all bases as one collection,
so candidates are scored here with the frequencies of the searched bases. Both databases rank alike.

A row's key and the letter before the number tell the version of the tokenizer: a base that moves to
the next version (retokenise.py) has rows of both for a while, and is searched by its own. A base's
totals count each chunk that has a row of its version, with the tokens of its latest one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress, count
from typing import Any, Protocol

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.orm import Session

from chatapp.core.ranking import in_order, proximity
from chatapp.core.text import HEADING_JOINT, STOP_WORDS, TOKENIZER, index_tokens
from chatapp.stems import stem
from chatapp.storage.models import KnowledgeBase

K1 = 1.2
B = 0.75
SEARCHABLE_CHUNKS = (
    "SELECT c.id FROM chunks c JOIN files f ON f.id = c.file_id WHERE f.status IN ('embedding', "
    "'ready')"
)
CANDIDATES = 100
SMOOTHING_CHUNKS, SMOOTHING_FREQUENCY = 200, 4
# Measured on bases of 10 to 1,500 chunks in both languages.
CHANCE_PER_LOG_CHUNK, MAX_CHANCE = (
    0.05,
    0.5,
)
MAX_QUERY_TOKENS = 400  # of a question, looked up in the index
MAX_SEARCHED_TOKENS = 48  # the rarest of them, searched for
# In large bases, the database ranks only the chunks with a rare token, at about 1 µs of CPU each;
# other tokens count for their rank. At 50,000 chunks smaller limits lose up to 1.5 points of R@5,
# and none at all would find half a point more (docs/measurements.md).
MAX_RANKED_CHUNKS = 5_000
MAX_COUNTED_CHUNKS = 24_000
VERSIONS = tuple(range(1, TOKENIZER + 1))  # of the tokenizer, of which a base may have rows
KEYS_PER_VERSION = 2**32  # more than there are chunks; the keys of version 1 are the chunks' ids
_TOTALS = select(func.sum(KnowledgeBase.chunks), func.sum(KnowledgeBase.tokens)).where(
    KnowledgeBase.number.in_(bindparam("bases", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk with tokens of the question: BM25 score, and their proximity and order (0..1)."""

    chunk_id: int
    score: float
    proximity: float
    in_order: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Matches, best first; each query token's evidence; the share that is covered by chance."""

    matches: list[Match]
    evidence: dict[str, float]
    chance: float


@dataclass(frozen=True, slots=True)
class Scope:
    """What to search: bases, file md5s (None for all), whether unfinished files exist, and how
    many candidates to return.

    `versions` names the bases of an earlier tokenizer, and `spellings` maps such a version to the
    question's tokens, each with what it is in that version.
    """

    bases: tuple[int, ...]
    md5s: tuple[str, ...] | None = None
    unfinished: bool = False
    limit: int = CANDIDATES
    versions: Mapping[int, int] = field(default_factory=dict)
    spellings: Mapping[int, Mapping[str, Set[str]]] = field(default_factory=dict)

    @property
    def is_part(self) -> bool:
        """Whether some of the bases' chunks are left out."""
        return self.md5s is not None or self.unfinished

    def terms(self, tokens: Iterable[str]) -> dict[str, str]:
        """Return how the index stores these tokens in the bases, each with its token."""
        return {
            prefixed(base, spelled, version): token
            for base, version, spelled, token in self.spelled(tokens)
        }

    def spelled(self, tokens: Iterable[str]) -> Iterator[tuple[int, int, str, str]]:
        """Yield base, version, and each token as that version has it and as it is."""
        asked = list(tokens)
        for base in self.bases:
            version = self.versions.get(base, TOKENIZER)
            spellings = self.spellings.get(version, {})
            for token in asked:
                for spelled in spellings.get(token, (token,)):
                    yield base, version, spelled, token


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts for the searched bases: chunks, tokens, and the document frequency of each query
    token."""

    chunks: int
    tokens: int
    frequencies: Mapping[str, int]

    def weight(self, token: str) -> float:
        """Return a token's idf in Lucene's form, which is never negative."""
        frequency = min(self.frequencies.get(token, 0), self.chunks)
        return math.log(1 + (self.chunks - frequency + 0.5) / (frequency + 0.5))

    def evidence(self, token: str) -> float:
        """Return a token's idf, smoothed as if there were more chunks about other topics.

        In a small base about one topic, that topic's words are in every chunk and would otherwise
        weigh nothing.
        """
        frequency = min(self.frequencies.get(token, 0), self.chunks)
        return math.log((self.chunks + SMOOTHING_CHUNKS) / (frequency + SMOOTHING_FREQUENCY))

    def chance(self) -> float:
        """Return the share of a question that some chunk covers by chance."""
        return min(MAX_CHANCE, CHANCE_PER_LOG_CHUNK * math.log(max(self.chunks, 1)))


class LexicalIndex(Protocol):
    """The interface of each database's index."""

    def add(
        self,
        session: Session,
        base: int,
        rows: Sequence[tuple[int, list[str]]],
        version: int = TOKENIZER,
    ) -> None:
        """Add chunks by id, each with its tokens by a version of the tokenizer."""

    def remove(
        self,
        session: Session,
        base: int,
        chunk_ids: Sequence[int],
        versions: Sequence[int] = VERSIONS,
    ) -> None:
        """Remove chunks, or only what some versions of the tokenizer made of them."""

    def held(self, session: Session, chunk_ids: Sequence[int], version: int) -> set[int]:
        """Return which of these chunks have a row of a version."""

    def any_of(self, session: Session, version: int, limit: int) -> Sequence[int]:
        """Return some chunks, of any base, that have a row of a version."""

    def statistics(self, session: Session, scope: Scope, tokens: Sequence[str]) -> Statistics:
        """Return the counts needed to weigh the tokens."""

    def candidates(
        self,
        session: Session,
        scope: Scope,
        statistics: Statistics,
        tokens: Sequence[str],
        rare: Sequence[str],
    ) -> Sequence[tuple[int, list[str]]]:
        """Return the most promising chunks that contain a rare token, each with its prefixed
        tokens."""


def tokens_of(title: str, heading: str, body: str, version: int = TOKENIZER) -> list[str]:
    """Return the tokens of a chunk's text, headings and file name.

    The innermost heading keeps its stop words, since some headings contain nothing else: "What can
    you do?"
    """
    above, _, title_of = heading.rpartition(HEADING_JOINT)

    def tokens(text: str, left_out: Set[str] = STOP_WORDS) -> list[str]:
        return index_tokens(text, stem, left_out, version)

    return [*tokens(title), *tokens(above), *tokens(title_of, frozenset()), *tokens(body)]


def search(
    index: LexicalIndex,
    session: Session,
    scope: Scope,
    asked: Sequence[str],
) -> SearchResult:
    """Return the best matches, best first; ties go to the earlier chunk.

    BM25 with k1 1.2 and b .75 (Robertson and Zaragoza, 2009).
    """
    tokens = list(dict.fromkeys(asked))[:MAX_QUERY_TOKENS]
    if not tokens or not scope.bases:
        return SearchResult([], {}, 0.0)
    statistics = index.statistics(session, scope, tokens)
    evidence, chance = {token: statistics.evidence(token) for token in tokens}, statistics.chance()
    weights = {token: statistics.weight(token) for token in tokens}
    known = sorted(
        (token for token in tokens if statistics.frequencies.get(token)),
        key=lambda token: -weights[token],
    )
    if not known or not statistics.chunks:
        return SearchResult([], evidence, chance)
    known = known[:MAX_SEARCHED_TOKENS]
    rare = rarest(statistics, known, MAX_RANKED_CHUNKS, scope.limit)
    counting = rarest(statistics, known, MAX_COUNTED_CHUNKS, scope.limit)
    rows = index.candidates(session, scope, statistics, counting, rare)
    if scope.is_part and len(rows) < scope.limit and len(rare) < len(known):
        # What is rare in the base need not occur in a part of it.
        rows = index.candidates(session, scope, statistics, known, known)
    plain = scope.terms(weights)
    mean = statistics.tokens / statistics.chunks
    order = [token for token in asked if token in weights]
    matches = [_match(key, held, plain, weights, order, mean) for key, held in rows]
    matches.sort(key=lambda match: (-match.score, match.chunk_id))
    return SearchResult(matches[: scope.limit], evidence, chance)


def _match(
    key: int,
    held: Sequence[str],
    plain: Mapping[str, str],
    weights: Mapping[str, float],
    order: Sequence[str],
    mean: float,
) -> Match:
    # In C: a chunk holds hundreds of tokens, and a hundred chunks are matched.
    found = compress(count(), map(plain.__contains__, held))
    places = [(place, plain[held[place]]) for place in found]
    norm = K1 * (1 - B + B * len(held) / mean)
    counts = Counter(token for _, token in places)
    score = sum(weights[token] * n * (K1 + 1) / (n + norm) for token, n in counts.items())
    return Match(key, score, proximity(weights, places), in_order(weights, order, places))


def rarest(statistics: Statistics, tokens: Sequence[str], most: int, least: int) -> Sequence[str]:
    """Return the first of these tokens, rarest first, that occur in at most `most` chunks together;
    more where those occur in fewer than `least`."""
    chunks = 0
    for number, token in enumerate(tokens):
        frequency = statistics.frequencies[token]
        if chunks >= least and chunks + frequency > most:
            return tokens[:number]
        chunks += frequency
    return tokens


def prefixed(base: int, token: str, version: int = TOKENIZER) -> str:
    """Return a token as it is stored in the index."""
    return f"{_letter(version)}{base}_{token}"


def counted(token: str, version: int) -> str:
    """Return a token as a base's frequencies name it; no token contains "_"."""
    return token if version == 1 else f"{_letter(version)}_{token}"


def _letter(version: int) -> str:
    return chr(ord("k") + version - 1)


def keys_of(version: int) -> range:
    """Return the range of the keys of a version's rows."""
    return range((version - 1) * KEYS_PER_VERSION, version * KEYS_PER_VERSION)


@lru_cache
def expanding_text(query: str, *names: str) -> Any:
    """Return a query whose named parameters are expanded as lists."""
    return text(query).bindparams(*(bindparam(name, expanding=True) for name in names))


def add_totals(session: Session, base: int, version: int, chunks: int, tokens: int) -> None:
    """Add to a base's totals if it is searched by this version."""
    session.execute(
        update(KnowledgeBase)
        .where(KnowledgeBase.number == base, KnowledgeBase.tokenizer == version)
        .values(chunks=KnowledgeBase.chunks + chunks, tokens=KnowledgeBase.tokens + tokens)
    )


def change_tokens(session: Session, base: int, by: int) -> None:
    """Change a base's total of tokens, where chunks have got another number of them."""
    if by:
        session.execute(
            update(KnowledgeBase)
            .where(KnowledgeBase.number == base)
            .values(tokens=KnowledgeBase.tokens + by)
        )


def remove_totals(
    session: Session, base: int, versions: Sequence[int], lengths: Mapping[int, int]
) -> None:
    """Take removed chunks from a base's totals, if the version that it is searched by is one of
    these. `lengths` are the tokens of each chunk in its latest version, which the totals count."""
    session.execute(
        update(KnowledgeBase)
        .where(KnowledgeBase.number == base, KnowledgeBase.tokenizer.in_(versions))
        .values(
            chunks=KnowledgeBase.chunks - len(lengths),
            tokens=KnowledgeBase.tokens - sum(lengths.values()),
        )
    )


def read_totals(session: Session, bases: Iterable[int]) -> tuple[int, int]:
    """Return the total chunks and tokens of the bases."""
    row = session.execute(_TOTALS, {"bases": list(bases)}).one()
    return int(row[0] or 0), int(row[1] or 0)
