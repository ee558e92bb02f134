"""Splits a document as its base says: by size, or by meaning with the embedder's vectors of
sentences. Where that is not possible it is split by size, and the reason is recorded:

    off       no embedder is configured
    away      the embedder was not available
    language  the embedder does not support the language of the text
    long      too many sentences
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from operator import mul

from chatapp.core.segments import is_divisible, sections_of, segment
from chatapp.core.text import Span
from chatapp.core.unseen import visible
from chatapp.errors import EmbedderUnavailable
from chatapp.knowledge.embedders import BATCH_TEXTS, Embedder
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.chunking import chunk_spans, hard_edges
from chatapp.knowledge.search.vectors import unpack

BY_SIZE, BY_MEANING = "size", "meaning"
# Reasons for which reading the file again would change nothing.
FINAL_REASONS = ("language", "long")
MAX_SENTENCES = 5_000  # about 250 pages; each is embedded before the file can be searched
SIDE_SENTENCES = 2  # compared on each side of a break; measured
LEAST_SUPPORTED = 0.5  # share of the sentences that must have vectors
# For an embedder that is starting. Files that follow do not wait until it has answered.
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 0.5

log = logging.getLogger("chatapp.knowledge")

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Split:
    """The chunks' spans, how they were found, and why not as chosen."""

    spans: list[Span]
    by: str = BY_SIZE
    reason: str | None = None


class Splitter:
    """Splits documents with this embedder, if any."""

    def __init__(self, embedder: Embedder | None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._embedder = embedder
        self._wait_seconds = wait_seconds
        self._waited = 0.0

    def split(self, document: Document, choice: str, report: Report) -> Split:
        """Split a document by size or by meaning.

        `report` is called with the share done, at least before each request, and may raise.
        """
        if choice != BY_MEANING:
            return Split(chunk_spans(document))
        spans, reason = self._by_meaning(document, report)
        if spans is None:
            return Split(chunk_spans(document), BY_SIZE, reason)
        return Split(spans, BY_MEANING)

    def _by_meaning(
        self, document: Document, report: Report
    ) -> tuple[list[Span] | None, str | None]:
        if self._embedder is None:
            return None, "off"
        text = document.text
        sections = sections_of(text, hard_edges(document))
        compared = [units if is_divisible(text, units) else [] for units in sections]
        texts = [visible(text[unit.start : unit.end]) for units in compared for unit in units]
        if len(texts) > MAX_SENTENCES:
            return None, "long"
        supported = [self._embedder.supports(one) for one in texts]
        if sum(supported) < LEAST_SUPPORTED * len(texts):
            return None, "language"
        try:
            vectors = self._vectors(self._embedder, texts, supported, report)
        except EmbedderUnavailable as fault:
            log.warning("a file is split by size: %s", fault.key)
            return None, "away"
        following = iter(vectors)
        likeness: list[list[float | None]] = []
        for units, others in zip(sections, compared, strict=True):
            found = _likeness([next(following) for _ in others])
            likeness.append(found or [None] * len(units))
        return segment(text, sections, likeness), None

    def _vectors(
        self, embedder: Embedder, texts: Sequence[str], supported: Sequence[bool], report: Report
    ) -> list[bytes | None]:
        """Return each sentence's vector, None for those not supported or refused."""
        places = [place for place, is_supported in enumerate(supported) if is_supported]
        vectors: list[bytes | None] = [None] * len(texts)
        for start in range(0, len(places), BATCH_TEXTS):
            batch = places[start : start + BATCH_TEXTS]
            heartbeat = partial(report, start / len(places))
            made = self._embed(embedder, [texts[place] for place in batch], heartbeat)
            for place, vector in zip(batch, made, strict=True):
                vectors[place] = vector
        return vectors

    def _embed(
        self, embedder: Embedder, texts: Sequence[str], heartbeat: Callable[[], None]
    ) -> list[bytes | None]:
        while True:
            began = time.monotonic()
            try:
                made = embedder.embed_passages(texts, heartbeat)
            except EmbedderUnavailable:
                heartbeat()  # it ends with the service: that is no reason to split by size
                if self._waited >= self._wait_seconds:
                    raise
                time.sleep(PAUSE_SECONDS)
                self._waited += time.monotonic() - began
            else:
                self._waited = 0.0
                return made


def _likeness(vectors: Sequence[bytes | None]) -> list[float | None]:
    """Return how much each sentence and the next are like those before it: their cosine."""
    found: list[float | None] = []
    for place in range(len(vectors)):
        before = _sum(vectors[max(0, place - SIDE_SENTENCES) : place])
        after = _sum(vectors[place : place + SIDE_SENTENCES])
        found.append(_cosine(before, after) if before and after else None)
    return found


def _sum(vectors: Sequence[bytes | None]) -> list[float]:
    known = [unpack(vector) for vector in vectors if vector is not None]
    return [sum(numbers) for numbers in zip(*known, strict=True)]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float | None:
    length = sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
    return sum(map(mul, one, other)) / length if length else None
