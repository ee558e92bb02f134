"""Measures a set in Chroma's format: how much of the excerpts is in the first five passages, and
how much of these passages is excerpts. It judges splitting and search together."""

import time
from collections.abc import Mapping, Sequence

from chatapp.core.prompt import Passage
from chatapp.core.text import Span
from chatapp.knowledge.evaluation.excerpts import ExcerptQuestion, Offsets, Score, score
from chatapp.knowledge.evaluation.outcome import CORPUS, EXCERPTS, Outcome
from chatapp.knowledge.evaluation.paragraphs import SHOWN, Progress
from chatapp.knowledge.evaluation.temporary_base import TemporaryBase
from chatapp.settings import Settings

FIGURES = ("recall", "precision", "iou")


def measure(
    documents: Mapping[str, str],
    questions: Sequence[ExcerptQuestion],
    settings: Settings,
    progress: Progress,
) -> Outcome:
    """Ask all questions about these documents; raise InvalidSet for misplaced excerpts."""
    with TemporaryBase(settings) as base:
        progress("indexing_documents", len(documents))
        base.add({_file(corpus): text for corpus, text in documents.items()})
        offsets = {
            corpus: Offsets(text, base.texts[_file(corpus)]) for corpus, text in documents.items()
        }
        progress("asking", len(questions))
        scores: list[Score] = []
        times: list[float] = []
        for question in questions:
            began = time.perf_counter()
            passages = base.search(question.text, SHOWN)
            times.append((time.perf_counter() - began) * 1000)
            scores.append(_score(question, passages, offsets[question.corpus]))
        values = {EXCERPTS: _columns(scores)} | {
            CORPUS + corpus: _columns(
                [
                    each
                    for question, each in zip(questions, scores, strict=True)
                    if question.corpus == corpus
                ]
            )
            for corpus in documents
        }
        return base.outcome(values, times)


def _file(corpus: str) -> str:
    return f"{corpus}.md"


def _score(question: ExcerptQuestion, passages: Sequence[Passage], offsets: Offsets) -> Score:
    found = [
        Span(passage.start, passage.end)
        for passage in passages
        if passage.name == _file(question.corpus)
    ]
    length = sum(passage.end - passage.start for passage in passages)
    return score([offsets.carry(span) for span in question.excerpts], found, length)


def _columns(scores: Sequence[Score]) -> dict[str, list[float]]:
    return {name: [getattr(each, name) for each in scores] for name in FIGURES}
