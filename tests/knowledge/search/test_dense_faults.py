"""Semantic search in rare cases: a server other than Chroma, abandoned re-indexing, refused texts,
concurrent workers."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.search.dense import NEEDS_REBUILD
from chatapp.knowledge.search.lexical import index_for
from chatapp.settings import Settings
from chatapp.storage.models import File, KnowledgeBase, now
from tests.support.chroma import Chroma
from tests.support.dense_shelf import Dense, make_dense
from tests.support.embedserver import EmbedServer

LEAVE = "Everybody gets thirty days of leave a year."
SYNONYM = "holiday entitlement"


@pytest.fixture
def embed_server() -> Iterator[EmbedServer]:
    with EmbedServer() as server:
        yield server


@pytest.fixture
def dense(tmp_path: Path, embed_server: EmbedServer) -> Iterator[Dense]:
    with Chroma(tmp_path / "vectors") as chroma:
        made = make_dense(
            Settings(home=tmp_path, embedder="meanings", embedder_url=embed_server.base_url), chroma
        )
        yield made
        made.database.close()


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server other than Chroma that answers every request alike."""
    status, body = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "stranger",
    [
        (404, b"not here"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"null"),
        (500, b"oops"),
        (200, b"<p>hi"),
    ],
    indirect=True,
)
def test_a_server_other_than_chroma_breaks_neither_search_nor_worker(
    dense: Dense, stranger: str
) -> None:
    dense.add("rules.txt", LEAVE)
    index = VectorIndex(lambda: stranger)
    dense.knowledge._dense._index = index  # type: ignore[union-attr]
    assert dense.search(SYNONYM)[0].name == "rules.txt", "found exactly"
    sync = ChromaSync(dense.database, index)
    dense.put("more.txt", LEAVE + " Really.")
    while sync.run_step():
        pass
    dense.knowledge.delete(dense.user, dense.base)
    remover = Remover(dense.database, index_for(True), dense.knowledge.originals, sync)
    assert not remover.run_step() and remover.has_work()


def test_embedding_yields_to_a_queued_file(dense: Dense) -> None:
    dense.put(
        "long.txt",
        "\n\n".join(f"Number {n} of leave. " + "It says more than that. " * 40 for n in range(100)),
    )
    ingest = dense.ingest()
    embedding = Embedding(dense.database, dense.embedder, lambda: False)
    read = ingest.claim("a worker")
    assert read and ingest.read(read) == "embedding"
    job = ingest.claim("a worker")
    assert job and job.is_read
    dense.put("small.txt", LEAVE)
    assert embedding.run(job) == "embedding"
    following = ingest.claim("a worker")
    assert following and following.name == "small.txt"
    assert ingest.read(following) == "embedding"
    dense.work()
    assert dense.is_exact()


def test_an_embedder_that_ends_with_the_service_leaves_no_error(dense: Dense) -> None:
    away = dense.reopened(embedder_url="http://127.0.0.1:1")
    row = away.put("rules.txt", LEAVE)
    ingest = away.ingest()
    read = ingest.claim("a worker")
    assert read and ingest.read(read) == "embedding"
    job = ingest.claim("a worker")
    stopping = iter([False, True])
    assert job and Embedding(away.database, away.embedder, lambda: next(stopping)).run(job)
    left = away.knowledge.file(away.user, away.base, row["id"])
    assert (left["status"], left["error"]) == ("embedding", None)
    assert ingest.claim("the next worker"), "it need not wait"


def test_reindexing_an_empty_base_completes(dense: Dense) -> None:
    assert dense.knowledge.reindex(dense.user, dense.base)["vectors"]["state"] == "building"
    dense.work()
    assert dense.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "ready"


def test_deleting_the_file_that_blocks_reindexing_completes_it(
    dense: Dense, embed_server: EmbedServer
) -> None:
    dense.add("rules.txt", LEAVE)
    other = dense.reopened(embedder="other-meanings")
    other.knowledge.reindex(dense.user, dense.base)
    other.work()
    embed_server.mood = "down"
    again = dense.reopened(embedder="third-meanings")
    again.knowledge.reindex(dense.user, dense.base)
    again.work()
    assert again.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "building"
    [file], _ = again.knowledge.files(dense.user, dense.base)
    again.knowledge.delete_file(dense.user, dense.base, file["id"])
    again.work()
    assert again.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "ready"


def test_files_added_without_the_embedder_are_embedded_later(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    dense.reopened(embedder="off").add("more.txt", LEAVE + " Really.")
    assert dense.knowledge.base(dense.user, dense.base)["vectors"] == {
        "state": "building", "made_with": "meanings", "current": "meanings", "done": 1, "total": 2,
    }  # fmt: skip
    dense.queue_missing()
    dense.work()
    assert dense.is_exact() and len(dense.in_sql()) == 2
    assert dense.knowledge.base(dense.user, dense.base)["vectors"]["state"] == "ready"


def test_returning_to_the_old_embedder_before_completion_keeps_its_vectors(dense: Dense) -> None:
    for n in range(2):
        dense.add(f"{n}.txt", f"{LEAVE} Number {n}.")
    before = dense.in_sql()
    other = dense.reopened(embedder="other-meanings")
    other.knowledge.reindex(dense.user, dense.base)
    job = dense.ingest().claim("a worker")
    assert job and Embedding(dense.database, other.embedder, lambda: False).run(job) == "ready"
    dense.queue_missing()
    dense.work()
    shown = dense.knowledge.base(dense.user, dense.base)["vectors"]
    assert (shown["state"], shown["made_with"]) == ("ready", "meanings")
    assert dense.in_sql() == before and dense.is_exact()


def test_a_base_of_a_former_built_in_embedder_moves_by_itself(
    dense: Dense, embed_server: EmbedServer
) -> None:
    for n in range(3):
        dense.add(f"{n}.txt", f"{LEAVE} Number {n}.")
    assert dense.embedder is not None
    former, other = dense.embedder.fingerprint.id, dense.reopened(embedder="other-meanings")
    assert other.embedder is not None
    other.embedder.replaces = [former]

    embed_server.mood = "down"  # the new embedder does not answer yet
    other.queue_missing()
    other.work()
    assert len(other.search("days of leave")) == 3, "words answer"
    shown = other.knowledge.base(dense.user, dense.base)["vectors"]
    assert (shown["state"], shown["made_with"], shown["done"]) == ("building", "other-meanings", 0)
    assert not other.in_sql(), "the former vectors are deleted"

    embed_server.mood = ""
    stops = iter([False] * 4 + [True] * 100)
    other.database.write(lambda t: t.execute(update(File).values(lease_until=now())) and None)
    other.work(should_stop=lambda: next(stops))
    assert 0 < len(other.in_sql()) < 3
    assert other.search(SYNONYM)[0].by["vectors"] is not None, "and the new vectors as they come"
    other.queue_missing()  # after a restart
    other.work()
    assert other.is_exact() and len(other.in_sql()) == 3
    shown = other.knowledge.base(dense.user, dense.base)["vectors"]
    assert (shown["state"], shown["done"]) == ("ready", 3)


def test_an_unfinished_switch_to_a_former_built_in_embedder_is_dropped(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    former = dense.reopened(embedder="former-meanings")
    former.knowledge.reindex(dense.user, dense.base)
    third = dense.reopened(embedder="other-meanings")
    assert former.embedder is not None and third.embedder is not None
    third.embedder.replaces = [former.embedder.fingerprint.id]
    third.queue_missing()
    assert dense.row().target is None
    assert (dense.row().fingerprint or {})["model"] == "meanings", "no other service's vectors move"


def test_a_worker_without_an_embedder_completes_no_reindexing(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    other = dense.reopened(embedder="other-meanings")
    other.knowledge.reindex(dense.user, dense.base)
    dense.reopened(embedder="off").work()
    assert (dense.row().fingerprint or {})["model"] == "meanings" and dense.row().target is not None
    other.queue_missing()
    other.work()
    assert (dense.row().fingerprint or {})["model"] == "other-meanings" and other.is_exact()


def test_reindexing_with_the_same_embedder_rebuilds_all_vectors(
    dense: Dense, embed_server: EmbedServer
) -> None:
    dense.add("rules.txt", LEAVE)
    embed_server.dimension = 128
    row = dense.add("more.txt", LEAVE + " Really.")
    assert row["error"]["key"] == "error.knowledge_unavailable.embedder_dimension"
    assert dense.search("days of leave")
    dense.knowledge.reindex(dense.user, dense.base)
    dense.work()
    assert dense.is_exact() and len(dense.in_sql()) == 2
    assert dense.search(SYNONYM)[0].by["vectors"] is not None
    assert len(dense.index.names("kb_")) == 1


def test_a_refused_text_does_not_block_its_file(dense: Dense, embed_server: EmbedServer) -> None:
    parts = [f"Number {n} of leave. " + "It says more than that. " * 40 for n in range(40)]
    parts[17] = "POISON " + parts[17]
    embed_server.refused = "POISON"
    row = dense.add("long.txt", "\n\n".join(parts))
    assert row["status"] == "ready"
    assert len(dense.in_sql()) == dense.count("chunks") - 1


def test_a_file_says_how_many_passages_only_keywords_find(dense: Dense) -> None:
    assert dense.embedder is not None
    dense.embedder.supports = lambda text: "休暇" not in text
    text = "\n\n".join(["# One", LEAVE, "# Two", "休暇は年に三十日あります。", "# Three", LEAVE])
    row = dense.add("mixed.md", text)
    assert (row["status"], row["chunks"], row["words_only"]) == ("ready", 3, 1)
    assert [one.name for one in dense.search("休暇は何日")] == ["mixed.md"]
    assert dense.add("rules.txt", LEAVE + " Really.")["words_only"] == 0


def test_a_file_with_only_refused_texts_becomes_ready(
    dense: Dense, embed_server: EmbedServer
) -> None:
    embed_server.refused = "POISON"
    assert dense.add("poison.txt", "This is POISON.")["status"] == "ready"


def test_two_workers_that_rebuild_a_collection_keep_one(dense: Dense) -> None:
    dense.add("rules.txt", LEAVE)
    one, other = ChromaSync(dense.database, dense.index), ChromaSync(dense.database, dense.index)
    dense.database.write(
        lambda t: setattr(t.scalars(select(KnowledgeBase)).one(), "indexed", NEEDS_REBUILD)
    )
    [base] = one._bases(select(KnowledgeBase).where(KnowledgeBase.changed > 0))
    assert one._synchronise(base) and other._synchronise(base)
    assert dense.is_exact() and dense.row().collection in dense.index.names("kb_")


def test_a_base_without_vectors_is_not_rebuilt(dense: Dense) -> None:
    row = dense.add("rules.txt", LEAVE)
    dense.knowledge.delete_file(dense.user, dense.base, row["id"])
    dense.work()
    woken = dense.settings.home / "wake"
    woken.unlink(missing_ok=True)
    assert dense.search(SYNONYM) == []
    assert dense.row().indexed == dense.row().changed and not woken.exists()


def test_a_local_embedder_is_called_without_the_proxy(
    tmp_path: Path, embed_server: EmbedServer
) -> None:
    settings = Settings(
        home=tmp_path, embedder="m", embedder_url=embed_server.base_url, proxy="http://127.0.0.1:9"
    )
    embedder = configured_embedder(settings)
    assert embedder is not None and embedder.embed_query("leave")


def test_a_file_parsed_again_is_embedded_again(dense: Dense) -> None:
    row = dense.add("rules.txt", LEAVE)

    def again(t: Any) -> None:
        file = t.get(File, row["id"])
        file.status = "queued"

    dense.database.write(again)
    dense.work()
    assert dense.is_exact() and dense.search(SYNONYM)[0].by["vectors"] is not None
