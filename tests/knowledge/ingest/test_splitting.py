"""Files are split as their base says; by size, with the reason, where meaning cannot be used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chatapp.core.text import CHUNK_TOKENS, count_tokens
from chatapp.errors import Forbidden
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import BATCH_TEXTS, configured_embedder
from chatapp.knowledge.formats.document import Document, Section
from chatapp.knowledge.ingest import splitting
from chatapp.knowledge.ingest.chunking import chunk_spans
from chatapp.knowledge.ingest.splitting import BY_MEANING, BY_SIZE, Splitter
from chatapp.settings import Settings
from chatapp.storage.models import Chunk, File
from chatapp.storage.text_models import FileText
from tests.support.embedserver import EmbedServer
from tests.support.shelf import Shelf, make_shelf

TOPICS = (
    "Every employee may take thirty days of annual leave, and leave is requested from the manager.",
    "The pump needs a new seal when the pump leaks, and the seal is pressed into the pump housing.",
    "Invoices are paid by transfer within two weeks, and late invoices cost a fee of two percent.",
)
SENTENCES = 7  # of a topic; three topics fit into two chunks by size
TEXT = " ".join(topic for topic in TOPICS for _ in range(SENTENCES))


@pytest.fixture
def embed_server() -> Iterator[EmbedServer]:
    with EmbedServer() as server:
        yield server


@pytest.fixture
def shelf(tmp_path: Path, embed_server: EmbedServer) -> Iterator[Shelf]:
    """A shelf whose base is split by meaning."""
    settings = Settings(home=tmp_path, embedder="meanings", embedder_url=embed_server.base_url)
    made = make_shelf(settings)
    made.embedder = configured_embedder(settings)
    away = VectorIndex(lambda: None)
    made.knowledge = Knowledge(made.database, settings, away, made.embedder)
    made.knowledge.change(made.user, made.base, {"splitting": BY_MEANING})
    yield made
    made.database.close()


def chunks_of(shelf: Shelf) -> list[str]:
    return shelf.database.read(
        lambda t: list(t.scalars(select(Chunk.text).order_by(Chunk.file_id, Chunk.ordinal)))
    )


def how(row: dict[str, Any]) -> tuple[str, str | None]:
    return row["split"], row["split_reason"]


def quiet(_share: float) -> None:
    """Report nothing."""


def test_chunks_end_where_the_topic_changes(shelf: Shelf) -> None:
    row = shelf.add("rules.txt", TEXT)
    assert how(row) == ("meaning", None)
    chunks = chunks_of(shelf)
    assert all(sum(topic in chunk for topic in TOPICS) == 1 for chunk in chunks)
    text, places = shelf.database.read(
        lambda t: (t.scalars(select(FileText.text)).one(), t.scalars(select(Chunk)).all())
    )
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in places)


def test_by_size_nothing_is_embedded_before_indexing(
    shelf: Shelf, embed_server: EmbedServer
) -> None:
    shelf.knowledge.change(shelf.user, shelf.base, {"splitting": BY_SIZE})
    assert how(shelf.add("rules.txt", TEXT)) == ("size", None)
    assert len(embed_server.texts()) == len(chunks_of(shelf))
    assert any(sum(topic in chunk for topic in TOPICS) == 2 for chunk in chunks_of(shelf))


def test_no_chunk_crosses_a_heading(shelf: Shelf) -> None:
    text = "\n\n".join(f"# Part {n}\n\n{TEXT}" for n in range(2))
    shelf.add("rules.md", text)
    rows = shelf.database.read(
        lambda t: [(chunk.heading, chunk.text) for chunk in t.scalars(select(Chunk))]
    )
    assert {heading for heading, _ in rows} == {"Part 0", "Part 1"}
    assert all(text.count("# Part") == (text[0] == "#") for _, text in rows)
    assert max(count_tokens(text) for _, text in rows) <= CHUNK_TOKENS


def test_without_an_embedder_the_size_decides_and_the_file_says_so(shelf: Shelf) -> None:
    shelf.embedder = None
    row = shelf.add("rules.txt", TEXT)
    assert (row["status"], *how(row)) == ("ready", "size", "off")
    assert len(chunks_of(shelf)) == row["chunks"]


def test_an_embedder_that_is_away_delays_no_file(
    shelf: Shelf, embed_server: EmbedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "PAUSE_SECONDS", 0.01)
    embed_server.mood = "down"
    splitter = Splitter(shelf.embedder, wait_seconds=0.03)
    document = Document("text/plain", TEXT)
    reports: list[float] = []
    split = splitter.split(document, BY_MEANING, reports.append)
    assert (split.by, split.reason, split.spans) == ("size", "away", chunk_spans(document))
    waited = len(reports)
    splitter.split(document, BY_MEANING, reports.append)
    assert len(reports) - waited < waited, "the second file does not wait"
    embed_server.mood = ""
    assert splitter.split(document, BY_MEANING, quiet).by == "meaning"


def test_an_embedder_that_is_starting_is_waited_for(
    shelf: Shelf, embed_server: EmbedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "PAUSE_SECONDS", 0.01)
    embed_server.mood = "down"
    calls = 0

    def starts(_share: float) -> None:
        nonlocal calls
        calls += 1
        embed_server.mood = "" if calls > 3 else "down"

    split = Splitter(shelf.embedder).split(Document("text/plain", TEXT), BY_MEANING, starts)
    assert (split.by, split.reason) == ("meaning", None)


def test_a_very_long_text_is_split_by_size(
    shelf: Shelf, embed_server: EmbedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "MAX_SENTENCES", 3 * SENTENCES)
    assert how(shelf.add("rules.txt", TEXT)) == ("meaning", None)
    before = len(embed_server.texts())
    row = shelf.add("longer.txt", TEXT + " One more.")
    assert how(row) == ("size", "long")
    assert len(embed_server.texts()) - before == row["chunks"]


def test_a_language_that_the_embedder_does_not_support_is_split_by_size(shelf: Shelf) -> None:
    class English:
        fingerprint = None

        def supports(self, text: str) -> bool:
            return text.isascii()

    splitter = Splitter(English())  # type: ignore[arg-type]
    document = Document("text/plain", "每年有三十天年假，请向经理申请。" * 40 + TOPICS[0])
    split = splitter.split(document, BY_MEANING, quiet)
    assert (split.by, split.reason) == ("size", "language")


def test_sentences_that_the_embedder_refuses_do_not_stop_the_others(
    shelf: Shelf, embed_server: EmbedServer
) -> None:
    embed_server.refused = "forbidden"
    text = TEXT.replace("new seal when the pump leaks", "forbidden seal when the pump leaks", 2)
    assert how(shelf.add("rules.txt", text)) == ("meaning", None)


def test_short_sections_are_not_embedded(shelf: Shelf, embed_server: EmbedServer) -> None:
    text = "\n\n".join(f"# Part {n}\n\n{TOPICS[n % 3]}" for n in range(30))
    assert how(shelf.add("rules.md", text)) == ("meaning", None)
    assert len(chunks_of(shelf)) == len(embed_server.texts()) == 30


def test_progress_is_shown_and_a_stop_puts_the_file_back(shelf: Shelf) -> None:
    row = shelf.put("long.txt", TEXT * 20)
    seen: list[tuple[str, float]] = []

    def stops() -> bool:
        file = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
        seen.append((file["status"], file["progress"]))
        return len(seen) > 8

    ingest = shelf.ingest(should_stop=stops)
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "queued"
    progress = [share for status, share in seen if status == "indexing"]
    assert progress == sorted(progress) and len(set(progress)) > 4
    assert len(TEXT * 20) > 8 * BATCH_TEXTS
    assert shelf.count("chunks") == 0
    left = shelf.database.read(lambda t: t.scalars(select(File)).one())
    assert (left.attempts, left.lease_owner) == (0, None)
    assert shelf.work() == ["embedding", "ready"]
    assert how(shelf.knowledge.file(shelf.user, shelf.base, row["id"])) == ("meaning", None)


def test_a_stop_while_the_embedder_is_away_puts_the_file_back(
    shelf: Shelf, embed_server: EmbedServer
) -> None:
    row = shelf.put("rules.txt", TEXT)
    embed_server.mood = "down"
    ingest = shelf.ingest(should_stop=lambda: bool(embed_server.keys))
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "queued"
    assert how(shelf.knowledge.file(shelf.user, shelf.base, row["id"])) == ("size", None)


# --- changing the choice


def test_files_split_otherwise_are_counted_and_can_be_read_again(shelf: Shelf) -> None:
    base = shelf.knowledge.change(shelf.user, shelf.base, {"splitting": BY_SIZE})
    assert (base["splitting"], base["split_otherwise"]) == ("size", 0)
    row = shelf.add("rules.txt", TEXT)
    base = shelf.knowledge.change(shelf.user, shelf.base, {"splitting": BY_MEANING})
    assert (base["splitting"], base["split_otherwise"]) == ("meaning", 1)
    assert how(shelf.knowledge.file(shelf.user, shelf.base, row["id"])) == ("size", None)
    again = shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])
    assert again["status"] == "queued"
    assert shelf.work() == ["embedding", "ready"]
    assert how(shelf.knowledge.file(shelf.user, shelf.base, row["id"])) == ("meaning", None)
    assert shelf.knowledge.base(shelf.user, shelf.base)["split_otherwise"] == 0
    assert shelf.count("lexical") == shelf.count("chunks") == len(chunks_of(shelf))
    unchanged = shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])
    assert unchanged["status"] == "ready", "it is as chosen"


def test_reading_again_is_not_offered_where_it_would_change_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "MAX_SENTENCES", 5)
    assert how(shelf.add("rules.txt", TEXT)) == ("size", "long")
    assert shelf.knowledge.base(shelf.user, shelf.base)["split_otherwise"] == 0


def test_the_choice_of_another_user_s_base_cannot_be_changed(shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "manual.md").write_text("# Manual\n\nHow to ask.", "utf-8")
    shelf.knowledge.install_manual(folder)
    [bundled] = [base for base in shelf.knowledge.bases(shelf.user) if base["bundled"]]
    assert bundled["splitting"] == "size"
    with pytest.raises(Forbidden):
        shelf.knowledge.change(shelf.user, bundled["id"], {"splitting": BY_MEANING})


def test_a_document_of_one_section_per_page_is_split_within_them(shelf: Shelf) -> None:
    text = f"{TEXT}\n\n{TEXT}"
    second = len(TEXT) + 2
    document = Document("application/pdf", text, (Section(0, ""),), (0, second))
    split = Splitter(shelf.embedder).split(document, BY_MEANING, quiet)
    assert split.by == "meaning" and second in {span.start for span in split.spans}
