"""CPU of a search by keywords, by the number of chunks in the base.

The text is generated, with frequencies of words as in prose (Zipf and Mandelbrot), and questions
are words of one chunk. Bases of all sizes are asked in turn, so that ratios hold on a busy machine.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate, product
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bench.documents import SYLLABLES
from bench.figures import percentile
from bench.picture import Bar, Chart, svg
from bench.tables import Cell, Table, say
from chatapp.knowledge.search.bm25 import tokens_of
from chatapp.knowledge.search.lexical import create_index, index_for
from chatapp.knowledge.search.retrieve import retrieve
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Base, Chunk, File, KnowledgeBase, User, new_id
from chatapp.storage.text_models import FileText

PICTURE = Path("docs/search.svg")
VOCABULARY = 30_000
STOP_WORDS = 100  # more frequent words, which are not searched for and not generated
FILE_CHUNKS = 10
WRITTEN_FILES = 20  # in one transaction
SHOWN = 5
AIM_RATIO, AIM_MS = 1.5, 40  # of p95 at 50,000 chunks: to 1,000 chunks, and of CPU


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of chunks, and of questions to each base; the file for the picture."""

    chunks: tuple[int, ...] = (1_000, 10_000, 50_000, 100_000)
    questions: int = 150
    picture: Path | None = PICTURE


@dataclass(frozen=True, slots=True)
class Prose:
    """Words of a language, what joins them, and how many a chunk and a question have."""

    language: str
    words: Sequence[str]
    joint: str
    chunk_words: int
    question_words: int


def choose(options: list[str]) -> Size:
    """Parse the command line. A partial run draws no picture."""
    parser = argparse.ArgumentParser(prog="python -m bench search")
    parser.add_argument("--quick", action="store_true", help="only 1,000 and 10,000 chunks")
    given = parser.parse_args(options)
    return Size(Size().chunks[:2], picture=None) if given.quick else Size()


def measure(size: Size = Size()) -> Iterator[Table]:
    """Measure both languages; yield a table for each."""
    found: dict[str, list[list[float]]] = {}
    for prose in (_english(), _chinese()):
        with tempfile.TemporaryDirectory(prefix="chatapp-bench-") as folder:
            found[prose.language] = _costs(prose, Path(folder), size)
        yield _table(prose.language, size.chunks, found[prose.language])
    if size.picture is not None:
        size.picture.write_text(picture(size.chunks, found), "utf-8")
        say(f"drawn: {size.picture}")


def picture(sizes: Sequence[int], found: dict[str, list[list[float]]]) -> str:
    """Return the picture of the costs by size."""
    return svg(
        [
            Chart(
                f"CPU of a search, 95th percentile, {language}",
                [
                    Bar(
                        f"{chunks:,} chunks",
                        (cost := percentile(times, 0.95)),
                        f"{cost:.0f} ms",
                        True,
                    )
                    for chunks, times in zip(sizes, costs, strict=True)
                ],
            )
            for language, costs in found.items()
        ]
    )


def _english() -> Prose:
    words = ["".join(parts) for parts in product(SYLLABLES, repeat=4)]
    return Prose("English", random.Random(1).sample(words, VOCABULARY), " ", 100, 5)


def _chinese() -> Prose:
    chance = random.Random(1)
    characters = [chr(0x4E00 + n) for n in range(3_000)]
    words = {"".join(chance.choices(characters, k=2)) for _ in range(VOCABULARY)}
    return Prose("Chinese", sorted(words), "", 120, 5)


def _costs(prose: Prose, folder: Path, size: Size) -> list[list[float]]:
    """Return the milliseconds of CPU of each search, by size."""
    chance = random.Random(2)
    weights = list(accumulate(1 / (rank + STOP_WORDS) for rank in range(len(prose.words))))

    def words(count: int) -> list[str]:
        return chance.choices(prose.words, cum_weights=weights, k=count)

    questions: list[str] = []

    def chunk() -> str:
        made = words(prose.chunk_words)
        if len(questions) < size.questions:  # all bases hold the first chunks
            asked = [chance.randrange(len(made) - 1) for _ in range(prose.question_words)]
            questions.append(" ".join(prose.joint.join(made[at : at + 2]) for at in asked[::2]))
        return prose.joint.join(made)

    with ExitStack() as opened:
        bases: list[Database] = []
        file, filled = folder / "base.db", 0
        for chunks in size.chunks:
            say(f"{prose.language}: {chunks:,} chunks")
            filled = _fill(file, filled, chunks, chunk)
            copied = Path(shutil.copy(file, folder / f"{chunks}.db"))
            bases.append(open_database(f"sqlite:///{copied}"))
            opened.callback(bases[-1].close)
        for base in bases:
            _cost(base, questions[0])  # prepares statements
        times = [[_cost(base, question) for base in bases] for question in questions]
    return [list(costs) for costs in zip(*times, strict=True)]


def _cost(database: Database, question: str) -> float:
    index = index_for(database.sqlite)
    began = time.process_time()
    database.read(lambda t: retrieve(t, index, [1], question, SHOWN))
    return 1000 * (time.process_time() - began)


def _fill(file: Path, filled: int, chunks: int, chunk: Callable[[], str]) -> int:
    """Add files until the base has so many chunks; return their number."""
    database = open_database(f"sqlite:///{file}")
    try:
        if not filled:
            Base.metadata.create_all(database.engine)
            database.write(lambda t: create_index(t.connection()))
            database.write(_add_base)
        while filled < chunks:
            parts = [
                [chunk() for _ in range(min(FILE_CHUNKS, chunks - start))]
                for start in range(filled, chunks, FILE_CHUNKS)[:WRITTEN_FILES]
            ]
            database.write(lambda t, parts=parts: _add_files(t, parts))  # type: ignore[misc]
            filled += sum(len(each) for each in parts)
    finally:
        database.close()
    return filled


def _add_base(t: Session) -> None:
    user = User(name="bench")
    t.add(user)
    t.flush()
    t.add(KnowledgeBase(name="bench", user_id=user.id))


def _add_files(t: Session, files: Sequence[Sequence[str]]) -> None:
    base = t.query(KnowledgeBase).one()
    for texts in files:
        key = new_id()
        name = key.replace("-", "")
        row = {"id": key, "knowledge_base_id": base.id, "name": f"{name}.txt", "status": "ready"}
        hashes = {"md5": name, "sha256": 2 * name}
        t.execute(insert(File).values(**row, **hashes, size=1, media_type="text/plain"))
        t.execute(insert(FileText).values(file_id=key, text="\n\n".join(texts), pages=[]))
        rows, start = [], 0
        for ordinal, text in enumerate(texts):
            place = {"start": start, "end": start + len(text), "ordinal": ordinal}
            rows.append({"file_id": key, "text": text, "heading": "", **place})
            start += len(text) + 2
        ids = t.scalars(insert(Chunk).returning(Chunk.id, sort_by_parameter_order=True), rows)
        indexed = [(one, tokens_of("", "", text)) for one, text in zip(ids, texts, strict=True)]
        index_for(True).add(t, base.number, indexed)


def _table(language: str, sizes: Sequence[int], found: Sequence[Sequence[float]]) -> Table:
    first = percentile(found[0], 0.95)
    rows: list[tuple[Cell, ...]] = []
    for chunks, times in zip(sizes, found, strict=True):
        slow = percentile(times, 0.95)
        rows.append((f"{chunks:,}", percentile(times, 0.5), slow, slow / first))
    return Table(
        f"{language}: {len(found[0])} questions",
        ("chunks", "CPU, p50, ms", "CPU, p95, ms", "p95, to the first"),
        tuple(rows),
        (f"The aim at 50,000: at most {AIM_RATIO:g} times and {AIM_MS} ms of CPU.",),
    )
