"""Retrieval: from a question to passages. Fuses the keyword and dense rankings, adds a bonus for
proximity, joins neighbouring chunks and selects the sentence of each that covers most.

Measured in both languages: 100 candidates of each ranking, min-max fused, .35 keywords and .65 the
built-in embedder; for the best 30, + .4 of proximity and .4 of tokens in the question's order. The
best passage's score is comparable between searches: how well it answers (worth.py). The other
passages' scores are proportional to their rank values. A reranker (rerank.py) changes the order
alone, not these scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from chatapp.core.prompt import Passage
from chatapp.core.quoting import best_quote
from chatapp.core.ranking import coverage, fuse, min_max
from chatapp.core.text import TOKENIZER, index_tokens, is_wide, query_tokens, small_words
from chatapp.core.trace import Passages
from chatapp.core.unseen import visible
from chatapp.knowledge.ingest.chunking import page_of
from chatapp.knowledge.names import file_name
from chatapp.knowledge.search.bm25 import (
    CANDIDATES,
    LexicalIndex,
    Match,
    Scope,
    SearchResult,
    search,
)
from chatapp.knowledge.search.candidates import Candidates, RankingScores
from chatapp.knowledge.search.dense import DenseRanking
from chatapp.knowledge.search.joining import Hit, join_best
from chatapp.knowledge.search.places import CHUNKS, PLACES, has_hidden, visible_rows
from chatapp.knowledge.search.trace import trace_of
from chatapp.knowledge.search.worth import by_words, worth
from chatapp.stems import stem
from chatapp.storage.models import KnowledgeBase
from chatapp.storage.text_models import FileText

PROXIMITY_WEIGHT = 0.4
ORDER_WEIGHT = 0.4  # tokens in the question's order
BONUS_CANDIDATES = 30
READ_AT_ONCE = 20  # candidates, best first: most are never shown
# For passages without vectors in another script than the question: the manual in its language is to
# rank first.
OTHER_SCRIPT_FACTOR = 0.8
# For a question of stop words only: the share of its weight that one heading must contain.
MIN_HEADING_PROXIMITY = 0.7

# Prepared once: every question runs these, and building a query costs as much as running it.
_BASES: BindParameter[list[int]] = bindparam("bases", expanding=True)
_IDS: BindParameter[list[Any]] = bindparam("ids", expanding=True)
_EARLIER = select(KnowledgeBase.number, KnowledgeBase.tokenizer).where(
    KnowledgeBase.number.in_(_BASES), KnowledgeBase.tokenizer != TOKENIZER
)
_PAGES = select(FileText.file_id, FileText.pages).where(FileText.file_id.in_(_IDS))


def retrieve(
    session: Session,
    index: LexicalIndex,
    bases: Sequence[int],
    question: str,
    k: int,
    md5s: Sequence[str] | None = None,
    dense: DenseRanking | None = None,
) -> Passages:
    """Return the best passages for a question, at most `k`, best first."""
    return load(session, find(session, index, bases, question, md5s, dense), k)


def find(
    session: Session,
    index: LexicalIndex,
    bases: Sequence[int],
    question: str,
    md5s: Sequence[str] | None = None,
    dense: DenseRanking | None = None,
) -> Candidates:
    """Return the candidates of both rankings, fused."""
    scope = Scope(
        tuple(bases),
        tuple(md5s) if md5s is not None else None,
        has_hidden(session, bases),
        versions={row.number: row.tokenizer for row in session.execute(_EARLIER, {"bases": bases})},
    )
    searched, dense, copies = _candidates(index, session, scope, question, dense)
    ranked = rank(searched.matches, dense)
    return Candidates(
        question,
        scope,
        searched,
        dense,
        dict(ranked[:CANDIDATES]),
        copies=copies,
        found=len(ranked) + len(copies),
    )


def load(session: Session, candidates: Candidates, k: int) -> Passages:
    """Return the passages of the best candidates, at most `k`, best first, with their trace."""
    searched = candidates.searched
    found = join_best(session, _load(session, candidates, k), k)
    pages = _pages(session, {each.passage.file_id for each in found})
    quoted = [
        _with_quote(each.passage, searched.evidence, pages.get(each.passage.file_id, []))
        for each in found
    ]
    best = max((_worth(candidates, *one) for one in quoted), default=0.0)
    top = max((passage.score for passage, _ in quoted), default=0.0)
    passages = (
        replace(_shown(passage), score=round(best * passage.score / top, 4) if top else 0.0)
        for passage, _ in quoted
    )
    spans = [(one.passage.chunk_id, one.passage.file_id, one.first, one.last) for one in found]
    return Passages(passages, trace_of(session, candidates, k, spans))


def _worth(candidates: Candidates, passage: Passage, covered: float) -> float:
    dense = candidates.dense
    words = by_words(covered, candidates.searched.chance)
    cosines = dense.cosines if dense is not None else None
    return worth(candidates.question, passage.text, words, passage.by.get("vectors"), cosines)


def _candidates(
    index: LexicalIndex,
    session: Session,
    scope: Scope,
    question: str,
    dense: DenseRanking | None,
) -> tuple[SearchResult, DenseRanking | None, dict[int, dict[str, float | None]]]:
    """Return both rankings, with one copy of a file that several bases have, and the scores of
    the other copies."""
    searched = _search(index, session, scope, question)
    copies = _copies(session, scope, searched.matches, dense)
    if copies and len(searched.matches) >= scope.limit:
        # Copies have taken the places of other passages.
        scope = replace(scope, limit=scope.limit * len(scope.bases))
        searched = _search(index, session, scope, question)
        copies = _copies(session, scope, searched.matches, dense)
    scores = RankingScores(Candidates(question, scope, searched, dense, {}))
    matches = [match for match in searched.matches if match.chunk_id not in copies]
    if dense is not None:
        near = {one: score for one, score in dense.scores.items() if one not in copies}
        best = sorted(near, key=lambda one: (-near[one], one))[:CANDIDATES]
        dense = replace(dense, scores={one: near[one] for one in best})
    left_out = {one: scores.of(one) for one in copies}
    return replace(searched, matches=matches[:CANDIDATES]), dense, left_out


def _copies(
    session: Session, scope: Scope, matches: Sequence[Match], dense: DenseRanking | None
) -> set[int]:
    """Return the chunks of duplicates: files that several of these bases have, except one copy.

    A file with vectors is preferred, then the order of the bases.
    """
    if len(scope.bases) < 2:
        return set()
    near = dense.scores if dense is not None else {}
    ids = [*{*near, *(match.chunk_id for match in matches)}]
    rows = visible_rows(session, PLACES, ids, scope)
    with_vectors = {row.file_id for row in rows if row.id in near}
    chosen: dict[str, str] = {}
    for row in sorted(
        rows, key=lambda row: (row.file_id not in with_vectors, scope.bases.index(row.number))
    ):
        chosen.setdefault(row.md5, row.file_id)
    return {row.id for row in rows if chosen[row.md5] != row.file_id}


def _search(index: LexicalIndex, session: Session, scope: Scope, question: str) -> SearchResult:
    """Search for the question's tokens; if all are stop words, for headings that contain them."""
    if asked := query_tokens(question, stem):
        return search(index, session, _with_spellings(scope, question, query_tokens), asked)
    small = small_words(question, stem)
    scope = _with_spellings(scope, question, small_words)
    found = search(index, session, scope, small if len(small) > 1 else ())
    return replace(
        found,
        matches=[match for match in found.matches if match.proximity >= MIN_HEADING_PROXIMITY],
    )


def _with_spellings(scope: Scope, question: str, tokenise: Callable[..., list[str]]) -> Scope:
    """Add what the question's tokens are in bases of earlier versions of the tokenizer."""
    spellings: dict[int, dict[str, set[str]]] = {}
    for version in set(scope.versions.values()):
        spelled = spellings[version] = {}
        for token, earlier in zip(
            tokenise(question, stem), tokenise(question, stem, version), strict=True
        ):
            spelled.setdefault(token, set()).add(earlier)
    return replace(scope, spellings=spellings)


def rank(matches: Sequence[Match], dense: DenseRanking | None = None) -> list[tuple[int, float]]:
    """Return (chunk id, value) of all candidates, best first."""
    lexical = {match.chunk_id: match.score for match in matches}
    values = (
        fuse(lexical, dense.scores, dense.share)
        if dense is not None and dense.scores
        else min_max(lexical)
    )
    nearness = {
        match.chunk_id: PROXIMITY_WEIGHT * match.proximity + ORDER_WEIGHT * match.in_order
        for match in matches
    }
    first = sorted(values, key=lambda key: (-values[key], key))[:BONUS_CANDIDATES]
    for key in first:
        values[key] += nearness.get(key, 0.0)
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))


def _load(session: Session, candidates: Candidates, k: int) -> list[Hit]:
    """Load the best chunks that SQL still holds in these bases, `k` and some more.

    Chroma may return deleted ones.
    """
    values, wide = candidates.values, is_wide(candidates.question)
    ranking_scores = RankingScores(candidates)
    ranked = sorted(values, key=lambda key: candidates.order(key, values[key]))
    size = max(k, READ_AT_ONCE)
    rows: dict[int, Any] = {}
    for first in range(0, len(ranked), size):
        some = ranked[first : first + size]
        rows |= {row.id: row for row in visible_rows(session, CHUNKS, some, candidates.scope)}
        if len(rows) >= k:
            break
    found = [
        Hit(
            Passage(
                chunk_id=row.id,
                knowledge_base_id=row.knowledge_base_id,
                file_id=row.file_id,
                md5=row.md5,
                name=row.name,
                page=row.page,
                heading=row.heading,
                start=row.start,
                end=row.end,
                text=row.text,
                score=values[row.id] * _script_factor(row.text, wide, by),
                by=by,
                url=row.url,
            ),
            row.ordinal,
            row.ordinal,
        )
        for row in [rows[key] for key in ranked if key in rows]
        for by in [ranking_scores.of(row.id)]
    ]
    return sorted(
        found, key=lambda each: candidates.order(each.passage.chunk_id, each.passage.score)
    )


def _script_factor(text: str, wide: bool, by: Mapping[str, float | None]) -> float:
    is_other = is_wide(text) != wide and by["vectors"] is None
    return OTHER_SCRIPT_FACTOR if is_other else 1.0


def _shown(passage: Passage) -> Passage:
    """Return a passage as models and readers get it; older versions stored invisible characters."""
    return replace(
        passage,
        name=file_name(passage.name),
        heading=visible(passage.heading),
        text=visible(passage.text),
        quote=visible(passage.quote),
    )


def _pages(session: Session, file_ids: set[str]) -> dict[str, list[int]]:
    return {row.file_id: row.pages for row in session.execute(_PAGES, {"ids": list(file_ids)})}


def _with_quote(
    passage: Passage, weights: Mapping[str, float], pages: Sequence[int]
) -> tuple[Passage, float]:
    """Add the best-covering sentence and its page; return also the mean coverage (0..1)."""
    span, by_sentence = best_quote(passage.text, passage.heading, weights, stem)
    tokens = index_tokens(f"{passage.name}\n{passage.heading}\n{passage.text}", stem, frozenset())
    quote, page = passage.text[span.start : span.end], page_of(pages, passage.start + span.start)
    return replace(passage, quote=quote, page=page), (by_sentence + coverage(weights, tokens)) / 2
