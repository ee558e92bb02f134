"""Measures a set in SQuAD's format: whether the right paragraph is found, and whether the built-in
model answers rightly and declines what the documents do not answer.

Each paragraph is a file. Questions without an answer are made in two ways: whole articles are left
out, a quarter at a time, so that questions are about something else; and a quarter of the
paragraphs of every article, so that the documents are about the subject but do not hold the answer
(a neighbouring paragraph sometimes does).
"""

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from chatapp.chains.extractive import answer
from chatapp.core.fitting import fits
from chatapp.core.prompt import Passage, Prompt, cited
from chatapp.knowledge.evaluation.coverage import coverages
from chatapp.knowledge.evaluation.outcome import (
    ANSWERS,
    COVERAGE_BUCKETS,
    COVERAGE_EDGES,
    FOREIGN,
    IN_TOPIC,
    RECALL_DEPTHS,
    RETRIEVAL,
    Outcome,
)
from chatapp.knowledge.evaluation.questions import Article, Question
from chatapp.knowledge.evaluation.temporary_base import TemporaryBase
from chatapp.settings import Settings

DEPTH = 30  # passages examined for the ranks
SHOWN = 5  # passages given to the model, as in a chat
ANSWERED_QUESTIONS = 500
UNANSWERABLE_QUESTIONS = 200  # of each kind
PARTS = 4  # in which articles, or an article's paragraphs, are left out

Progress = Callable[[str, int], None]


def measure(
    articles: Sequence[Article], settings: Settings, seed: int, progress: Progress
) -> Outcome:
    """Ask all questions of these articles; the same seed asks and leaves out the same."""
    chance = random.Random(seed)
    questions = [question for article in articles for question in article.questions]
    with TemporaryBase(settings) as base:
        progress("indexing", sum(len(article.files) for article in articles))
        base.add(_files(articles))
        progress("asking", len(questions))
        ranks = [_rank(base, question) for question in questions]
        chosen = chance.sample(questions, min(ANSWERED_QUESTIONS, len(questions)))
        progress("answering", len(chosen))
        answers, times = _answers(base, chosen)
        in_topic = _in_topic(base, articles, chance, progress)
        foreign = _foreign(base, articles, chance, progress)
        values = {
            **_retrieval(ranks, coverages(articles)),
            ANSWERS: answers,
            IN_TOPIC: {"declined": in_topic},
            FOREIGN: {"declined": foreign},
        }
        return base.outcome(values, times)


def _files(articles: Sequence[Article]) -> dict[str, str]:
    return {name: text for article in articles for name, text in article.files.items()}


def _rank(base: TemporaryBase, question: Question) -> int | None:
    """Return the rank (from 0) of a question's paragraph, None where it is not found."""
    names = list(dict.fromkeys(passage.name for passage in base.search(question.text, DEPTH)))
    return names.index(question.file) if question.file in names else None


def _retrieval(
    ranks: Sequence[int | None], covered: Sequence[float]
) -> Mapping[str, Mapping[str, list[float]]]:
    """Return the figures of all questions, then of each bucket of coverage."""
    groups: dict[str, list[int | None]] = {RETRIEVAL: list(ranks)}
    groups |= {bucket: [] for bucket in COVERAGE_BUCKETS}
    for rank, share in zip(ranks, covered, strict=True):
        groups[COVERAGE_BUCKETS[bisect_right(COVERAGE_EDGES, share)]].append(rank)
    return {group: _figures_of_ranks(each) for group, each in groups.items()}


def _figures_of_ranks(ranks: Sequence[int | None]) -> dict[str, list[float]]:
    found = {
        f"recall_at_{depth}": [float(rank is not None and rank < depth) for rank in ranks]
        for depth in RECALL_DEPTHS
    }
    return found | {"mrr": [0.0 if rank is None else 1 / (rank + 1) for rank in ranks]}


def _answers(
    base: TemporaryBase, questions: Sequence[Question]
) -> tuple[dict[str, list[float]], list[float]]:
    """Return how the built-in model answers, and the milliseconds of each search."""
    ends: list[str] = []
    times: list[float] = []
    for question in questions:
        began = time.perf_counter()
        passages = base.search(question.text, SHOWN)
        times.append((time.perf_counter() - began) * 1000)
        if not fits(question.text, passages):
            ends.append("declined")
        else:
            ends.append("right" if _is_right(base, question, passages) else "other")
    return {
        end: [float(each == end) for each in ends] for end in ("right", "other", "declined")
    }, times


def _is_right(base: TemporaryBase, question: Question, passages: list[Passage]) -> bool:
    """Return whether the answer holds a reference answer; without one, whether it cites the
    paragraph."""
    similar = base.embedder.similarities if base.embedder is not None else None
    said = answer(Prompt(question.text, [], passages, grounded=True), similar)
    if question.answers:
        return any(" ".join(gold.split()) in said for gold in question.answers)
    return any(passages[n - 1].name == question.file for n in cited(said, len(passages)))


def _in_topic(
    base: TemporaryBase, articles: Sequence[Article], chance: random.Random, progress: Progress
) -> list[float]:
    """Leave out a quarter of each article's paragraphs and ask about them; return what is
    declined."""
    files = _files(articles)
    left_out = [
        name
        for article in articles
        if len(article.files) > 1
        for name in chance.sample(list(article.files), max(1, len(article.files) // PARTS))
    ]
    gone = set(left_out)
    about = [
        question for article in articles for question in article.questions if question.file in gone
    ]
    asked = chance.sample(about, min(UNANSWERABLE_QUESTIONS, len(about)))
    if not asked:
        return []
    progress("in_topic", len(asked))
    base.remove(left_out)
    declined = [_declines(base, question) for question in asked]
    base.add({name: files[name] for name in left_out})
    return declined


def _foreign(
    base: TemporaryBase, articles: Sequence[Article], chance: random.Random, progress: Progress
) -> list[float]:
    """Leave out a quarter of the articles at a time and ask about them; return what is declined.

    The last quarter is not added again.
    """
    shuffled = chance.sample(articles, len(articles))
    parts = [shuffled[part::PARTS] for part in range(PARTS)]
    about = [[question for article in part for question in article.questions] for part in parts]
    asked = [chance.sample(each, min(UNANSWERABLE_QUESTIONS // PARTS, len(each))) for each in about]
    progress("foreign", sum(map(len, asked)))
    declined: list[float] = []
    base.remove(list(_files(parts[0])))
    for (left_out, following), questions in zip(pairwise([*parts, []]), asked, strict=True):
        declined += [_declines(base, question) for question in questions]
        if following:
            base.add(_files(left_out))
            base.remove(list(_files(following)))
    return declined


def _declines(base: TemporaryBase, question: Question) -> float:
    return float(not fits(question.text, base.search(question.text, SHOWN)))
