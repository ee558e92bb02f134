"""From queued to ready: claims, leases, repetition, and what remains after failures."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from chatapp.errors import UnreadableFile
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.pipeline import BATCH_CHUNKS, MAX_ATTEMPTS, has_pending
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.ingest.sandbox import ParserEnded, parse_limited
from chatapp.storage.models import Chunk, File, now
from chatapp.storage.text_models import FileText
from tests.support import documents
from tests.support.shelf import Shelf

LONG = "\n\n".join(
    f"Paragraph {n} about the leave of employees. " + "It says a lot more than that. " * 30
    for n in range(150)
)


def test_a_file_becomes_searchable_with_offsets_that_fit(shelf: Shelf, english_pdf: bytes) -> None:
    row = shelf.add("handbook.pdf", english_pdf)
    assert (row["status"], row["pages"], row["progress"], row["error"]) == (
        "ready",
        documents.PAGES,
        1.0,
        None,
    )
    assert row["media_type"] == "application/pdf"
    chunks, text = shelf.database.read(
        lambda t: (t.scalars(select(Chunk)).all(), t.scalars(select(FileText)).one().text)
    )
    assert len(chunks) == row["chunks"] > documents.PAGES / 2
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [chunk.page for chunk in chunks] == sorted(chunk.page for chunk in chunks)
    assert chunks[0].page == 1 and chunks[-1].page in (documents.PAGES - 1, documents.PAGES)


def test_chunks_carry_their_headings(shelf: Shelf) -> None:
    shelf.add("rules.md", "# Leave\n\ntwenty days\n\n## Sickness\n\ncall at nine")
    rows = shelf.database.read(
        lambda t: [(chunk.heading, chunk.text) for chunk in t.scalars(select(Chunk))]
    )
    assert rows == [
        ("Leave", "# Leave\n\ntwenty days"),
        ("Leave › Sickness", "## Sickness\n\ncall at nine"),
    ]


def test_a_file_is_found_only_once_it_is_complete(shelf: Shelf) -> None:
    shelf.add("other.txt", "The leave of pupils.")
    row = shelf.put("long.txt", LONG)
    seen: list[tuple[int, int]] = []

    def count() -> bool:
        if shelf.count("chunks") > 1:
            seen.append((shelf.count("chunks"), len(shelf.search("leave of employees", 50))))
        return False

    ingest = shelf.ingest(should_stop=count)
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "ready"
    assert len(seen) >= 2 and all(chunks >= BATCH_CHUNKS and found == 1 for chunks, found in seen)
    assert len(shelf.search("leave of employees", 50)) > 1
    assert (
        shelf.knowledge.file(shelf.user, shelf.base, row["id"])["chunks"]
        == shelf.count("chunks") - 1
    )


def test_a_failed_file_has_a_reason_and_no_chunks(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chatapp")
    row = shelf.add("scan.pdf", documents.scan())
    assert row["status"] == "failed"
    assert row["error"]["code"] == "unreadable_file"
    assert row["error"]["key"] == "error.unreadable_file.no_text"
    assert caplog.messages == [f"file {row['id']} cannot be read: error.unreadable_file.no_text"]
    assert shelf.count("chunks") == 0


def test_a_file_says_how_many_parts_could_not_be_read(shelf: Shelf) -> None:
    slide = "ppt/slides/slide1.xml"
    broken = shelf.add("deck.pptx", documents.with_part(documents.slides(), slide, b"<"))
    assert (broken["status"], broken["skipped"], broken["error"]) == ("ready", 1, None)
    assert shelf.add("whole.pptx", documents.slides())["skipped"] == 0


def test_a_retry_parses_the_file_again(shelf: Shelf) -> None:
    row = shelf.put("a.txt", "The leave of employees.")

    def broken(path: Path, name: str, heartbeat: Callable[[], None]) -> Document:
        raise UnreadableFile("limits")

    assert shelf.work(broken) == ["failed"]
    again = shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])
    assert (again["status"], again["error"]) == ("queued", None)
    assert shelf.work() == ["ready"]
    assert shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])["status"] == "ready"


def test_two_workers_never_claim_the_same_file(shelf: Shelf) -> None:
    for number in range(3):
        shelf.put(f"{number}.txt", f"Text number {number}.")
    one, other = shelf.ingest(), shelf.ingest()
    jobs = [one.claim("one"), other.claim("other"), one.claim("one"), other.claim("other")]
    assert jobs[3] is None
    assert len({job.file_id for job in jobs if job}) == 3
    assert [job.name for job in jobs if job] == ["0.txt", "1.txt", "2.txt"], "oldest first"


def test_after_a_worker_dies_another_takes_over_without_duplicates(shelf: Shelf) -> None:
    row = shelf.put("long.txt", LONG)
    dead = shelf.ingest(should_stop=lambda: False)
    job = dead.claim("dead")
    assert job
    calls = 0

    def dies() -> bool:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise KeyboardInterrupt
        return False

    half = shelf.ingest(should_stop=dies)
    with pytest.raises(KeyboardInterrupt):
        half.read(job)
    left = shelf.count("chunks")
    assert left > 0
    assert shelf.ingest().claim("next") is None, "the lease is still valid"
    expire(shelf)
    assert shelf.database.read(has_pending)
    assert shelf.work() == ["ready"]
    ready = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
    assert ready["chunks"] == shelf.count("chunks") == shelf.count("lexical") > left
    ordinals = shelf.database.read(
        lambda t: list(t.scalars(select(Chunk.ordinal).order_by(Chunk.ordinal)))
    )
    assert ordinals == list(range(ready["chunks"]))


def test_a_worker_that_has_lost_its_lease_changes_nothing(shelf: Shelf) -> None:
    """It may have been stopped for minutes, or its machine may have slept."""
    row = shelf.put("a.txt", "The leave of employees.")
    slow = shelf.ingest()
    job = slow.claim("slow")
    assert job
    expire(shelf)
    assert shelf.work() == ["ready"]
    ready = shelf.knowledge.file(shelf.user, shelf.base, row["id"])

    def refuse(path: Path, name: str, heartbeat: Callable[[], None]) -> Document:
        raise UnreadableFile("damaged")

    for late in (slow, shelf.ingest(refuse)):
        assert late.read(job) == "lost"
        assert shelf.knowledge.file(shelf.user, shelf.base, row["id"]) == ready
        assert [passage.name for passage in shelf.search("leave")] == ["a.txt"]


def test_what_a_failed_file_left_is_cleared_only_while_it_is_failed(shelf: Shelf) -> None:
    row = shelf.add("a.txt", "The leave of employees. " * 200)
    remover = Remover(shelf.database, shelf.ingest()._index, shelf.knowledge.originals)
    failed = (File.status == "failed",)
    assert remover.remove_chunks(row["id"], only=failed)
    assert shelf.count("chunks") == row["chunks"], "it has been read again meanwhile"
    shelf.database.write(lambda t: t.execute(update(File).values(status="failed")) and None)
    while remover.run_step():
        pass
    assert shelf.count("chunks") == shelf.count("lexical") == 0


def test_a_file_that_kills_its_workers_finally_fails(shelf: Shelf) -> None:
    row = shelf.put("evil.txt", "evil")
    for _ in range(MAX_ATTEMPTS):
        assert shelf.ingest().claim("a worker")
        expire(shelf)
    assert shelf.ingest().claim("a worker") is None
    failed = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
    assert (failed["status"], failed["error"]["key"]) == ("failed", "error.unreadable_file.ended")
    assert not shelf.knowledge.has_work()


def test_a_stopping_worker_releases_its_file(shelf: Shelf) -> None:
    shelf.put("a.txt", "The leave of employees.")
    ingest = shelf.ingest(should_stop=lambda: True)
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "queued"
    assert shelf.work() == ["ready"]


def test_a_parser_that_cannot_start_is_retried_a_few_times(shelf: Shelf) -> None:
    shelf.put("a.txt", "The leave of employees.")
    starts = 0

    def broken(path: Path, name: str, heartbeat: Callable[[], None]) -> Document:
        nonlocal starts
        starts += 1
        raise ParserEnded

    ingest = shelf.ingest(broken)
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "queued"
    assert shelf.work(broken) == ["queued"] * (MAX_ATTEMPTS - 1)
    assert starts == MAX_ATTEMPTS and not shelf.knowledge.has_work()


def test_a_system_that_starts_no_parser_costs_the_file_no_attempt(shelf: Shelf) -> None:
    shelf.put("a.txt", "The leave of employees.")

    def refused(path: Path, name: str, heartbeat: Callable[[], None]) -> Document:
        raise BlockingIOError("fork")

    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(BlockingIOError):
            shelf.work(refused)
    assert shelf.work() == ["ready"]


def test_a_file_deleted_while_it_is_parsed_leaves_nothing(shelf: Shelf) -> None:
    row = shelf.put("long.txt", LONG)
    asked = 0

    def deletes() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            shelf.knowledge.delete_file(shelf.user, shelf.base, row["id"])
        return False

    ingest = shelf.ingest(should_stop=deletes)
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "lost"
    assert shelf.leftovers() == {}


def original(shelf: Shelf, row: dict[str, Any]) -> Path:
    return shelf.knowledge.originals.path(
        shelf.database.read(lambda t: t.get_one(File, row["id"]).sha256)
    )


@pytest.mark.parametrize("left", [b"", b"tex", None], ids=["empty", "cut off", "gone"])
def test_a_file_waits_for_its_original_and_others_do_not(shelf: Shelf, left: bytes | None) -> None:
    row, other = shelf.put("a.txt", "text"), shelf.put("b.txt", "The leave of employees.")
    path = original(shelf, row)
    path.unlink() if left is None else path.write_bytes(left)
    assert shelf.work() == ["queued", "ready"]
    waits = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
    assert (waits["status"], waits["error"]["key"]) == ("queued", "error.original_missing")
    assert waits["error"]["retryable"]
    assert not shelf.knowledge.has_work(), "not before the pause is over"
    for _ in range(MAX_ATTEMPTS + 1):
        expire(shelf)
        assert shelf.work() == ["queued"]
    path.write_bytes(b"text")
    assert shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])["error"] is None
    assert shelf.work() == ["ready"]
    assert shelf.knowledge.file(shelf.user, shelf.base, other["id"])["status"] == "ready"


def test_an_original_that_vanishes_from_under_its_parser_is_waited_for(shelf: Shelf) -> None:
    row = shelf.put("a.txt", "text")

    def late(path: Path, name: str, heartbeat: Callable[[], None]) -> Document:
        path.rename(path.with_suffix(".away"))
        return parse_limited(path, name, shelf.settings, heartbeat)

    assert shelf.work(late) == ["queued"]
    waits = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
    assert waits["error"]["key"] == "error.original_missing"


def test_only_attempts_that_come_no_further_count(shelf: Shelf) -> None:
    row = shelf.put("long.txt", LONG)
    batches = -(-shelf.add("other.txt", LONG + "!")["chunks"] // BATCH_CHUNKS)
    assert batches > 2
    shelf.knowledge.retry_file(shelf.user, shelf.base, row["id"])
    shelf.database.write(lambda t: t.execute(_AGAIN.where(File.id == row["id"])) and None)
    for batch in [*range(1, batches), batches - 1, batches - 1]:
        calls = count(1)

        def dies(calls: Iterator[int] = calls, batch: int = batch) -> bool:
            # asked once by the parser, then before each batch
            if next(calls) > batch + 1:
                raise KeyboardInterrupt
            return False

        ingest = shelf.ingest(should_stop=dies)
        job = ingest.claim("a worker")
        assert job, "attempts that have come further are not counted"
        with pytest.raises(KeyboardInterrupt):
            ingest.read(job)
        expire(shelf)
    assert shelf.ingest().claim("a worker") is None
    failed = shelf.knowledge.file(shelf.user, shelf.base, row["id"])
    assert failed["error"]["key"] == "error.unreadable_file.ended"


_AGAIN = update(File).values(status="queued", progress=0.0, attempts=0)


def expire(shelf: Shelf) -> None:
    """Expire the lease of every file."""

    def change(t: Any) -> None:
        t.execute(
            update(File)
            .where(File.lease_until.is_not(None))
            .values(lease_until=now() - timedelta(seconds=1))
        )

    shelf.database.write(change)
