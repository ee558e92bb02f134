"""Searches of bases in which common words occur in thousands of chunks."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from chatapp.knowledge.search.bm25 import MAX_RANKED_CHUNKS, Statistics, rarest
from chatapp.settings import Settings
from chatapp.storage.models import Base, File
from tests.support.lexical_index import Index
from tests.support.postgres import BOTH
from tests.support.shelf import Shelf, make_shelf

COMMON = MAX_RANKED_CHUNKS + 200  # chunks with a common word
RARE = 400
QUESTION = "Which zebra is in the office?"


@pytest.fixture(params=BOTH)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/i.db" if is_sqlite else request.getfixturevalue("postgres")
    made = Index(url)
    yield made
    made.database.write(lambda t: t.connection().exec_driver_sql("DROP TABLE lexical") and None)
    Base.metadata.drop_all(made.database.engine)
    made.database.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Yield a base with two large files and a small one, which lacks the rare word."""
    made = make_shelf(Settings(home=tmp_path_factory.mktemp("large")))
    for name, word, count in (
        ("o", "office", COMMON),
        ("z", "zebra", RARE),
        ("small", "office", 2),
    ):
        made.add(f"{name}.md", "\n\n".join(f"# {n}\n\nThe {word}." for n in range(count)))
    yield made
    made.database.close()


def test_as_many_tokens_are_searched_as_the_limit_allows_but_enough() -> None:
    def chosen(**frequencies: int) -> list[str]:
        statistics = Statistics(50_000, 10_000_000, frequencies)
        return list(rarest(statistics, list(frequencies), 5_000, 100))

    assert chosen(a=500, b=4_500, c=4_500) == ["a", "b"]
    assert chosen(a=500, b=4_501) == ["a"]
    assert chosen(a=99, b=20_000, c=20_000) == ["a", "b"], "99 chunks are too few to choose from"
    assert chosen(a=20_000, b=30_000) == ["a"]
    assert chosen(a=2, b=3) == ["a", "b"]


def test_common_words_decide_among_the_chunks_with_a_rare_one(index: Index) -> None:
    index.add(*["an office desk"] * COMMON)
    zebras = index.add(*["a zebra desk"] * RARE)
    (both,) = index.add("a zebra in an office")
    found = index.find("offic", "zebra")
    assert [key for key, _ in found] == [both, *zebras[:99]]
    assert found[0][1] > found[1][1] == found[-1][1]
    assert len(index.find("offic")) == 100


def test_a_search_reads_the_best_candidates_once(large: Shelf) -> None:
    read: Counter[str] = Counter()

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "chunks.text" in statement:
            read["statements"] += 1
            read["ids"] += len(values)

    event.listen(large.database.engine, "before_cursor_execute", note)
    try:
        assert len(large.search(QUESTION)) == 5
    finally:
        event.remove(large.database.engine, "before_cursor_execute", note)
    assert read == {"statements": 1, "ids": 20}


def test_a_filter_finds_common_words_where_the_rare_ones_are_elsewhere(large: Shelf) -> None:
    files = {file["name"]: file["md5"] for file in large.knowledge.files(large.user, large.base)[0]}
    found = large.search(QUESTION, md5s=[files["small.md"]])
    assert [passage.name for passage in found] == ["small.md"] * 2
    assert {passage.name for passage in large.search(QUESTION, 30)} == {"z.md"}
    both = large.search(QUESTION, 30, md5s=[files["o.md"], files["small.md"]])
    assert {passage.name for passage in both} == {"o.md"} and len(both) == 30


@pytest.mark.parametrize("status", ["indexing", "failed", "deleting"])
def test_hidden_chunks_are_not_shown_and_hide_no_others(shelf: Shelf, status: str) -> None:
    shelf.add("b.md", "\n\n".join(f"# {n}\n\nThe zebra office {n}." for n in range(150)))
    shelf.add("a.md", "\n\n".join(f"# {n}\n\nThe office." for n in range(9)))
    hide = update(File).where(File.name == "b.md").values(status=status)
    shelf.database.write(lambda t: t.execute(hide) and None)
    found = shelf.search(QUESTION, 7)
    assert [passage.name for passage in found] == ["a.md"] * 7
