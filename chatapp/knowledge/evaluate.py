"""`chatapp eval FILE`: measure retrieval and answers on a file in SQuAD's format, with the real
pipeline.

Each paragraph becomes a file of a base in a temporary database, and all questions are asked. Then
the articles are deleted a quarter at a time and questions about the deleted ones are asked: the
built-in model should decline those.
"""

import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from chatapp.chains.extractive import answer
from chatapp.child import OwnHelper, chroma_command, embedder_command
from chatapp.core.fitting import fits
from chatapp.core.prompt import Passage, Prompt
from chatapp.core.text import normalise
from chatapp.errors import EmbedderUnavailable
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.parse import parse
from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.search.lexical import create_index, index_for
from chatapp.knowledge.selection import Bases
from chatapp.settings import BUILTIN, OFF, Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Base, User

DEPTH = 30  # passages examined for the ranks
ANSWERED_QUESTIONS = 300
UNANSWERABLE_QUESTIONS = 100
FOLDS = 4  # parts in which articles are left out
TIMED_QUESTIONS = 500
SHOWN = 5  # passages given to the model, as in a chat

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its reference answers, and the file that contains one of them."""

    text: str
    answers: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class Article:
    """Paragraphs by file name, and the questions about them."""

    files: dict[str, str]
    questions: list[Question]


@dataclass(frozen=True, slots=True)
class Report:
    """The results; shares are 0..1, times are milliseconds."""

    embedder: str | None
    paragraphs: int
    questions: int
    recall: dict[int, float]
    mrr: float
    p50_ms: float
    p95_ms: float
    answered: float
    foreign: int
    declined: float


def evaluate(
    file: Path, seed: int = 1, progress: Progress = lambda *_: None, with_embedder: bool = True
) -> Report:
    """Measure on one file in SQuAD's format, with the built-in embedder where there is one.

    `progress` is called as each step begins (indexing, asking, foreign), with its number of items.
    Questions without an answer are skipped. Raises ValueError where none is left, and
    EmbedderUnavailable.
    """
    articles = load(file)
    if not any(article.questions for article in articles):
        raise ValueError("no questions")
    chance = random.Random(seed)
    chance.shuffle(articles)
    home = Path(tempfile.mkdtemp(prefix="chatapp-eval-"))
    pipeline = _EvaluatedPipeline(home, with_embedder)
    try:
        progress("indexing", sum(len(article.files) for article in articles))
        pipeline.add(articles)
        return _measure(pipeline, articles, chance, progress)
    finally:
        pipeline.close()
        shutil.rmtree(home, ignore_errors=True)


def load(file: Path) -> list[Article]:
    """Read SQuAD's format: data, paragraphs, context, qas, answers."""
    articles: list[Article] = []
    number = 0
    for entry in json.loads(file.read_text("utf-8"))["data"]:
        article = Article({}, [])
        for paragraph in entry["paragraphs"]:
            if not paragraph["context"].strip():
                continue
            number += 1
            name = f"{number:05d}.txt"
            article.files[name] = paragraph["context"]
            for asked in paragraph["qas"]:
                answers = tuple(normalise(given["text"]) for given in asked.get("answers", ()))
                if answers and not asked.get("is_impossible"):
                    article.questions.append(Question(asked["question"], answers, name))
        articles.append(article)
    return articles


class _EvaluatedPipeline:
    """The product's upload, queue, worker steps and search, with the parser in this process."""

    def __init__(self, home: Path, with_embedder: bool) -> None:
        settings = Settings(home=home, embedder=BUILTIN if with_embedder else OFF)
        self._chroma = OwnHelper(lambda host, port: chroma_command(home / "vectors", host, port))
        self._embedder_process = OwnHelper(embedder_command)
        self._database: Database = open_database(settings.sql_url)
        Base.metadata.create_all(self._database.engine)
        self._database.write(lambda t: create_index(t.connection()))
        self._user = self._database.write(_add_user)
        index = VectorIndex(lambda: f"http://{at}" if (at := self._chroma.address()) else None)
        self.embedder = configured_embedder(settings, self._embedder_process)
        self._knowledge = Knowledge(self._database, settings, index, self.embedder)
        self._embedding = Embedding(self._database, self.embedder, lambda: False)
        self._sync = ChromaSync(self._database, index)
        self._base = self._knowledge.create(self._user, "evaluation")["id"]
        self._ids: dict[str, str] = {}
        self._ingest = Ingest(
            self._database,
            index_for(self._database.sqlite),
            self._knowledge.originals,
            lambda path, name, heartbeat: parse(path, name, settings.file_pages),
            embedder=self.embedder,
        )

    def add(self, articles: Sequence[Article]) -> None:
        """Upload the articles' paragraphs and process them."""
        for article in articles:
            for name, text in article.files.items():
                row = self._knowledge.add_file(self._user, self._base, name, BytesIO(text.encode()))
                self._ids[name] = row["id"]
        while job := self._ingest.claim("evaluation"):
            if (
                self._embedding.run(job) != "ready"
                if job.is_read
                else self._ingest.read(job) == "failed"
            ):
                raise EmbedderUnavailable(
                    "away", model=self.embedder.fingerprint.model if self.embedder else ""
                )
        while self._sync.has_work() and self._sync.run_step():
            pass
        self._bases: Bases = self._knowledge.select_bases(self._user, [self._base])

    def remove(self, articles: Sequence[Article]) -> None:
        """Delete the articles' paragraphs."""
        for file_id in {self._ids[name] for article in articles for name in article.files}:
            self._knowledge.delete_file(self._user, self._base, file_id)

    def search(self, question: str, k: int) -> list[Passage]:
        return self._knowledge.search(self._bases, question, k)

    def close(self) -> None:
        """Close the database and end the services."""
        self._chroma.close()
        self._embedder_process.close()
        self._database.close()


def _add_user(t) -> str:  # type: ignore[no-untyped-def]
    user = User(name="evaluation")
    t.add(user)
    t.flush()
    return user.id


def _measure(
    pipeline: _EvaluatedPipeline,
    articles: Sequence[Article],
    chance: random.Random,
    progress: Progress,
) -> Report:
    questions = [question for article in articles for question in article.questions]
    total = len(questions)
    progress("asking", total)
    times = sorted(
        _milliseconds(pipeline, one)
        for one in chance.sample(questions, min(TIMED_QUESTIONS, total))
    )
    ranks = list(_ranks(pipeline, articles, questions))
    chosen = chance.sample(questions, min(ANSWERED_QUESTIONS, total))
    held = [_holds(pipeline.search(question.text, SHOWN), question) for question in chosen]
    progress("foreign", min(UNANSWERABLE_QUESTIONS, total))
    declined = [
        answer
        for fold in range(FOLDS)
        for answer in _foreign(pipeline, articles[fold::FOLDS], chance)
    ]
    return Report(
        embedder=pipeline.embedder.fingerprint.model if pipeline.embedder else None,
        paragraphs=sum(len(article.files) for article in articles),
        questions=total,
        recall={
            k: sum(rank is not None and rank < k for rank in ranks) / total for k in (1, 5, 10)
        },
        mrr=sum(1 / (rank + 1) for rank in ranks if rank is not None) / total,
        p50_ms=times[len(times) // 2],
        p95_ms=times[int(len(times) * 0.95)],
        answered=sum(held) / len(held),
        foreign=len(declined),
        declined=sum(declined) / len(declined) if declined else 0.0,
    )


def _milliseconds(pipeline: _EvaluatedPipeline, question: Question) -> float:
    began = time.perf_counter()
    pipeline.search(question.text, SHOWN)
    return (time.perf_counter() - began) * 1000


def _ranks(
    pipeline: _EvaluatedPipeline, articles: Sequence[Article], questions: Sequence[Question]
) -> Iterator[int | None]:
    """Yield the rank (from 0) of each question's paragraph, None where it is not among the
    results."""
    for name, question in _file_names(articles, questions):
        found = list(
            dict.fromkeys(passage.name for passage in pipeline.search(question.text, DEPTH))
        )
        yield found.index(name) if name in found else None


def _foreign(
    pipeline: _EvaluatedPipeline, articles: Sequence[Article], chance: random.Random
) -> list[bool]:
    """Delete articles, ask about them and add them again; return whether each was declined.

    Deleting single paragraphs is not enough: neighbours could answer.
    """
    questions = [question for article in articles for question in article.questions]
    pipeline.remove(articles)
    asked = chance.sample(questions, min(UNANSWERABLE_QUESTIONS // FOLDS, len(questions)))
    declined = [
        not fits(question.text, pipeline.search(question.text, SHOWN)) for question in asked
    ]
    pipeline.add(articles)
    return declined


def _file_names(
    articles: Sequence[Article], questions: Sequence[Question]
) -> Iterator[tuple[str, Question]]:
    """Yield each question with the file of its paragraph; equal paragraphs count as the first."""
    first: dict[str, str] = {}
    texts = {name: text for article in articles for name, text in article.files.items()}
    for article in articles:
        for name, text in article.files.items():
            first.setdefault(text, name)
    for question in questions:
        yield first[texts[question.file]], question


def _holds(passages: list[Passage], question: Question) -> bool:
    if not fits(question.text, passages):
        return False
    said = answer(Prompt(question.text, [], passages, grounded=True))
    return any(" ".join(gold.split()) in said for gold in question.answers)
