"""The knowledge dialog: create and edit bases, manage thousands of files, read and search them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.axe import violations
from tests.support.browser import (
    LANGUAGES,
    PHONE,
    Chat,
    Faults,
    delete_bases,
    drop,
    files_of,
    filled,
    own_bases,
    text_file,
    until,
    words,
)
from tests.support.service import Service, wait_for
from tests.support.typed_documents import (
    ENGLISH_PAGE,
    ENGLISH_SENTENCE,
    write_damaged_pdf,
    write_long_pdf,
)

both = pytest.mark.parametrize("language", LANGUAGES)
phone = pytest.mark.parametrize(
    "window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], ids=["phone"]
)
BASES = re.compile(r"/api/knowledge$")
LIST = re.compile(r"/api/knowledge/[0-9a-f-]{36}/files\?")
SEARCH = re.compile(r"/api/knowledge/[0-9a-f-]{36}/search$")
TIDES = {"tides.txt": "High water at Den Helder is at noon. Low water is at six."}


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


class Knowledge:
    """Page object of the knowledge dialog."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator("[data-dialog=knowledge]")
        self.bases = self.root.locator("[data-base]")
        self.title = self.root.locator("[data-base-title]")
        self.files = self.root.locator("[data-file]")
        self.name = self.root.locator("[data-this-name]")
        self.hits = self.root.locator("[data-hit]")
        self.vectors = self.root.locator("[data-vectors]")

    def open(self) -> "Knowledge":
        self.page.locator("[data-open-knowledge]").click()
        expect(self.root).to_be_visible()
        return self

    def reload(self) -> "Knowledge":
        Chat(self.page).reload()
        return self

    def at(self, hook: str) -> Locator:
        return self.root.locator(f"[data-{hook}]")

    def base(self, name: str) -> Locator:
        return self.bases.filter(has_text=name)

    def file(self, name: str) -> Locator:
        return self.files.filter(has=self.page.locator("[data-file-open]", has_text=name))

    def confirm(self, *said: str) -> None:
        """Confirm, once the dialog contains these texts."""
        asked = self.page.locator("[data-dialog=confirm]")
        for part in said:
            expect(asked).to_contain_text(part)
        asked.locator("[data-confirm-yes]").click()
        expect(asked).to_be_hidden()

    def search(self, question: str) -> None:
        self.at("tab=search").click()
        self.at("search-query").fill(question)
        self.at("search-query").press("Enter")


@pytest.fixture
def knowledge(chat: Chat) -> Knowledge:
    return Knowledge(chat.page)


@pytest.fixture
def harbour(service: Service, tmp_path: Path) -> str:
    """A base of two documents."""
    ferry = tmp_path / "ferry.txt"
    ferry.write_text("The ferry to Texel leaves every hour. It takes twenty minutes.")
    return service.add_documents("Harbour", write_long_pdf(tmp_path), ferry)


# --- bases


def test_the_dialog_is_loaded_lazily(chat: Chat, knowledge: Knowledge) -> None:
    loaded = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    code = re.compile(r"/(?:knowledge/dialog|dialog-\w+)\.js$")
    assert not any(code.search(name) for name in chat.page.evaluate(loaded))
    requested: list[str] = []  # the browser's list is limited to 250 entries
    chat.page.on("request", lambda request: requested.append(request.url))
    knowledge.open()
    wait_for(
        lambda: any(code.search(name) for name in [*requested, *chat.page.evaluate(loaded)]),
        what="the dialog's code is loaded",
    )


@both
def test_a_base_is_created_renamed_used_and_deleted(
    chat: Chat, knowledge: Knowledge, service: Service, language: str
) -> None:
    knowledge.open().at("new-base").click()
    expect(knowledge.at("base-name")).to_be_focused()
    knowledge.at("base-name").fill("Harbour")
    knowledge.at("base-description-field").fill("All about ships.")
    knowledge.at("base-name").press("Enter")
    expect(knowledge.title).to_have_text("Harbour")
    expect(knowledge.title).to_be_focused()
    expect(knowledge.at("base-description")).to_have_text("All about ships.")
    expect(knowledge.at("base-note")).to_have_text(words(language, "knowledge.empty"))
    expect(knowledge.at("files-empty")).to_be_visible()
    knowledge.at("base-edit").click()
    knowledge.at("base-name").fill("Port")
    knowledge.at("base-save").click()
    expect(knowledge.base("Port")).to_have_attribute("aria-current", "true")
    (base,) = own_bases(service)
    assert (base["name"], base["description"]) == ("Port", "All about ships.")
    knowledge.at("base-edit").click()
    knowledge.at("base-name").fill("Not this")
    knowledge.page.keyboard.press("Escape")
    expect(knowledge.title).to_have_text("Port")
    expect(knowledge.at("base-edit")).to_be_focused()
    knowledge.at("base-use").click()
    expect(knowledge.root).to_be_hidden()
    expect(chat.base).to_have_text("Port")
    expect(chat.input).to_be_focused()
    knowledge.open()
    expect(knowledge.at("base-used")).to_be_visible()
    knowledge.at("base-delete").click()
    knowledge.confirm("Port", "0")
    expect(knowledge.base("Port")).to_have_count(0)
    assert own_bases(service) == []
    expect(chat.base).to_have_text(words(language, "composer.no_documents"))


def test_the_manual_can_be_read_and_searched_but_not_changed(knowledge: Knowledge) -> None:
    knowledge.open()
    expect(knowledge.bases).to_have_count(1)
    for hook in ("base-edit", "base-delete", "upload-here", "upload-folder"):
        expect(knowledge.at(hook)).to_be_hidden()
    expect(knowledge.files.first).to_be_visible()
    expect(knowledge.files.first.locator("[data-file-delete]")).to_be_hidden()
    knowledge.search("How do I connect a model?")
    expect(knowledge.hits).to_have_count(5)


# --- files


@both
def test_files_are_added_by_button_and_by_drop(
    knowledge: Knowledge, service: Service, language: str
) -> None:
    service.post("/api/knowledge", {"name": "Harbour"})
    service.post("/api/knowledge", {"name": "Island"})
    knowledge.reload().open().base("Harbour").click()
    with knowledge.page.expect_file_chooser() as chooser:
        knowledge.at("upload-here").click()
    chooser.value.set_files(text_file("ferry.txt", "The ferry to Texel leaves every hour."))
    expect(knowledge.file("ferry.txt")).to_have_attribute(
        "data-status", re.compile("embedding|ready")
    )
    drop(knowledge.at("base-panel"), TIDES, end=False)
    expect(knowledge.at("base-panel")).to_have_attribute(
        "data-drop-over", filled(language, "documents.drop.base", name="Harbour")
    )
    drop(knowledge.at("base-panel"), TIDES)
    expect(knowledge.file("tides.txt")).to_have_attribute(
        "data-status", re.compile("embedding|ready")
    )
    # A stored file is no longer listed as an upload.
    expect(knowledge.at("uploads-here").locator("section")).to_be_hidden()
    drop(knowledge.base("Island"), {"island.txt": "Texel is an island."})
    until(knowledge.page, lambda: [base["files"] for base in own_bases(service)] == [2, 1])
    expect(knowledge.title).to_have_text("Island")
    expect(knowledge.base("Island")).to_contain_text(filled(language, "knowledge.files.one", n=1))


@both
def test_a_failed_file_shows_its_error_and_is_retried_and_deleted(
    knowledge: Knowledge, service: Service, tmp_path: Path, language: str
) -> None:
    base = service.post("/api/knowledge", {"name": "Harbour"}).json["id"]
    ferry = tmp_path / "ferry.txt"
    ferry.write_text("The ferry to Texel leaves every hour.")
    service.upload(base, write_damaged_pdf(tmp_path), ferry)
    knowledge.reload().open().base("Harbour").click()
    damaged = knowledge.file("damaged.pdf")
    expect(damaged).to_have_attribute("data-status", "failed")
    expect(damaged.locator("[data-file-reason]")).to_have_text(
        words(language, "error.unreadable_file")
    )
    expect(knowledge.base("Harbour")).to_contain_text(filled(language, "knowledge.failed.one", n=1))
    with knowledge.page.expect_response(re.compile("/retry$")):
        damaged.locator("[data-file-retry]").click()
    expect(damaged).to_have_attribute("data-status", "failed")
    knowledge.at("only-failed").click()
    expect(knowledge.files).to_have_count(1)
    with knowledge.page.expect_response(re.compile("/retry$")):
        knowledge.at("retry-failed").click()
    expect(knowledge.files).to_have_count(2)
    damaged.locator("[data-file-delete]").click()
    knowledge.confirm("damaged.pdf")
    expect(knowledge.files).to_have_count(1)
    expect(knowledge.file("ferry.txt").locator("[data-file-open]")).to_be_focused()
    assert [file["name"] for file in files_of(service, base)] == ["ferry.txt"]


def test_a_file_is_opened_and_downloaded(knowledge: Knowledge, harbour: str) -> None:
    knowledge.reload().open().base("Harbour").click()
    expect(knowledge.file("logbook.pdf")).to_contain_text("PDF · ")
    expect(knowledge.file("logbook.pdf")).to_contain_text("30 pages")
    with knowledge.page.expect_download() as download:
        knowledge.file("ferry.txt").locator("[data-file-download]").click()
    assert download.value.suggested_filename == "ferry.txt"
    assert (
        Path(download.value.path()).read_text()
        == "The ferry to Texel leaves every hour. It takes twenty minutes."
    )
    knowledge.file("logbook.pdf").locator("[data-file-open]").click()
    expect(knowledge.name).to_have_text("logbook.pdf")
    expect(knowledge.name).to_be_focused()
    expect(knowledge.at("chunks").locator("li")).to_have_count(30)
    expect(knowledge.at("chunks").locator("li").nth(ENGLISH_PAGE - 1)).to_contain_text(
        ENGLISH_SENTENCE
    )
    expect(knowledge.at("chunks").locator("li").nth(ENGLISH_PAGE - 1)).to_contain_text(
        f"Page {ENGLISH_PAGE}"
    )
    knowledge.at("file-back").click()
    expect(knowledge.files).to_have_count(2)


class ManyFiles:
    """Fakes the file list of a base with many files."""

    def __init__(self, page: Page, total: int) -> None:
        self.files = [self._file(number) for number in range(total)]
        self.limits: list[int] = []
        page.route(LIST, self._list)

    def _file(self, number: int) -> dict[str, Any]:
        failed = number % 500 == 0
        error = {"code": "unreadable_file", "message": "damaged"} if failed else None
        return {
            "id": f"00000000-0000-4000-8000-{number:012}",
            "name": f"report {number:05}.txt",
            "size": 2000,
            "status": "failed" if failed else "ready",
            "chunks": 3,
            "error": error,
        }

    def _list(self, route: Route) -> None:
        query = dict(re.findall(r"(limit|after)=(\d+)", route.request.url))
        first, limit = int(query.get("after", 0)), int(query["limit"])
        self.limits.append(limit)
        following = str(first + limit) if first + limit < len(self.files) else None
        route.fulfill(json={"items": self.files[first : first + limit], "next": following})


@both
def test_thousands_of_files_are_paged_and_found_by_name(
    knowledge: Knowledge, service: Service, language: str
) -> None:
    service.post("/api/knowledge", {"name": "Archive"})
    many = ManyFiles(knowledge.page, 2600)
    knowledge.page.route(
        BASES, lambda route: route.fulfill(json=counted(route, files=2600, failed=6))
    )
    knowledge.reload().open().base("Archive").click()
    expect(knowledge.files).to_have_count(100)
    expect(knowledge.at("files-note")).to_have_text(
        filled(language, "knowledge.files.shown", shown=100, total="2,600")
    )
    knowledge.at("files-more").click()
    expect(knowledge.files).to_have_count(200)
    expect(knowledge.file("report 00100").locator("[data-file-open]")).to_be_focused()
    assert max(many.limits) == 100
    knowledge.at("file-filter").fill("report 0217")
    expect(knowledge.files).to_have_count(11)
    expect(knowledge.at("files-note")).to_have_text(
        filled(language, "knowledge.filter.found.other", n=11)
    )
    knowledge.at("file-filter").fill("")
    knowledge.at("only-failed").click()
    expect(knowledge.files).to_have_count(6)
    expect(knowledge.at("retry-failed")).to_be_visible()
    knowledge.at("only-failed").click()
    expect(knowledge.files).to_have_count(100)


def counted(route: Route, **numbers: Any) -> dict[str, Any]:
    """Return the real list of bases with changed fields in the user's own ones."""
    found = route.fetch().json()
    return {
        **found,
        "items": [item if item["bundled"] else {**item, **numbers} for item in found["items"]],
    }


def test_keyboard_focus_survives_a_refresh(
    knowledge: Knowledge, service: Service, harbour: str
) -> None:
    knowledge.page.route(BASES, lambda route: route.fulfill(json=counted(route, pending=1)))
    knowledge.reload().open().base("Harbour").click()
    knowledge.file("ferry.txt").locator("[data-file-delete]").focus()
    for _ in range(2):
        with knowledge.page.expect_response(LIST):
            pass
    expect(knowledge.file("ferry.txt").locator("[data-file-delete]")).to_be_focused()


# --- searching


@both
def test_a_search_shows_what_retrieval_returns(
    knowledge: Knowledge, harbour: str, language: str
) -> None:
    def found_by(route: Route) -> None:
        """Add the scores of each ranking, as the API does."""
        reply = route.fetch()
        by = (
            {"words": 0.97, "vectors": 0.81, "rerank": -1.5},
            {"words": None, "vectors": 0.64, "rerank": None},
            {"words": 0.4, "vectors": None},
        )
        items = [
            {**item, "by": by[number % 3]} for number, item in enumerate(reply.json()["items"])
        ]
        route.fulfill(response=reply, json={"items": items, "next": None})

    knowledge.page.route(SEARCH, found_by)
    knowledge.reload().open().base("Harbour").click()
    knowledge.search("How are the harbour master and the lighthouse keeper of Rottumeroog paid?")
    first = knowledge.hits.first
    expect(knowledge.hits).to_have_count(5)
    expect(first.locator("mark")).to_have_text(ENGLISH_SENTENCE)
    expect(first).to_contain_text("logbook.pdf")
    expect(first).to_contain_text(filled(language, "sources.page", page=ENGLISH_PAGE))
    expect(first.locator("[data-by-words]")).to_have_text(
        filled(language, "knowledge.search.by_words", score="0.97")
    )
    expect(first.locator("[data-by-vectors]")).to_have_text(
        filled(language, "knowledge.search.by_vectors", score="0.81")
    )
    expect(knowledge.hits.nth(1).locator("[data-by-words]")).to_have_text(
        words(language, "knowledge.search.by_words.not")
    )
    expect(knowledge.hits.nth(2).locator("[data-by-vectors]")).to_have_text(
        words(language, "knowledge.search.by_vectors.not")
    )
    expect(first.locator("[data-by-rerank]")).to_have_text(
        filled(language, "knowledge.search.by_rerank", score="-1.50")
    )
    expect(knowledge.hits.nth(1).locator("[data-by-rerank]")).to_have_text(
        words(language, "knowledge.search.by_rerank.not")
    )
    expect(knowledge.hits.nth(2).locator("[data-by-rerank]")).to_be_hidden()
    expect(knowledge.at("search-note")).to_have_text(
        filled(language, "knowledge.search.found.other", n=5)
    )
    knowledge.at("search-k").select_option("10")
    expect(knowledge.hits).to_have_count(10)
    first.locator("[data-hit-open]").click()
    expect(knowledge.name).to_have_text("logbook.pdf")
    knowledge.at("view-kind=text").click()
    expect(knowledge.at("chunks").locator("mark")).to_have_text(ENGLISH_SENTENCE)
    expect(knowledge.at("chunks").locator("mark")).to_be_in_viewport()
    knowledge.at("file-back").click()
    expect(knowledge.hits).to_have_count(10)


@both
def test_an_empty_or_failed_search_is_reported(
    knowledge: Knowledge, service: Service, faults: Faults, language: str
) -> None:
    faults.expect("Failed to load resource.*503")
    service.post("/api/knowledge", {"name": "Empty"})
    knowledge.reload().open().base("Empty").click()
    knowledge.at("tab=search").click()
    expect(knowledge.at("search-note")).to_have_text(words(language, "knowledge.search.lead"))
    knowledge.search("ferry")
    expect(knowledge.at("search-note")).to_have_text(words(language, "knowledge.search.nothing"))
    said = {
        "error": {
            "code": "knowledge_unavailable",
            "message": words(language, "error.knowledge_unavailable"),
        }
    }
    knowledge.page.route(SEARCH, lambda route: route.fulfill(status=503, json=said))
    knowledge.search("ferry")
    expect(knowledge.at("search-note")).to_have_text(words(language, "error.knowledge_unavailable"))
    expect(knowledge.hits).to_have_count(0)


@both
def test_a_base_shows_the_state_of_its_vectors_and_offers_reindexing(
    knowledge: Knowledge, harbour: str, language: str
) -> None:
    states: dict[str, Any] = {
        "state": "off",
        "made_with": None,
        "current": None,
        "done": 0,
        "total": 340,
    }
    asked: list[str] = []
    knowledge.page.route(BASES, lambda route: route.fulfill(json=counted(route, vectors=states)))
    knowledge.page.route(re.compile("/reindex$"), lambda route: reindex(route, states, asked))
    knowledge.reload().open().base("Harbour").click()
    expect(knowledge.vectors).to_contain_text(words(language, "knowledge.vectors.off"))
    expect(knowledge.vectors).to_contain_text(words(language, "knowledge.vectors.off.why"))
    expect(knowledge.at("reindex")).to_be_hidden()
    states.update(state="mismatch", made_with="all-MiniLM-L6-v2", current="bge-m3")
    knowledge.base("Harbour").click()
    expect(knowledge.vectors).to_contain_text("all-MiniLM-L6-v2")
    expect(knowledge.vectors).to_contain_text("bge-m3")
    knowledge.at("reindex").click()
    names = {"done": 120, "total": 340}
    expect(knowledge.vectors).to_contain_text(
        filled(language, "knowledge.vectors.building", **names)
    )
    expect(knowledge.at("vectors-progress")).to_have_attribute("max", "340")
    assert asked == ["POST"]
    states.update(state="ready", made_with="bge-m3", done=340)  # polled by the page
    expect(knowledge.vectors).to_have_text(
        re.compile(re.escape(filled(language, "knowledge.vectors.ready", made="bge-m3")))
    )
    expect(knowledge.at("vectors-progress")).to_be_hidden()


def reindex(route: Route, states: dict[str, Any], asked: list[str]) -> None:
    asked.append(route.request.method)
    states.update(state="building", done=120)
    route.fulfill(status=202, json={})


# --- accessibility and phones


def test_the_dialog_works_by_keyboard_alone(knowledge: Knowledge, harbour: str) -> None:
    page = knowledge.page
    knowledge.reload()
    page.locator("[data-open-knowledge]").focus()
    page.keyboard.press("Enter")
    expect(knowledge.root.locator("#knowledge-title")).to_be_focused()
    knowledge.base("Harbour").focus()
    page.keyboard.press("Enter")
    knowledge.at("tab=files").focus()
    page.keyboard.press("ArrowRight")
    expect(knowledge.at("tab=search")).to_be_focused()
    expect(knowledge.at("search-panel")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("ferry to Texel")
    page.keyboard.press("Enter")
    expect(knowledge.hits.first).to_contain_text("ferry.txt")
    page.keyboard.press("Escape")  # clears the search field
    page.keyboard.press("Escape")
    expect(knowledge.root).to_be_hidden()
    expect(page.locator("[data-open-knowledge]")).to_be_focused()


@pytest.mark.parametrize("window", [{"reduced_motion": "reduce"}], ids=["still"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dialog_has_no_accessibility_violations(
    chat: Chat, knowledge: Knowledge, harbour: str, tmp_path: Path, theme: str
) -> None:
    states = {
        "state": "mismatch",
        "made_with": "all-MiniLM-L6-v2",
        "current": "bge-m3",
        "done": 0,
        "total": 340,
    }
    chat.page.route(BASES, lambda route: route.fulfill(json=counted(route, vectors=states)))
    chat.reload().choose_base(harbour)
    chat.add(write_damaged_pdf(tmp_path))
    chat.add(text_file("a.txt", "Something."))
    expect(chat.upload("damaged.pdf")).to_have_attribute("data-status", "failed")
    chat.expect_found(chat.upload("a.txt"))
    assert violations(chat.page) == []
    knowledge.open()
    expect(knowledge.file("damaged.pdf")).to_be_visible()
    assert violations(chat.page) == []
    knowledge.search("ferry to Texel")
    expect(knowledge.hits.first).to_be_visible()
    assert violations(chat.page) == []
    knowledge.hits.first.locator("[data-hit-open]").click()
    expect(knowledge.at("chunks").locator("mark").first).to_be_visible()
    assert violations(chat.page) == []
    knowledge.at("new-base").click()
    assert violations(chat.page) == []


@phone
@both
def test_a_phone_shows_one_side_at_a_time_without_horizontal_scrolling(
    knowledge: Knowledge, harbour: str, language: str
) -> None:
    page = knowledge.page
    knowledge.reload()
    page.locator(".topbar [data-toggle-sidebar]").tap()
    knowledge.open()
    width = "document.querySelector('[data-dialog=knowledge]').scrollWidth"
    expect(knowledge.base("Harbour")).to_be_in_viewport()
    expect(knowledge.title).to_be_hidden()
    knowledge.base("Harbour").tap()
    expect(knowledge.title).to_be_in_viewport()
    expect(knowledge.base("Harbour")).to_be_hidden()
    assert page.evaluate(width) <= PHONE["width"]
    for hook in ("base-edit", "upload-here", "knowledge-back"):
        box = knowledge.at(hook).bounding_box()
        assert box and box["height"] >= 44, hook
    knowledge.file("logbook.pdf").locator("[data-file-open]").tap()
    expect(knowledge.name).to_be_in_viewport()
    assert page.evaluate(width) <= PHONE["width"]
    page.keyboard.press("Escape")  # like Back on a phone: one level up
    expect(knowledge.files).to_have_count(2)
    knowledge.search("ferry to Texel")
    expect(knowledge.hits.first).to_be_visible()
    assert page.evaluate(width) <= PHONE["width"]
    knowledge.at("knowledge-back").tap()
    expect(knowledge.base("Harbour")).to_be_in_viewport()
