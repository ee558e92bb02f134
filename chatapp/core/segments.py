"""Splitting by meaning: chunks end where neighbouring sentences are least alike.

The idea is TextTiling's (Hearst, 1997) and Kamradt's "semantic chunking", with sizes kept as in
Chroma's ClusterSemanticChunker: dynamic programming finds the breaks whose likeness is least in
all, so that every chunk stays between a least and a most size. The numbers were measured
(docs/measurements.md). Vectors are computed elsewhere; this module sees likenesses only.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from chatapp.core.text import CHUNK_TOKENS, Span, count_tokens, sentences, split, with_indentation

LEAST_TOKENS = 60  # of a chunk, where its section has as many
# A break is wanted where the likeness is this many standard deviations below the document's mean.
BREAK_DEVIATIONS = 1.5
SHORT_COST = 10.0  # in deviations: more than any break gains


def sections_of(text: str, hard: Sequence[int] = (), size: int = CHUNK_TOKENS) -> list[list[Span]]:
    """Return the sentences of each section; one that is longer than a chunk is divided.

    Sections are what lies between the offsets in `hard`.
    """
    edges = [0, *(edge for edge in hard if 0 < edge < len(text)), len(text)]
    return [_units(text, start, end, size) for start, end in pairwise(edges)]


def _units(text: str, start: int, end: int, size: int) -> list[Span]:
    found: list[Span] = []
    for span in sentences(text[start:end]):
        at, until = start + span.start, start + span.end
        for part in split(text[at:until], (), size):
            least = found[-1].end if found else start
            found.append(with_indentation(text, Span(at + part.start, at + part.end), least))
    return found


def is_divisible(text: str, units: Sequence[Span]) -> bool:
    """Return whether a section is long enough for two chunks."""
    return len(units) > 1 and (
        count_tokens(text[units[0].start : units[-1].end]) >= 2 * LEAST_TOKENS
    )


def segment(
    text: str,
    sections: Sequence[Sequence[Span]],
    likeness: Sequence[Sequence[float | None]],
    size: int = CHUNK_TOKENS,
) -> list[Span]:
    """Return the chunks of a document, none of which crosses two sections.

    `likeness` has for each sentence how much it and the next are like those before it, None where
    that is unknown; it is not read for a section's first sentence. An unknown likeness counts as
    the mean.
    """
    known = [one for each in likeness for one in each[1:] if one is not None]
    mean, deviation = (fmean(known), pstdev(known)) if known else (0.0, 0.0)
    chunks: list[Span] = []
    for units, each in zip(sections, likeness, strict=True):
        gains = [
            (mean - (mean if one is None else one)) / (deviation or 1.0) - BREAK_DEVIATIONS
            for one in each
        ]
        firsts = _firsts(text, units, gains, size)
        for first, following in pairwise([*firsts, len(units)]):
            chunks.append(Span(units[first].start, units[following - 1].end))
    return chunks


def _firsts(text: str, units: Sequence[Span], gains: Sequence[float], size: int) -> list[int]:
    """Return the first sentence of each chunk, so that the breaks between them gain most."""
    before = [0.0]  # tokens before each sentence, with the blanks between them
    for one, following in pairwise(units):
        before.append(before[-1] + count_tokens(text[one.start : following.start]))
    best, came = [0.0], [0]  # of the first n sentences: the gain, and where their last chunk begins
    for last, unit in enumerate(units):
        until = before[last] + count_tokens(text[unit.start : unit.end])
        best.append(float("-inf"))
        came.append(last)
        for first in range(last, -1, -1):
            tokens = until - before[first]
            if tokens > size and first < last:
                break
            gain = best[first] + (gains[first] if first else 0.0)
            gain -= SHORT_COST if tokens < LEAST_TOKENS else 0.0
            if gain >= best[-1]:  # of equal ones the longest chunk
                best[-1], came[-1] = gain, first
    firsts: list[int] = []
    at = len(units)
    while at > 0:
        at = came[at]
        firsts.append(at)
    return firsts[::-1]
