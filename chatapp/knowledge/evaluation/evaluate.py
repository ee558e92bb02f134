"""`chatapp eval`: measures a set of questions with the configured search, or two settings on the
same set. It uses a temporary home; stored data is neither read nor changed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from chatapp.knowledge.evaluation import excerpts, paragraphs, passages, questions
from chatapp.knowledge.evaluation.outcome import EXCERPTS, PARAGRAPHS, Report
from chatapp.knowledge.evaluation.paragraphs import Progress
from chatapp.knowledge.evaluation.questions import Article, InvalidSet
from chatapp.settings import Settings

SEED = 1

T = TypeVar("T")


def evaluate(
    path: Path,
    settings: Settings,
    against: Settings | None = None,
    questions_of: Path | None = None,
    sample: int | None = None,
    progress: Progress = lambda *_: None,
) -> Report:
    """Measure a file in SQuAD's format, or a folder in that of Chroma's chunking evaluation.

    `against` is a second setting, asked the same questions. `questions_of` is a parallel file
    whose questions are asked instead. `sample` is the number of questions, chosen at random; all
    by default. `progress` is called as each step begins, with its number of items. Raises
    InvalidSet and EmbedderUnavailable.
    """
    ways = _ways(settings, against, progress)
    if path.is_dir():
        if questions_of is not None:
            raise InvalidSet("folder")
        documents, asked = excerpts.load(path)
        asked = _sample(asked, sample)
        outcomes = [passages.measure(documents, asked, way, progress) for way in ways]
        return Report(EXCERPTS, path.name, len(documents), len(asked), *outcomes)
    articles = _sample_of(questions.load(path, questions_of), sample)
    outcomes = [paragraphs.measure(articles, way, SEED, progress) for way in ways]
    files = sum(len(article.files) for article in articles)
    total = sum(len(article.questions) for article in articles)
    return Report(PARAGRAPHS, path.name, files, total, *outcomes)


def _ways(settings: Settings, against: Settings | None, progress: Progress) -> Iterator[Settings]:
    """Yield the settings; announce each where there are two."""
    if against is None:
        yield settings
        return
    for place, way in enumerate((settings, against), 1):
        progress("setting", place)
        yield way


def _sample(asked: list[T], most: int | None) -> list[T]:
    if most is None or most >= len(asked):
        return asked
    kept = set(random.Random(SEED).sample(range(len(asked)), most))
    return [each for place, each in enumerate(asked) if place in kept]


def _sample_of(articles: Sequence[Article], most: int | None) -> list[Article]:
    """Keep all paragraphs and a sample of the questions."""
    places = [
        (article, question)
        for article, each in enumerate(articles)
        for question in range(len(each.questions))
    ]
    kept = set(_sample(places, most))
    return [
        replace(
            each,
            questions=[
                question
                for place, question in enumerate(each.questions)
                if (article, place) in kept
            ],
        )
        for article, each in enumerate(articles)
    ]
