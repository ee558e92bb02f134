"""Semantic search: vectors are computed in steps, stored in SQL, copied to a real Chroma and
searched; and failures of each step."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from chatapp.errors import EmbedderUnavailable, Forbidden
from chatapp.knowledge.chroma import VectorEntry
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.pipeline import Ingest, release_dead_leases
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.search.dense import NEEDS_REBUILD
from chatapp.knowledge.search.lexical import index_for
from chatapp.settings import Settings
from chatapp.storage.models import File, KnowledgeBase, Vector, now
from tests.support.chroma import Chroma
from tests.support.dense_shelf import Dense, make_dense
from tests.support.embedserver import EmbedServer
from tests.support.shelf import parse_here

LEAVE = "Everybody gets thirty days of leave a year."
CAR = "The car is washed on Fridays by the caretaker."
# shares no word with LEAVE, but the test's embedder maps "holiday" to "leave"
SYNONYM = "holiday entitlement"


@pytest.fixture
def embed_server() -> Iterator[EmbedServer]:
    with EmbedServer() as server:
        yield server


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[Chroma]:
    with Chroma(tmp_path / "vectors") as running:
        yield running


@pytest.fixture
def dense(tmp_path: Path, embed_server: EmbedServer, chroma: Chroma) -> Iterator[Dense]:
    made = make_dense(
        Settings(home=tmp_path, embedder="meanings", embedder_url=embed_server.base_url), chroma
    )
    yield made
    made.database.close()


def names(found: list[Any]) -> list[str]:
    return [passage.name for passage in found]


# --- from file to vectors


def test_a_paraphrased_question_finds_passages_by_vectors(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    dense.add("car.txt", CAR)
    found = dense.search(SYNONYM)
    assert found[0].name == "rules.txt"
    assert found[0].by["words"] is None and (found[0].by["vectors"] or 0) > 0
    assert dense.is_exact()
    assert dense.knowledge.base(dense.user, dense.base)["vectors"] == {
        "state": "ready", "made_with": "meanings", "current": "meanings", "done": 2, "total": 2,
    }  # fmt: skip


def test_keyword_search_works_before_vectors_exist(dense: Dense, embed_server: EmbedServer) -> None:
    embed_server.mood = "down"
    row = dense.add("rules.txt", LEAVE)
    assert row["status"] == "embedding"
    assert row["error"]["key"] == "error.knowledge_unavailable.embedder_refused"
    assert names(dense.search("days of leave")) == ["rules.txt"]
    assert dense.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "building"


def test_a_file_waiting_for_the_embedder_resumes_by_itself_or_on_retry(
    dense: Dense, embed_server: EmbedServer
) -> None:
    embed_server.mood = "key"
    row = dense.add("rules.txt", LEAVE)
    assert row["error"]["key"] == "error.knowledge_unavailable.embedder_key"
    embed_server.mood = ""
    assert dense.work() == [], "the pause is not over"
    dense.database.write(lambda t: t.execute(update(File).values(lease_until=now())) and None)
    assert dense.work() == ["ready"]
    embed_server.mood = "html"
    other = dense.add("car.txt", CAR)
    assert other["error"]["key"] == "error.knowledge_unavailable.embedder_garbled"
    embed_server.mood = ""
    assert dense.knowledge.retry_file(dense.user, dense.base, other["id"])["error"] is None
    assert dense.work() == ["ready"]
    assert dense.is_exact()


@pytest.mark.parametrize("mood", ["html", "nan", "short", "down", "key"])
def test_no_embedder_failure_breaks_search_or_ingestion(
    dense: Dense, embed_server: EmbedServer, mood: str
) -> None:
    dense.add("rules.txt", LEAVE)
    embed_server.mood = mood
    assert names(dense.search("days of leave")) == ["rules.txt"]
    assert dense.add("car.txt", CAR)["status"] == "embedding"


def test_a_service_with_a_small_batch_limit_gets_small_batches(
    dense: Dense, embed_server: EmbedServer
) -> None:
    embed_server.most = 3
    dense.put(
        "long.txt",
        "\n\n".join(f"Number {n} of leave. " + "It says more than that. " * 40 for n in range(30)),
    )
    dense.work()
    assert dense.is_exact() and len(dense.in_sql()) > 20
    assert max(len(payload["input"]) for payload in embed_server.asked) <= 3


def test_title_headings_and_prefixes_are_embedded_with_the_text(
    dense: Dense, embed_server: EmbedServer
) -> None:
    shelf = dense.reopened(query_prefix="query: ", passage_prefix="passage: ")
    shelf.add("Handbook.md", f"# Absence\n\n## Leave\n\n{LEAVE}")
    assert any(
        text.startswith("passage: Handbook\nAbsence › Leave\n") for text in embed_server.texts()
    )
    shelf.search("How much leave?")
    assert embed_server.texts()[-1] == "query: How much leave?"


def test_a_killed_worker_resumes_without_embedding_twice(
    dense: Dense, embed_server: EmbedServer
) -> None:
    dense.put(
        "long.txt",
        "\n\n".join(f"Number {n} of leave. " + "It says more than that. " * 40 for n in range(120)),
    )
    steps = iter([False] * 6)  # the seventh call asks it to stop

    assert dense.work(should_stop=lambda: next(steps, True))[-1] in ("queued", "embedding")
    before = len(embed_server.texts())
    assert 0 < before < 120
    dense.work()
    assert dense.is_exact()
    assert len(embed_server.texts()) == len(set(embed_server.texts())) == len(dense.in_sql()), (
        "nothing was embedded twice"
    )


def test_leases_of_a_dead_local_worker_are_released(dense: Dense) -> None:
    row = dense.put("rules.txt", LEAVE)
    index = index_for(True)
    ingest = Ingest(dense.database, index, dense.knowledge.originals, parse_here)
    assert ingest.claim("here:999999999:abc") is not None
    assert ingest.claim("a worker") is None
    dense.database.write(lambda t: release_dead_leases(t, "here"))
    job = ingest.claim("a worker")
    assert job is not None and job.file_id == row["id"]


def test_files_parsed_without_an_embedder_are_embedded_once_one_is_configured(dense: Dense) -> None:
    without = dense.reopened(embedder="off")
    assert without.add("rules.txt", LEAVE)["status"] == "ready"
    assert without.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "off"
    assert without.search(SYNONYM) == []
    dense.queue_missing()
    dense.work()
    assert names(dense.search(SYNONYM)) == ["rules.txt"]


# --- deleting


def test_deletion_leaves_no_vectors(dense: Dense) -> None:
    row = dense.add("rules.txt", LEAVE)
    dense.add("car.txt", CAR)
    collection = dense.row().collection
    dense.knowledge.delete_file(dense.user, dense.base, row["id"])
    assert names(dense.search(SYNONYM)) == ["car.txt"], "at once, even before Chroma is updated"
    dense.work()
    assert dense.is_exact() and len(dense.in_sql()) == 1
    dense.knowledge.delete(dense.user, dense.base)
    remover = Remover(dense.database, index_for(True), dense.knowledge.originals, dense.sync)
    assert remover.has_work()
    while remover.run_step():
        pass
    assert dense.leftovers() == {} and dense.in_sql() == set()
    assert dense.index.names("kb_") == [] and collection


def test_deleting_a_base_is_retried_while_chroma_is_down(dense: Dense, chroma: Chroma) -> None:
    dense.add("rules.txt", LEAVE)
    chroma.kill()
    dense.knowledge.delete(dense.user, dense.base)
    remover = Remover(dense.database, index_for(True), dense.knowledge.originals, dense.sync)
    assert not remover.run_step() and remover.has_work()
    chroma.start()
    remover = Remover(
        dense.database,
        index_for(True),
        dense.knowledge.originals,
        ChromaSync(dense.database, dense.index),
    )
    assert remover.run_step() and not remover.has_work()
    assert dense.index.names("kb_") == []


def test_another_base_s_chunk_in_chroma_is_not_returned(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    other = dense.knowledge.create(dense.user, "Other")["id"]
    dense.add("car.txt", CAR, base=other)
    theirs = dense.database.read(
        lambda t: t.scalars(select(KnowledgeBase).where(KnowledgeBase.id == other)).one()
    )
    [stranger] = dense.in_chroma()
    vector = dense.database.read(
        lambda t: t.scalars(select(Vector.embedding).where(Vector.chunk_id == stranger)).one()
    )
    dense.index.upsert(theirs.collection or "", [VectorEntry(stranger, "0" * 32, vector)])
    assert names(dense.search(SYNONYM, bases=[other])) == ["car.txt"]


def test_a_file_of_two_bases_is_found_once_in_the_one_that_has_its_vectors(
    dense: Dense, chroma: Chroma
) -> None:
    dense.add("rules.txt", LEAVE)
    other = dense.knowledge.create(dense.user, "Other")["id"]
    dense.add("copy.txt", LEAVE, base=other)
    both = [dense.base, other]
    assert names(dense.search(SYNONYM, bases=both)) == ["rules.txt"]
    assert names(dense.search(SYNONYM, bases=both[::-1])) == ["copy.txt"]
    another = {"id": "0" * 8, "model": "another"}
    values = update(KnowledgeBase).where(KnowledgeBase.id == dense.base).values(fingerprint=another)
    dense.database.write(lambda t: t.execute(values) and None)
    assert names(dense.search("leave", bases=both)) == ["copy.txt"]
    chroma.kill()
    assert names(dense.search("leave", bases=both)) == ["copy.txt"]


def test_an_md5_filter_applies_to_vectors(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    car = dense.add("car.txt", CAR)
    assert names(dense.search(SYNONYM, md5s=[car["md5"]])) == ["car.txt"]


# --- Chroma fails


def test_without_chroma_the_search_is_exact_and_finds_the_same(
    dense: Dense, chroma: Chroma
) -> None:
    for n in range(30):
        dense.add(f"{n}.txt", f"{LEAVE} Number {n}." if n % 2 else f"{CAR} Number {n}.")
    before = dense.search(SYNONYM, 10)
    chroma.kill()
    after = dense.search(SYNONYM, 10)
    assert sorted(names(before)) == sorted(names(after))
    assert [passage.by for passage in before] == [passage.by for passage in after]


def test_the_index_is_rebuilt_after_chroma_s_folder_was_deleted(
    dense: Dense, chroma: Chroma
) -> None:
    dense.add("rules.txt", LEAVE)
    dense.add("car.txt", CAR)
    chroma.kill()
    shutil.rmtree(chroma.folder)
    chroma.start()
    assert dense.search(SYNONYM)[0].name == "rules.txt"
    assert dense.row().indexed == NEEDS_REBUILD
    dense.work()
    assert dense.is_exact()
    assert dense.search(SYNONYM)[0].name == "rules.txt"


def test_a_new_chroma_server_is_checked_before_the_first_search(
    dense: Dense, chroma: Chroma
) -> None:
    dense.add("rules.txt", LEAVE)
    chroma.kill()
    shutil.rmtree(chroma.folder)
    chroma.start()
    dense.work()
    assert dense.is_exact()


def test_a_lost_graph_is_detected_although_the_count_is_right(dense: Dense, chroma: Chroma) -> None:
    for n in range(3):
        dense.put(
            f"{n}.txt",
            "\n\n".join(f"Number {n}.{i} of leave. " + "It says more. " * 60 for i in range(120)),
        )
    dense.work()
    name = dense.row().collection
    chroma.kill()
    for folder in [path for path in chroma.folder.iterdir() if path.is_dir()]:
        shutil.rmtree(folder)
    chroma.start()
    dense.work()
    assert dense.is_exact()
    assert dense.row().collection != name or dense.search("leave")
    assert dense.search(SYNONYM), "vectors are found again"


def test_foreign_changes_to_a_collection_are_reverted(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    [one] = dense.in_chroma()
    vector = dense.database.read(lambda t: t.scalars(select(Vector.embedding)).one())
    name = dense.row().collection or ""
    dense.index.delete(name, [one])
    dense.index.upsert(name, [VectorEntry(one + 1000, "0" * 32, vector)])
    dense.add("car.txt", CAR)
    assert dense.is_exact()


def test_synchronisation_survives_kills_of_chroma(dense: Dense, chroma: Chroma) -> None:
    for n in range(20):
        dense.put(f"{n}.txt", f"{LEAVE} Number {n}.")
        if n % 5 == 0:
            chroma.kill()
            dense.work()
            chroma.start()
            dense.sync = ChromaSync(dense.database, dense.index)
    dense.work()
    assert dense.is_exact() and len(dense.in_sql()) == 20


# --- another embedder


def test_another_embedder_keeps_keyword_search_and_offers_reindexing(
    dense: Dense, embed_server: EmbedServer
) -> None:
    dense.add("rules.txt", LEAVE)
    old = dense.row().collection
    other = dense.reopened(embedder="other-meanings")
    assert other.knowledge.base(dense.user, dense.base)["vectors"] | {"done": 0, "total": 0} == {
        "state": "mismatch", "made_with": "meanings", "current": "other-meanings",
        "done": 0, "total": 0,
    }  # fmt: skip
    assert other.search(SYNONYM) == [] and names(other.search("days of leave")) == ["rules.txt"]
    assert other.add("car.txt", CAR)["status"] == "ready", "by keyword search, like the others"
    assert len(dense.in_sql()) == 1
    embed_server.dimension = 128
    shown = other.knowledge.reindex(dense.user, dense.base)
    assert shown["vectors"]["state"] == "building"
    assert names(other.search("days of leave")) == ["rules.txt"]
    other.work()
    assert other.is_exact() and len(other.in_sql()) == 2
    assert other.row().collection != old and len(other.index.names("kb_")) == 1
    assert other.search(SYNONYM)[0].name == "rules.txt"
    assert other.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "ready"


def test_reindexing_switches_with_the_last_file(dense: Dense, embed_server: EmbedServer) -> None:
    for n in range(3):
        dense.add(f"{n}.txt", f"{LEAVE} Number {n}.")
    other = dense.reopened(embedder="other-meanings")
    other.knowledge.reindex(dense.user, dense.base)
    looks = iter([False] * 3)
    other.work(should_stop=lambda: next(looks, True))
    assert (other.row().fingerprint or {})["model"] == "meanings"
    other.work()
    assert (other.row().fingerprint or {})["model"] == "other-meanings"
    fingerprints = set(dense.database.read(lambda t: t.scalars(select(Vector.fingerprint)).all()))
    assert fingerprints == {other.embedder.fingerprint.id} if other.embedder else False
    assert other.is_exact()


def test_reindexing_needs_an_embedder_and_an_own_base(dense: Dense, tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable) as refused:
        dense.reopened(embedder="off").knowledge.reindex(dense.user, dense.base)
    assert refused.value.key == "error.knowledge_unavailable.embedder_none"
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "en.md").write_text("# Hello\n\nThis is the manual about leave.")
    dense.knowledge.install_manual(folder)
    dense.work()
    bundled = next(base for base in dense.knowledge.bases(dense.user) if base["bundled"])
    assert (
        bundled["vectors"]["state"] == "off" and bundled["chunks"] == 1 and dense.in_sql() == set()
    )
    with pytest.raises(Forbidden):
        dense.knowledge.reindex(dense.user, bundled["id"])
