"""Pages that are recognised one by one: what is stored, and what happens when something fails."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.formats.document import Document, unread_document
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.jobs import Job
from chatapp.knowledge.ingest.recognising import Recognising
from chatapp.knowledge.ingest.splitting import Splitter
from chatapp.knowledge.recognition.machine import Machine
from chatapp.knowledge.recognition.sandboxed import RecogniserEnded
from chatapp.knowledge.reindex import start_reindex
from chatapp.knowledge.search.lexical import index_for
from chatapp.settings import Settings
from chatapp.storage.models import Chunk, KnowledgeBase
from chatapp.storage.text_models import FileText, RecognisedPage
from tests.support.embedserver import EmbedServer
from tests.support.shelf import Shelf

PAGES = {
    1: "The leave of employees is fifteen days.",
    2: "Keys are kept at the desk.",
    3: "Travel is booked by the office.",
}


class Reader:
    """Reads pages as a test says: a text, a reason, or how the process ends."""

    def __init__(self, pages: dict[int, Any]) -> None:
        self.pages = pages
        self.asked: list[int] = []

    def read(self, path: Path, page: int, heartbeat: Callable[[], None]) -> dict[str, Any]:
        assert path.is_file()
        self.asked.append(page)
        heartbeat()
        said = self.pages[page]
        if isinstance(said, list):
            said = said.pop(0)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, dict):
            return said
        return {"text": said, "lines": [[0, len(said), 0.1, 0.1, 0.9, 0.2]], "turned": 90}

    def close(self) -> None:
        pass


class Desk:
    """A shelf with a worker that recognises pages."""

    def __init__(self, shelf: Shelf, document: Document, pages: dict[int, Any]) -> None:
        self.shelf = shelf
        self.reader = Reader(pages)
        self.why: str | None = None
        self.free = 1 << 40
        self.stops = False
        self.ingest = shelf.ingest(lambda *_: document, lambda: self.stops, lambda: self.why)
        self._embedding = Embedding(shelf.database, shelf.embedder, lambda: False)
        lock = shelf.settings.home / "ocr.lock"
        self.recognising = Recognising(
            shelf.database,
            index_for(shelf.database.sqlite),
            shelf.knowledge.originals,
            Splitter(shelf.embedder),
            Machine(self.reader, lock, lambda: self.why, lambda: self.free),
            lambda: self.stops,
            self.ingest.following,
        )
        self.file = shelf.put("scan.pdf", b"anything")["id"]

    def step(self) -> str | None:
        """Do what the worker does next; return the file's status."""
        job = self.ingest.claim("a worker", recognises=True)
        return None if job is None else self._do(job)

    def _do(self, job: Job) -> str:
        steps = {"recognising": self.recognising.run, "embedding": self._embedding.run}
        return steps.get(job.step, self.ingest.read)(job)

    def work(self) -> list[str]:
        done = []
        while (status := self.step()) is not None and len(done) < 30:
            done.append(status)
        return done

    def execute(self, statement: str) -> None:
        self.shelf.database.write(lambda t: t.connection().exec_driver_sql(statement) and None)

    def row(self) -> dict[str, Any]:
        return self.shelf.knowledge.file(self.shelf.user, self.shelf.base, self.file)

    def text(self) -> tuple[str, list[int]]:
        return self.shelf.database.read(
            lambda t: [(each.text, each.pages) for each in t.scalars(select(FileText))][0]
        )

    def chunks(self) -> list[tuple[int, int | None, str]]:
        """Return ordinal, page and text of each chunk, whose offsets are right."""
        text, _ = self.text()
        rows = self.shelf.database.read(
            lambda t: [
                (row.ordinal, row.page, row.start, row.end, row.text)
                for row in t.scalars(select(Chunk).order_by(Chunk.ordinal))
            ]
        )
        for _, _, start, end, content in rows:  # a page may be inserted into a sentence
            assert text[start:end].startswith(content[:5]) and text[:end].endswith(content[-5:])
        return [(ordinal, page, content) for ordinal, page, _, _, content in rows]

    def pages(self) -> list[tuple[int, str, int]]:
        return self.shelf.database.read(
            lambda t: [
                (row.page, row.state, row.attempts)
                for row in t.scalars(select(RecognisedPage).order_by(RecognisedPage.page))
            ]
        )


@pytest.fixture
def scan(shelf: Shelf) -> Desk:
    return Desk(shelf, unread_document("application/pdf", 3), dict(PAGES))


def mixed(shelf: Shelf) -> Desk:
    """Pages 2 and 4 of five have no text; a sentence goes on from page 3 to page 5."""
    text = "First page.\n\nThird page goes on on the fifth page."
    third, fifth = text.index("Third"), text.index("on the fifth")
    pages = (0, third, third, fifth, fifth)
    document = Document("application/pdf", text, pages=pages, unread_pages=(2, 4))
    return Desk(shelf, document, {2: "Second page, scanned.", 4: "Fourth page, scanned."})


def test_the_pages_of_a_scan_are_found_as_they_come(scan: Desk) -> None:
    assert (scan.step(), scan.row()["chunks"]) == ("recognising", 0)
    assert scan.step() == "recognising"
    row = scan.row()
    assert (row["status"], row["scanned"], row["recognised"]) == ("recognising", 3, 1)
    assert row["progress"] == pytest.approx(1 / 3, abs=0.01)
    assert [(found.page, found.text) for found in scan.shelf.search("leave")] == [(1, PAGES[1])]
    assert not scan.shelf.search("keys")
    assert scan.work() == ["recognising", "recognising", "ready"]
    row = scan.row()
    assert (row["status"], row["recognised"], row["chunks"], row["pages"]) == ("ready", 3, 3, 3)
    assert scan.chunks() == [(number - 1, number, text) for number, text in PAGES.items()]
    text, starts = scan.text()
    assert text == "\n\n".join(PAGES.values()) and starts == [text.index(PAGES[n]) for n in PAGES]
    assert scan.reader.asked == [1, 2, 3]


def test_pages_are_inserted_where_they_belong(shelf: Shelf) -> None:
    desk = mixed(shelf)
    desk.work()
    text, starts = desk.text()
    for number, begin in enumerate(("First", "Second", "Third", "Fourth", "on the fifth")):
        assert text[starts[number] :].startswith(begin), text
    chunks = {content: page for _, page, content in desk.chunks()}
    assert chunks["Second page, scanned."] == 2 and chunks["Fourth page, scanned."] == 4
    assert [found.page for found in shelf.search("second")] == [2]


def test_the_lines_of_a_page_are_kept_with_their_boxes(scan: Desk) -> None:
    scan.work()

    def second(t: Any) -> tuple[str, list[Any], int]:
        page = t.get(RecognisedPage, (scan.file, 2))
        return page.text, page.lines, page.turned

    text, lines, turned = scan.shelf.database.read(second)
    assert (text, turned) == (PAGES[2], 90)
    assert lines == [[0, len(text), 0.1, 0.1, 0.9, 0.2]]


@pytest.fixture
def embed_server() -> Iterator[EmbedServer]:
    with EmbedServer() as server:
        yield server


@pytest.fixture
def embeds(shelf: Shelf, embed_server: EmbedServer) -> Shelf:
    settings = Settings(embedder="words", embedder_url=embed_server.base_url)
    shelf.embedder = configured_embedder(settings)
    return shelf


def test_with_an_embedder_vectors_follow_the_last_page(embeds: Shelf) -> None:
    shelf = embeds
    desk = Desk(shelf, unread_document("image/png", 1), dict(PAGES))
    assert desk.work() == ["recognising", "recognising", "embedding", "ready"]
    assert shelf.count("vectors") == 1


def test_other_files_go_first(scan: Desk) -> None:
    scan.step()
    scan.step()
    scan.shelf.put("b.txt", "Words")
    assert scan.step() == "recognising" and scan.reader.asked == [1]
    # the other file is read as the same scan here; both are recognised in turn
    assert scan.shelf.count("files WHERE status = 'recognising'") == 2


@pytest.mark.parametrize(
    ("ends", "asked"),
    [
        ([RecogniserEnded("limit")], [1, 2, 3]),
        ([RecogniserEnded("crash"), RecogniserEnded("crash")], [1, 2, 2, 3]),
        ([RecogniserEnded("crash"), "Keys."], [1, 2, 2, 3]),
        ([RecogniserEnded("outside")] * 3, [1, 2, 2, 2, 3]),
        ([RecogniserEnded("outside")] * 2 + ["Keys."], [1, 2, 2, 2, 3]),
        ([{"unreadable": "damaged"}], [1, 2, 3]),
    ],
)
def test_a_page_that_fails_costs_itself(scan: Desk, ends: list[Any], asked: list[int]) -> None:
    reads = "Keys." in ends
    scan.reader.pages[2] = list(ends)
    scan.work()
    row = scan.row()
    assert scan.reader.asked == asked
    assert (row["status"], row["skipped"], row["recognised"]) == ("ready", 0 if reads else 1, 3)
    assert scan.pages()[1][1] == ("done" if reads else "failed")
    assert scan.shelf.search("travel") and bool(scan.shelf.search("keys")) == reads


def test_a_page_during_which_everything_is_killed_is_not_tried_for_ever(scan: Desk) -> None:
    class Killed(BaseException):
        pass

    scan.step()
    for _ in range(3):
        job = scan.ingest.claim("a worker", recognises=True)
        assert job is not None

        def killed(*_: Any) -> dict[str, Any]:
            raise Killed

        scan.reader.read = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            scan.recognising.run(job)
        scan.execute("UPDATE files SET lease_owner = NULL, lease_until = NULL")
    assert scan.pages()[0] == (1, "waiting", 3)
    del scan.reader.read
    scan.work()
    assert scan.reader.asked == [2, 3] and scan.row()["status"] == "ready"
    assert scan.pages()[0][1] == "failed" and scan.row()["skipped"] == 1


def test_a_stop_in_the_middle_counts_no_attempt_and_goes_on_at_that_page(scan: Desk) -> None:
    scan.step()
    scan.step()
    job = scan.ingest.claim("a worker", recognises=True)
    scan.stops = True
    assert job is not None and scan.recognising.run(job) == "recognising"
    assert scan.pages()[1] == (2, "waiting", 0)
    scan.stops = False
    scan.work()
    assert scan.reader.asked == [1, 2, 2, 3] and scan.row()["status"] == "ready"


def test_nothing_is_recognised_twice_when_a_file_is_read_again(scan: Desk) -> None:
    scan.work()
    scan.execute("UPDATE files SET split = 'meaning'")
    scan.shelf.knowledge.retry_file(scan.shelf.user, scan.shelf.base, scan.file)
    assert scan.row()["status"] == "queued"
    scan.work()
    assert scan.reader.asked == [1, 2, 3] and scan.row()["status"] == "ready"
    assert scan.chunks() == [(number - 1, number, text) for number, text in PAGES.items()]


def test_a_scan_without_any_text_fails_and_says_so(shelf: Shelf) -> None:
    desk = Desk(shelf, unread_document("image/png", 1), {1: ""})
    assert desk.work()[-1] == "failed"
    assert desk.row()["error"]["key"] == "error.unreadable_file.no_text"


@pytest.mark.parametrize(
    ("ends", "key"),
    [
        ([{"unreadable": "damaged"}], ""),
        ([{"unreadable": "picture_size"}], ".picture_size"),
        ([RecogniserEnded("limit")], ".limits"),
        ([RecogniserEnded("crash")] * 2, ""),
        ([RecogniserEnded("outside")] * 3, ".ended"),
    ],
)
def test_a_picture_that_cannot_be_read_says_why(shelf: Shelf, ends: list[Any], key: str) -> None:
    desk = Desk(shelf, unread_document("image/png", 1), {1: list(ends)})
    assert desk.work()[-1] == "failed"
    assert desk.row()["error"]["key"] == f"error.unreadable_file{key}"


@pytest.mark.parametrize("why", ["recognition_off", "recognition_missing", "recognition_memory"])
def test_where_nothing_can_be_recognised_a_scan_is_refused_until_it_can(
    scan: Desk, why: str
) -> None:
    scan.why = why
    assert scan.work() == ["failed"]
    assert scan.row()["error"]["key"] == f"error.unreadable_file.{why}"
    scan.why = None
    scan.shelf.knowledge.retry_file(scan.shelf.user, scan.shelf.base, scan.file)
    scan.work()
    assert scan.row()["status"] == "ready" and scan.row()["chunks"] == 3


def test_what_a_file_has_of_text_is_found_without_recognition(shelf: Shelf) -> None:
    desk = mixed(shelf)
    desk.why = "recognition_off"
    assert desk.work() == ["ready"]
    row = desk.row()
    assert (row["scanned"], row["recognised"], row["chunks"] > 0) == (2, 0, True)
    desk.why = None
    shelf.knowledge.retry_file(shelf.user, shelf.base, desk.file)
    desk.work()
    assert desk.row()["recognised"] == 2 and shelf.search("fourth")


def test_recognition_that_is_switched_off_later_keeps_what_was_read(scan: Desk) -> None:
    scan.step()
    scan.step()
    scan.why = "recognition_off"
    assert scan.work() == ["ready"]
    assert (scan.row()["recognised"], len(scan.chunks())) == (1, 1)


def test_a_scan_waits_for_memory_and_says_so(scan: Desk) -> None:
    scan.step()
    scan.free = 100 * 1024 * 1024
    assert scan.step() == "recognising" and scan.step() is None
    row = scan.row()
    assert row["error"]["key"] == "error.unreadable_file.recognition_waits"
    scan.free = 1 << 40
    scan.shelf.knowledge.retry_file(scan.shelf.user, scan.shelf.base, scan.file)
    scan.work()
    assert scan.row()["status"] == "ready" and scan.row()["error"] is None


def test_only_one_process_of_a_machine_recognises(shelf: Shelf) -> None:
    lock = shelf.settings.home / "ocr.lock"
    first, second = Machine(Reader({}), lock), Machine(Reader({}), lock)
    assert first.enter() and first.enter() and not second.enter()
    first.leave()
    assert second.enter()
    second.leave()


def test_deleting_a_file_deletes_its_pages(scan: Desk) -> None:
    scan.work()
    scan.shelf.knowledge.delete_file(scan.shelf.user, scan.shelf.base, scan.file)
    assert scan.shelf.count("recognised_pages") == 0 and not scan.shelf.leftovers()


def test_a_base_is_not_reindexed_before_its_scans_are_recognised(embeds: Shelf) -> None:
    shelf = embeds
    desk = Desk(shelf, unread_document("application/pdf", 2), dict(PAGES))
    desk.step()

    def reindex(t: Any) -> None:
        assert shelf.embedder is not None
        start_reindex(t, t.scalars(select(KnowledgeBase)).one(), shelf.embedder)

    shelf.database.write(reindex)
    assert desk.row()["status"] == "recognising"
    assert desk.work()[-1] == "ready"
    assert shelf.count("vectors") >= 2


@pytest.fixture
def database_scan(either_shelf: Shelf) -> Desk:
    return Desk(either_shelf, unread_document("application/pdf", 3), dict(PAGES))


def test_pages_on_either_database(database_scan: Desk) -> None:
    database_scan.work()
    assert database_scan.row()["status"] == "ready"
    assert len(database_scan.chunks()) == 3
