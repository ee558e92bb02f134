"""The knowledge base on PostgreSQL, if installed: equal results, exclusive claims, complete
deletion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.settings import Settings
from chatapp.storage.models import Base
from tests.support.chroma import Chroma
from tests.support.dense_shelf import make_dense
from tests.support.embedserver import EmbedServer
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.shelf import Shelf, make_shelf

QUESTIONS = (
    "How many days of paid leave do employees in Hamburg get?",
    "Who may borrow laptops?",
    "重庆办事处的员工有多少天带薪年假？",
)

pytestmark = NEEDS_POSTGRES


@pytest.fixture
def other(tmp_path: Path, postgres: str) -> Iterator[Shelf]:
    made = make_shelf(Settings(home=tmp_path, database_url=postgres))
    yield made
    made.database.write(lambda t: t.connection().exec_driver_sql("DROP TABLE lexical") and None)
    Base.metadata.drop_all(made.database.engine)
    made.database.close()


def test_results_equal_those_on_sqlite(
    shelf: Shelf, other: Shelf, tmp_path: Path, english_pdf: bytes, chinese_pdf: bytes
) -> None:
    for each in (shelf, other):
        rows = [
            each.add("handbook.pdf", english_pdf),
            each.add("手册.pdf", chinese_pdf),
            each.add("a.txt", "Something else."),
        ]
        assert [row["status"] for row in rows] == ["ready"] * 3
    for question in QUESTIONS:
        found = [
            [(p.name, p.page, p.start, p.end, p.quote, p.score) for p in each.search(question)]
            for each in (shelf, other)
        ]
        assert found[0] == found[1] != []
    for each in (shelf, other):
        copied = each.knowledge.create(each.user, "Copies")["id"]
        each.add("copy.pdf", english_pdf, copied)
        both = each.search(QUESTIONS[0], 9, bases=[each.base, copied])
        assert len({(passage.md5, passage.start) for passage in both}) == len(both) == 9
    md5 = rows[0]["md5"]
    assert {passage.name for passage in other.search("days of leave", md5s=[md5])} == {
        "handbook.pdf"
    }


def test_files_are_claimed_once_and_deleted_without_a_trace(
    other: Shelf, chinese_pdf: bytes
) -> None:
    rows = [
        other.put("手册.pdf", chinese_pdf),
        other.put("a.txt", "The leave of employees."),
        other.put("b.txt", "Other words."),
    ]
    jobs = [other.ingest().claim(name) for name in ("one", "other", "one", "other")]
    assert len({job.file_id for job in jobs if job}) == 3 and jobs[3] is None
    for job in jobs:
        assert job is None or other.ingest().read(job) == "ready"
    assert other.count("terms") > 0
    other.knowledge.delete_file(other.user, other.base, rows[0]["id"])
    assert other.count("terms") == len({"leav", "employe", "word", "a", "b"} - {"a"}), (
        "the titles' words too"
    )
    other.knowledge.delete(other.user, other.base)
    assert other.leftovers() == {}


def test_vectors_are_created_found_rebuilt_and_deleted(tmp_path: Path, postgres: str) -> None:
    with EmbedServer() as server, Chroma(tmp_path / "vectors") as chroma:
        settings = Settings(
            home=tmp_path, database_url=postgres, embedder="meanings", embedder_url=server.base_url
        )
        made = make_dense(settings, chroma)
        try:
            row = made.add("rules.txt", "Everybody gets thirty days of leave a year.")
            made.add("car.txt", "The car is washed on Fridays.")
            assert made.is_exact() and made.search("holiday entitlement")[0].name == "rules.txt"
            chroma.kill()
            assert made.search("holiday entitlement")[0].name == "rules.txt"
            chroma.start()
            other = made.reopened(embedder="other-meanings")
            assert other.knowledge.base(made.user, made.base)["vectors"]["state"] == "mismatch"
            other.knowledge.reindex(made.user, made.base)
            other.work()
            assert other.is_exact() and other.search("holiday entitlement")[0].name == "rules.txt"
            other.knowledge.delete_file(made.user, made.base, row["id"])
            other.work()
            assert other.is_exact() and len(other.in_sql()) == 1
        finally:
            made.database.write(
                lambda t: t.connection().exec_driver_sql("DROP TABLE lexical") and None
            )
            Base.metadata.drop_all(made.database.engine)
            made.database.close()
