"""Web pages as files: added, fetched, read, fetched again, deleted; and what goes wrong."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from chatapp.addresses import parse_reachable
from chatapp.errors import Forbidden, InvalidRequest, NotFound
from chatapp.knowledge.ingest.jobs import FETCHING
from chatapp.knowledge.ingest.pipeline import release_dead_leases
from chatapp.knowledge.web_pages.download import Downloads
from chatapp.knowledge.web_pages.fetching import TRIES, Fetching
from chatapp.settings import Settings
from chatapp.storage.models import Base, File, now
from tests.support import documents
from tests.support.postgres import BOTH
from tests.support.service import PATIENCE_SECONDS
from tests.support.shelf import Shelf, make_shelf
from tests.support.websites import WebSite, page

LEAVE = "<title>Leave / Holidays</title><h1>Annual leave</h1><p>Employees have twenty-five days."
RISE = "<title>Leave</title><h1>Annual leave</h1><p>Employees have thirty days since the reform."


class Pages:
    """A shelf whose pages come from a site on this machine."""

    def __init__(self, shelf: Shelf, site: WebSite) -> None:
        self.shelf = shelf
        self.site = site
        self.stopping = False
        remover = shelf.knowledge._remover
        self.fetching = Fetching(
            shelf.database,
            shelf.knowledge.originals,
            remover,
            Downloads(shelf.settings),
            lambda: self.stopping,
        )
        self.remover = remover

    def add(self, path: str = "/leave") -> dict[str, Any]:
        return self.shelf.knowledge.web_pages.add(
            self.shelf.user, self.shelf.base, self.site.url + path
        )

    def again(self, file_id: str) -> dict[str, Any]:
        return self.shelf.knowledge.web_pages.fetch_again(self.shelf.user, self.shelf.base, file_id)

    def fetch(self) -> list[str]:
        """Fetch everything that is due, and do what the worker does beside it."""
        done = []
        while fetch := self.fetching.claim("host:1:x"):
            done.append(self.fetching.fetch(fetch))
        return done

    def work(self) -> None:
        self.fetch()
        self.shelf.work()
        self.settle()

    def settle(self) -> None:
        self.fetching._step(lambda: "host:1:x")
        while self.remover.run_step():
            pass

    def file(self, file_id: str) -> dict[str, Any]:
        return self.shelf.knowledge.file(self.shelf.user, self.shelf.base, file_id)

    def files(self) -> list[dict[str, Any]]:
        return self.shelf.knowledge.files(self.shelf.user, self.shelf.base)[0]

    def found(self, words: str) -> str:
        passages = self.shelf.search(words)
        return passages[0].text if passages else ""

    def make_due(self) -> None:
        due = update(File).where(File.status == FETCHING).values(lease_until=None)
        self.shelf.database.write(lambda t: t.execute(due) and None)

    def read_page(self, path: str = "/leave") -> str:
        file_id = str(self.add(path)["id"])
        self.work()
        assert self.file(file_id)["status"] == "ready"
        return file_id


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite({"/leave": page(LEAVE)}) as made:
        yield made


@pytest.fixture(params=BOTH)
def pages(request: pytest.FixtureRequest, tmp_path: Path, site: WebSite) -> Iterator[Pages]:
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else ""
    allowed = parse_reachable("127.0.0.1")
    shelf = make_shelf(Settings(home=tmp_path, database_url=url, fetch_allow=allowed))
    yield Pages(shelf, site)
    if url:
        drop = "DROP TABLE lexical"
        shelf.database.write(lambda t: t.connection().exec_driver_sql(drop) and None)
        Base.metadata.drop_all(shelf.database.engine)
    shelf.database.close()


def test_a_page_is_read_and_named_by_its_title(pages: Pages) -> None:
    row = pages.add()
    assert (row["status"], row["name"], row["md5"], row["duplicate"]) == (
        "fetching", "leave", None, False
    )  # fmt: skip
    assert row["web_page"]["fetched_at"] is None
    assert pages.files()[0]["id"] == row["id"]
    assert pages.fetch() == ["queued"]
    assert pages.file(row["id"])["status"] == "queued"
    pages.shelf.work()
    file = pages.file(row["id"])
    assert (file["status"], file["name"], file["media_type"]) == (
        "ready", "Leave - Holidays", "text/html"
    )  # fmt: skip
    assert file["size"] == len(LEAVE)
    assert file["md5"]
    assert file["web_page"]["url"] == f"{pages.site.url}/leave"
    assert file["web_page"]["fetched_at"]
    passage = pages.shelf.search("how many days do employees have?")[0]
    assert (passage.name, passage.url) == ("Leave - Holidays", f"{pages.site.url}/leave")
    _, name = pages.shelf.knowledge.content(pages.shelf.user, pages.shelf.base, row["id"])
    assert name == "Leave - Holidays.html"


def test_bytes_are_read_by_what_they_are(pages: Pages) -> None:
    russian = {"Content-Type": "text/html; charset=windows-1251"}
    gbk = "<p>员工每年有二十五天年假，须提前两周申请。</p>".encode("gb18030")
    pages.site.pages |= {
        "/file.php": (
            200,
            {"Content-Type": "text/html"},
            documents.pdf("Quarterly turnover rose."),
        ),
        "/table": (200, {"Content-Type": "text/csv"}, b"name,days\nAda,25\n"),
        "/notes.md": page("<title>Notes</title><p>Written in a wiki."),
        "/short": (
            200,
            russian,
            "<p>Да".encode("cp1251"),
        ),
        "/gbk": (200, {"Content-Type": "text/html; charset=utf-8"}, gbk),
    }
    ids = {path: pages.add(path)["id"] for path in pages.site.pages if path != "/leave"}
    pages.work()
    files = {path: pages.file(file_id) for path, file_id in ids.items()}
    assert {path: file["media_type"] for path, file in files.items()} == {
        "/file.php": "application/pdf",
        "/table": "text/csv",
        "/notes.md": "text/html",
        "/short": "text/html",
        "/gbk": "text/html",
    }
    assert files["/notes.md"]["name"] == "Notes"
    assert "turnover" in pages.found("did turnover rise?")
    assert "Да" in pages.found("Да")
    assert "年假" in pages.found("年假有多少天")


def test_the_same_address_is_added_once(pages: Pages) -> None:
    first = pages.add()
    again = pages.add()
    assert (again["id"], again["duplicate"]) == (first["id"], True)
    pages.work()
    assert pages.add()["id"] == first["id"]
    assert len(pages.files()) == 1


def test_content_that_the_base_has_already_is_said_to_be_there(pages: Pages) -> None:
    pages.read_page()
    pages.site.pages["/copy"] = pages.site.pages["/leave"]
    copy = pages.add("/copy")["id"]
    pages.work()
    file = pages.file(copy)
    assert file["status"] == "failed"
    assert file["error"]["key"] == "error.page_unavailable.same"
    assert file["error"]["params"]["name"] == "Leave - Holidays"


def test_a_private_address_is_refused_at_once(pages: Pages) -> None:
    for address in ("http://127.0.0.2/", "http://[::1]/", "http://169.254.169.254/"):
        with pytest.raises(InvalidRequest) as caught:
            pages.shelf.knowledge.web_pages.add(pages.shelf.user, pages.shelf.base, address)
        assert caught.value.reasons["url"][0] == "url_private"
    assert pages.files() == []


def test_a_lasting_failure_is_not_tried_again_by_itself(pages: Pages) -> None:
    row = pages.add("/missing")
    pages.work()
    file = pages.file(row["id"])
    assert file["status"] == "failed"
    assert file["error"]["key"] == "error.page_unavailable.gone"
    assert pages.fetch() == []
    pages.site.pages["/missing"] = page(LEAVE)
    assert (
        pages.shelf.knowledge.retry_file(pages.shelf.user, pages.shelf.base, row["id"])["status"]
        == "fetching"
    )
    pages.work()
    assert pages.file(row["id"])["status"] == "ready"


def test_adding_a_page_that_failed_fetches_it_again(pages: Pages) -> None:
    row = pages.add("/missing")
    pages.work()
    pages.site.pages["/missing"] = page(LEAVE)
    assert pages.add("/missing")["status"] == "fetching"
    pages.work()
    assert pages.file(row["id"])["status"] == "ready"


def test_a_temporary_failure_is_tried_again_a_few_times(pages: Pages) -> None:
    pages.site.pages["/busy"] = (503, {"Retry-After": "20"}, b"")
    row = pages.add("/busy")
    for tried in range(1, TRIES):
        assert len(pages.fetch()) == 1
        file = pages.file(row["id"])
        assert file["status"] == "fetching"
        assert file["error"]["key"] == "error.page_unavailable.server"
        assert pages.fetch() == []  # not before its time
        waits = pages.shelf.database.read(lambda t: t.get_one(File, row["id"]).lease_until)
        assert waits is not None
        assert waits > now()
        pages.make_due()
        assert len(pages.site.requests) == tried
    pages.work()
    file = pages.file(row["id"])
    assert (file["status"], file["error"]["retryable"]) == ("failed", True)
    assert len(pages.site.requests) == TRIES
    pages.site.pages["/busy"] = page(LEAVE)
    pages.shelf.knowledge.retry_file(pages.shelf.user, pages.shelf.base, row["id"])
    pages.work()
    assert pages.file(row["id"])["status"] == "ready"


@pytest.mark.parametrize(
    "html",
    ["", "<title>App</title><div id=root></div><script>start()</script>", "<script>go()</script>"],
)
def test_a_page_that_scripts_write_has_no_text(pages: Pages, html: str) -> None:
    pages.site.pages["/app"] = page(html)
    row = pages.add("/app")
    pages.work()
    file = pages.file(row["id"])
    assert file["status"] == "failed"
    assert file["error"]["key"] == "error.page_unavailable.no_text"


def test_a_page_is_replaced_when_its_new_content_is_read(pages: Pages) -> None:
    file_id = pages.read_page()
    before = pages.file(file_id)
    pages.site.pages["/leave"] = page(RISE)
    assert pages.again(file_id)["web_page"]["again"] == "fetching"
    assert pages.again(file_id)["web_page"]["again"] == "fetching"  # once is enough
    assert pages.fetch() == ["queued"]
    assert "twenty-five" in pages.found("days of annual leave")
    assert [file["id"] for file in pages.files()] == [file_id]
    assert pages.file(file_id)["status"] == "ready"
    pages.shelf.work()
    after = pages.file(file_id)
    assert (after["status"], after["name"]) == ("ready", "Leave")
    assert after["web_page"]["again"] == "replaced"
    assert after["md5"] != before["md5"]
    assert after["created_at"] == before["created_at"]
    assert "thirty days" in pages.found("days of annual leave")
    assert "twenty-five" not in pages.found("days of annual leave")
    chunks, _ = pages.shelf.knowledge.chunks(pages.shelf.user, pages.shelf.base, file_id)
    assert [chunk["ordinal"] for chunk in chunks] == list(range(len(chunks)))
    pages.settle()
    assert pages.shelf.count("files") == 1
    assert pages.shelf.count("file_texts") == 1
    assert pages.shelf.count("chunks") == len(chunks)
    assert pages.shelf.leftovers()["originals"] == 1
    assert pages.shelf.knowledge.base(pages.shelf.user, pages.shelf.base)["files"] == 1
    assert pages.shelf.knowledge.usage(pages.shelf.user)["files"] == 1


def test_content_can_change_back(pages: Pages) -> None:
    file_id = pages.read_page()
    for html, word in ((RISE, "thirty"), (LEAVE, "twenty-five"), (RISE, "thirty")):
        pages.site.pages["/leave"] = page(html)
        pages.again(file_id)
        pages.fetch()
        pages.shelf.work()  # the old content is still to be deleted when the next comes
        assert word in pages.found("days of annual leave")
    pages.settle()
    assert pages.shelf.leftovers()["originals"] == 1


def test_an_unchanged_page_says_so(pages: Pages) -> None:
    file_id = pages.read_page()
    before = pages.file(file_id)["web_page"]["fetched_at"]
    pages.again(file_id)
    assert pages.fetch() == ["unchanged"]
    page_now = pages.file(file_id)["web_page"]
    assert page_now["again"] == "unchanged"
    assert page_now["fetched_at"] > before

    def not_modified(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["If-None-Match"] == '"2"'
        handler.wfile.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")

    pages.site.pages["/leave"] = page(RISE, ETag='"2"')
    pages.again(file_id)
    pages.work()
    pages.site.pages["/leave"] = not_modified
    pages.again(file_id)
    assert pages.fetch() == ["unchanged"]
    pages.settle()
    assert pages.shelf.count("files") == 1
    assert "thirty" in pages.found("days of annual leave")


@pytest.mark.parametrize(
    ("now_there", "reason"),
    [((404, {}, b""), "gone"), (page("<script>x</script>"), "no_text")],
)
def test_where_a_page_cannot_be_fetched_again_the_old_content_stays(
    pages: Pages, now_there: Any, reason: str
) -> None:
    file_id = pages.read_page()
    pages.site.pages["/leave"] = now_there
    pages.again(file_id)
    pages.work()
    file = pages.file(file_id)
    assert (file["status"], file["name"]) == ("ready", "Leave - Holidays")
    assert file["web_page"]["again"] == "failed"
    assert file["web_page"]["error"]["key"] == f"error.page_unavailable.{reason}"
    assert "twenty-five" in pages.found("days of annual leave")
    pages.settle()
    assert pages.shelf.count("files") == 1
    pages.site.pages["/leave"] = page(RISE)
    pages.again(file_id)
    pages.work()
    assert pages.file(file_id)["web_page"] | {"fetched_at": 0, "url": 0} == {
        "url": 0, "fetched_at": 0, "again": "replaced", "error": None
    }  # fmt: skip


def test_deleting_a_page_ends_its_fetch(pages: Pages) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n<p>slow")
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        handler.wfile.write(b"<p>more")

    pages.site.pages["/slow"] = slow
    row = pages.add("/slow")
    fetch = pages.fetching.claim("host:1:x")
    assert fetch is not None
    outcome: list[str] = []
    thread = threading.Thread(target=lambda: outcome.append(pages.fetching.fetch(fetch)))
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    pages.shelf.knowledge.delete_file(pages.shelf.user, pages.shelf.base, row["id"])
    go_on.set()
    thread.join(PATIENCE_SECONDS)
    assert outcome == ["lost"]
    assert pages.files() == []
    assert pages.shelf.leftovers() == {}


def test_deleting_a_page_that_is_fetched_again_deletes_both(pages: Pages) -> None:
    file_id = pages.read_page()
    pages.site.pages["/leave"] = page(RISE)
    pages.again(file_id)
    pages.fetch()
    pages.shelf.knowledge.delete_file(pages.shelf.user, pages.shelf.base, file_id)
    pages.work()
    assert pages.shelf.leftovers() == {}
    with pytest.raises(NotFound):
        pages.file(file_id)


def test_a_fetch_whose_worker_was_killed_goes_on(pages: Pages) -> None:
    row = pages.add()
    assert pages.fetching.claim("here:999999:x") is not None
    assert pages.fetch() == []
    pages.shelf.database.write(lambda t: release_dead_leases(t, "here"))
    pages.work()
    assert pages.file(row["id"])["status"] == "ready"


def test_a_fetch_ends_when_its_worker_must(pages: Pages) -> None:
    row = pages.add()
    fetch = pages.fetching.claim("host:1:x")
    assert fetch is not None
    pages.stopping = True
    assert pages.fetching.fetch(fetch) == "put back"
    pages.stopping = False
    pages.work()
    assert pages.file(row["id"])["status"] == "ready"


def test_only_pages_are_fetched_again_and_only_in_own_bases(pages: Pages) -> None:
    upload = pages.shelf.add("leave.txt", "Some words about leave.")
    with pytest.raises(InvalidRequest):
        pages.again(upload["id"])
    file_id = pages.read_page()
    with pytest.raises((NotFound, Forbidden)):
        pages.shelf.knowledge.web_pages.fetch_again("another", pages.shelf.base, file_id)
    with pytest.raises((NotFound, Forbidden)):
        pages.shelf.knowledge.web_pages.add("another", pages.shelf.base, "https://example.org")


def test_everything_that_belongs_to_a_file_is_exchanged() -> None:
    """A new table that refers to files needs a line in rows.py."""
    tables = {
        table.name
        for table in Base.metadata.tables.values()
        if any(key.column.table.name == "files" for key in table.foreign_keys)
    }
    assert tables == {"file_texts", "chunks", "recognised_pages"}


def test_every_row_is_a_file_or_replaces_one(pages: Pages) -> None:
    file_id = pages.read_page()
    pages.again(file_id)
    rows = pages.shelf.database.read(lambda t: t.scalars(select(File.replaces)).all())
    assert sorted(rows, key=str) == [file_id, None] or set(rows) == {file_id, None}
