"""Sets in the format of Chroma's chunking evaluation: whole documents, and questions with the
excerpts that answer them.

A folder holds `questions_df.csv` (question, references, corpus_id) and a document for each corpus,
`<corpus_id>.md`, beside it or in `corpora/`. References are JSON with the offsets of each excerpt
in its document.

Offsets count the characters of the document as it lies in the folder; passages count those of the
text as it was read, which has fewer blanks. Both have the same visible characters in the same
order, so these carry the offsets over.
"""

import csv
import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatapp.core.text import Span
from chatapp.core.unseen import visible
from chatapp.knowledge.evaluation.questions import InvalidSet

QUESTIONS = "questions_df.csv"


@dataclass(frozen=True, slots=True)
class ExcerptQuestion:
    """A question, its document, and the spans in it that answer the question."""

    text: str
    corpus: str
    excerpts: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """How well passages cover excerpts, in characters (0..1)."""

    recall: float
    precision: float
    iou: float


def load(folder: Path) -> tuple[dict[str, str], list[ExcerptQuestion]]:
    """Return the documents by corpus and the questions of a folder; raise InvalidSet."""
    try:
        with open(folder / QUESTIONS, encoding="utf-8-sig", newline="") as opened:
            questions = [_question(row) for row in csv.DictReader(opened)]
        names = dict.fromkeys(question.corpus for question in questions)
        texts = {name: _document(folder, name) for name in names}
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as fault:
        raise InvalidSet("excerpts") from fault
    if not questions:
        raise InvalidSet("excerpts")
    return texts, questions


def _question(row: dict[str, str]) -> ExcerptQuestion:
    spans = tuple(
        Span(int(each["start_index"]), int(each["end_index"]))
        for each in json.loads(row["references"])
    )
    if not spans or any(span.start >= span.end for span in spans):
        raise ValueError("an empty excerpt")
    return ExcerptQuestion(row["question"], row["corpus_id"], spans)


def _document(folder: Path, corpus: str) -> str:
    if Path(corpus).name != corpus:
        raise ValueError("a path as corpus_id")
    beside = folder / f"{corpus}.md"
    return (beside if beside.is_file() else folder / "corpora" / beside.name).read_text("utf-8")


class Offsets:
    """Carries offsets of an original text over to the text as it was read."""

    def __init__(self, original: str, read: str) -> None:
        self._original, self._read = _places(original), _places(read)
        same = len(self._original) == len(self._read) and all(
            original[one] == read[other]
            for one, other in zip(self._original, self._read, strict=True)
        )
        if not same:
            raise InvalidSet("excerpts")

    def carry(self, span: Span) -> Span:
        """Return the span of the same visible characters; raise InvalidSet for none."""
        first = bisect_left(self._original, span.start)
        last = bisect_left(self._original, span.end) - 1
        if first > last:
            raise InvalidSet("excerpts")
        return Span(self._read[first], self._read[last] + 1)


def _places(text: str) -> list[int]:
    """Return the offsets of the visible characters."""
    return [place for place, sign in enumerate(text) if not sign.isspace() and visible(sign)]


def score(excerpts: Sequence[Span], found: Sequence[Span], length: int) -> Score:
    """Compare passages of the excerpts' document with the excerpts.

    `length` is that of all passages, also those of other documents. As in Smith and Troynikov,
    "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024), in characters.
    """
    wanted = _union(excerpts)
    held = sum(
        max(0, min(one.end, other.end) - max(one.start, other.start))
        for one in wanted
        for other in _union(found)
    )
    total = sum(span.end - span.start for span in wanted)
    return Score(held / total, held / length if length else 0.0, held / (length + total - held))


def _union(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
