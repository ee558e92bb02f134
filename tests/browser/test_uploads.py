"""Uploads: adding files, their states on the page, and errors, which must not lose a file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.browser import (
    LANGUAGES,
    Chat,
    Faults,
    delete_bases,
    drop,
    files_of,
    filled,
    own_bases,
    paste,
    sentence,
    text_file,
    until,
    words,
)
from tests.support.service import Service
from tests.support.typed_documents import write_damaged_pdf

UPLOAD = re.compile(r"/api/knowledge/([0-9a-f-]{36}/files|files\?name=[^&]*)$")
LIST = re.compile(r"/api/knowledge/[0-9a-f-]{36}/files\?")
REFUSED = r"Failed to load resource.*"
FERRY = text_file("Ferry times.txt", "The ferry to Texel leaves every hour.")
BAKERY = text_file("bakery.txt", "The bakery on the quay opens at six.")
both = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


class HeldUploads:
    """Intercepts uploads and holds them until they are released or refused."""

    def __init__(self, page: Page) -> None:
        self.routes: list[Route] = []
        self._open = False
        page.route(UPLOAD, self._hold)

    def _hold(self, route: Route) -> None:
        if self._open or route.request.method != "POST":
            route.continue_()
        else:
            self.routes.append(route)

    def refuse(self) -> None:
        """Continue the held uploads without the login cookie."""
        self._open = True
        for route in self.routes:
            route.continue_(
                headers={
                    name: value for name, value in route.request.headers.items() if name != "cookie"
                }
            )

    def release(self) -> None:
        self._open = True
        for route in self.routes:
            route.continue_()
        self.routes.clear()


def refuse(page: Page, status: int, body: str = "", times: int = 1) -> None:
    page.route(UPLOAD, lambda route: route.fulfill(status=status, body=body), times=times)


# --- target of files


def test_dropping_a_file_on_a_new_chat_creates_a_base_named_after_it(
    chat: Chat, service: Service
) -> None:
    assert own_bases(service) == []
    drop(chat.page.locator("body"), {"Ferry times.txt": "The ferry to Texel leaves every hour."})
    expect(chat.base).to_have_text("Ferry times")
    chat.expect_found(chat.upload("Ferry times.txt"))
    drop(chat.page.locator("body"), {"bakery.txt": "The bakery on the quay opens at six."})
    chat.expect_found(chat.upload("bakery.txt"))
    assert [(base["name"], base["files"]) for base in own_bases(service)] == [("Ferry times", 2)]
    chat.choose_model("builtin/extractive")
    answer = chat.ask("When does the bakery open?")
    expect(chat.text(answer)).to_contain_text("The bakery on the quay opens at six.")
    expect(answer.locator("[data-context]")).to_have_text("Ferry times")
    expect(chat.uploads).to_have_count(0)  # ready uploads are hidden once a question is sent


def test_files_dropped_while_the_base_is_created_go_into_it(chat: Chat, service: Service) -> None:
    waiting: list[Route] = []
    chat.page.route(UPLOAD, lambda route: waiting.append(route), times=1)
    drop(chat.page.locator("body"), {"one.txt": "One is the first number."})
    drop(chat.page.locator("body"), {"two.txt": "Two is the second number."})
    until(chat.page, lambda: waiting)
    waiting.pop().continue_()
    chat.expect_found(chat.upload("one.txt"))
    chat.expect_found(chat.upload("two.txt"))
    assert not waiting
    assert [(base["name"], base["files"]) for base in own_bases(service)] == [("one", 2)]


def test_files_go_into_the_chosen_base(chat: Chat, service: Service) -> None:
    base = service.post("/api/knowledge", {"name": "Harbour"}).json["id"]
    chat.reload().choose_base(base)
    drop(
        chat.page.locator("body"), {"ferry.txt": "The ferry to Texel leaves every hour."}, end=False
    )
    expect(chat.page.locator("[data-drop-veil]")).to_contain_text("Harbour")
    drop(chat.page.locator("body"), {"ferry.txt": "The ferry to Texel leaves every hour."})
    chat.expect_found(chat.upload("ferry.txt"))
    expect(chat.base).to_have_text("Harbour")
    chat.choose_base("")  # no documents: the next file creates a base
    chat.add(BAKERY)
    expect(chat.base).to_have_text("bakery")
    chat.expect_found(chat.upload("bakery.txt"))
    assert sorted((one["name"], one["files"]) for one in own_bases(service)) == [
        ("Harbour", 1),
        ("bakery", 1),
    ]


def test_a_dropped_folder_is_walked_and_names_the_base(
    chat: Chat, service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "North sea"
    (folder / "ports" / "small").mkdir(parents=True)
    (folder / "tides.txt").write_text("High water at Den Helder is at noon.")
    (folder / "ports" / "texel.txt").write_text("The ferry to Texel leaves every hour.")
    (folder / "ports" / "small" / "vlieland.txt").write_text("Vlieland has one village.")
    (folder / ".DS_Store").write_text("clutter")
    devtools = chat.page.context.new_cdp_session(chat.page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 300, "data": data})
    expect(chat.base).to_have_text("North sea")
    expect(chat.summary).to_have_text(re.compile("3"))
    for name in ("tides.txt", "texel.txt", "vlieland.txt"):
        chat.expect_found(chat.upload(name))
    (base,) = own_bases(service)
    assert {file["name"] for file in files_of(service, base["id"])} == {
        "tides.txt",
        "texel.txt",
        "vlieland.txt",
    }


@both
def test_pasted_files_are_added_pictures_too_text_is_pasted(
    chat: Chat, service: Service, language: str
) -> None:
    assert paste(chat.input, {"ferry.txt": "The ferry to Texel leaves every hour."})
    chat.expect_found(chat.upload("ferry.txt"))
    chat.choose_model("builtin/extractive")  # for a model that sees, it would go with the question
    assert paste(chat.input, {"image.png": "not really"})  # the server looks at the content
    chat.expect_found(chat.upload("image.png"))
    assert not paste(chat.input, {"image.png": "cells of a table as a picture"}, "cells of a table")
    expect(chat.uploads).to_have_count(2)
    names = {file["name"] for file in files_of(service, own_bases(service)[0]["id"])}
    assert names == {"ferry.txt", "image.png"}


def test_a_base_is_made_only_when_a_file_is_accepted(
    chat: Chat, service: Service, faults: Faults
) -> None:
    faults.expect(REFUSED + "413")
    held = HeldUploads(chat.page)
    chat.add(FERRY, BAKERY)
    expect(chat.base).to_have_text("2 documents")
    until(chat.page, lambda: held.routes)
    assert own_bases(service) == []
    held.routes.pop().fulfill(status=413)
    expect(chat.upload("Ferry times.txt")).to_have_attribute("data-status", "failed")
    until(chat.page, lambda: held.routes)
    assert own_bases(service) == []
    held.release()  # the second file makes it
    chat.expect_found(chat.upload("bakery.txt"))
    expect(chat.base).to_have_text("2 documents")
    chat.upload("Ferry times.txt").locator("[data-upload-retry]").click()
    chat.expect_found(chat.upload("Ferry times.txt"))
    assert [(base["name"], base["files"]) for base in own_bases(service)] == [("2 documents", 2)]


@both
def test_files_that_are_all_refused_leave_no_base_until_one_is_accepted(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "413")
    before = chat.base.inner_text()
    refuse(chat.page, 413, times=2)
    chat.add(FERRY, BAKERY)
    ferry = chat.upload("Ferry times.txt")
    expect(ferry).to_have_attribute("data-status", "failed")
    expect(chat.upload("bakery.txt")).to_have_attribute("data-status", "failed")
    expect(chat.base).to_have_text(before)
    assert own_bases(service) == []
    ferry.locator("[data-upload-retry]").click()
    chat.expect_found(ferry)
    named = filled(language, "documents.base.other", n=2)
    expect(chat.base).to_have_text(named)
    assert [(base["name"], base["files"]) for base in own_bases(service)] == [(named, 1)]


@both
def test_a_base_is_renamed_where_its_name_is_shown(
    chat: Chat, service: Service, language: str
) -> None:
    chat.add(FERRY)
    chat.expect_found(chat.upload("Ferry times.txt"))
    picker = chat.page.locator("[data-knowledge-picker]")
    field = picker.locator("[data-base-rename]")
    for name, key in (("North sea", "Enter"), ("not this", "Escape"), ("Harbour", "Tab")):
        picker.locator("[data-picker-button]").click()
        picker.locator("[data-rename-base]").click()
        expect(field).to_be_focused()
        field.fill(name)
        field.press(key)
        expect(field).to_have_count(0)
        expect(chat.base).to_have_text("North sea" if key != "Tab" else name)
    assert [base["name"] for base in own_bases(service)] == ["Harbour"]
    chat.choose_base("")
    picker.locator("[data-picker-button]").click()
    expect(picker.locator("[data-manage]")).to_be_visible()
    expect(picker.locator("[data-rename-base]")).to_have_count(0)


# --- display


@both
def test_each_upload_shows_size_state_and_error(chat: Chat, tmp_path: Path, language: str) -> None:
    chat.add(write_damaged_pdf(tmp_path))
    damaged = chat.upload("damaged.pdf")
    expect(damaged).to_have_attribute("data-status", "failed")
    expect(damaged).to_contain_text(words(language, "error.unreadable_file"))
    chat.add(FERRY, BAKERY)
    chat.expect_found(chat.upload("Ferry times.txt"))
    chat.expect_found(chat.upload("bakery.txt"))
    expect(chat.upload("bakery.txt")).to_contain_text("1 KB")
    expect(chat.summary).to_have_text(
        filled(language, "documents.summary.failed", found=2, total=3, failed=1)
    )
    expect(chat.page.locator("[data-announcer]")).to_have_text(chat.summary.inner_text())
    with chat.page.expect_response(re.compile("/retry$")):
        damaged.locator("[data-upload-retry]").click()
    expect(damaged).to_have_attribute("data-status", "failed")
    chat.upload("bakery.txt").locator("[data-upload-show]").click()
    expect(chat.page.locator("[data-dialog=knowledge] [data-this-name]")).to_have_text("bakery.txt")
    expect(chat.page.locator("[data-dialog=knowledge] [data-chunks]")).to_contain_text(
        "opens at six"
    )


@both
def test_a_duplicate_is_reported_and_opens_the_existing_file(
    chat: Chat, service: Service, language: str
) -> None:
    chat.add(FERRY)
    chat.expect_found(chat.upload("Ferry times.txt"))
    chat.page.route(UPLOAD, mark_duplicate)
    chat.add({**FERRY, "name": "the same.txt"})
    row = chat.upload("the same.txt")
    expect(row).to_contain_text(filled(language, "documents.duplicate.as", name="Ferry times.txt"))
    row.locator("[data-upload-show]").click()
    expect(chat.page.locator("[data-dialog=knowledge] [data-this-name]")).to_have_text(
        "Ferry times.txt"
    )
    chat.page.keyboard.press("Escape")
    row.locator("[data-upload-cancel]").click()
    expect(row).to_have_count(0)
    assert len(files_of(service, own_bases(service)[0]["id"])) == 1


def mark_duplicate(route: Route) -> None:
    """Respond as the API does for bytes that the base already holds."""
    reply = route.fetch()
    route.fulfill(
        response=reply,
        json={
            **reply.json(),
            "items": [{**item, "duplicate": True} for item in reply.json()["items"]],
        },
    )


class ManyFiles:
    """Fakes a server that accepts any number of files and counts requests."""

    def __init__(self, page: Page, failing: int) -> None:
        self.files: list[dict] = []
        self.lists = 0
        self.retried = 0
        self._failing = failing
        page.route(UPLOAD, self._take)
        page.route(LIST, self._list)
        page.route(re.compile("/retry$"), self._retry)

    def _retry(self, route: Route) -> None:
        self.retried += 1
        self._failing = 0
        file = next(file for file in self.files if file["id"] in route.request.url)
        file.update(status="queued", error=None)
        route.fulfill(status=202, json=file)

    def _take(self, route: Route) -> None:
        number = len(self.files)
        file = {
            "id": f"00000000-0000-4000-8000-{number:012}",
            "name": f"{number}.txt",
            "size": 10,
            "status": "queued",
        }
        self.files.insert(0, file)
        route.fulfill(status=202, json={"items": [file]})

    def _list(self, route: Route) -> None:
        self.lists += 1
        for file in self.files[-20 * self.lists :]:
            number = int(file["id"][-12:])
            file["status"] = "failed" if number < self._failing else "ready"
            file["error"] = (
                {"code": "unreadable_file", "message": "damaged"}
                if number < self._failing
                else None
            )
        route.fulfill(
            json={
                "items": self.files[: int(re.findall(r"limit=(\d+)", route.request.url)[0])],
                "next": None,
            }
        )


def test_uploads_are_chips_in_one_line_and_many_are_counted(chat: Chat) -> None:
    held = HeldUploads(chat.page)
    chat.add(*[text_file(f"{number}.txt", f"Number {number}") for number in range(5)])
    expect(chat.uploads).to_have_count(5)
    tops = chat.uploads.evaluate_all("rows => rows.map((row) => row.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    fold = chat.page.locator("[data-uploads] [data-uploads-fold]")
    expect(fold).to_have_attribute("aria-expanded", "true")
    chat.add(*[text_file(f"{number}.txt", f"Number {number}") for number in range(5, 20)])
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(chat.summary).to_contain_text("20")
    expect(chat.uploads.first).to_be_hidden()
    fold.click()
    expect(chat.uploads.first).to_be_visible()
    held.release()


@both
def test_hundreds_of_uploads_need_few_rows_and_requests(
    chat: Chat, service: Service, language: str
) -> None:
    base = service.post("/api/knowledge", {"name": "Harbour"}).json["id"]
    chat.reload().choose_base(base)
    server = ManyFiles(chat.page, failing=2)
    chat.add(*[text_file(f"{number}.txt", f"Number {number}") for number in range(200)])
    expect(chat.uploads.nth(29)).to_be_attached()
    assert chat.uploads.count() <= 30
    expect(chat.summary).to_have_text(re.compile("200"))
    counted = filled(language, "documents.summary.failed", found=198, total=200, failed=2)
    expect(chat.summary).to_have_text(counted)
    expect(chat.uploads).to_have_count(2)  # the failed ones
    assert server.lists < 40
    fold = chat.page.locator("[data-uploads] [data-uploads-fold]")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(chat.uploads.first).to_be_hidden()
    fold.click()
    chat.page.locator("[data-uploads] [data-uploads-retry]").click()
    expect(chat.summary).to_have_text(filled(language, "documents.summary.done.other", n=200))
    assert server.retried == 2
    chat.page.locator("[data-uploads] [data-uploads-close]").click()
    expect(chat.page.locator("[data-uploads] section")).to_be_hidden()


@both
def test_a_file_over_the_size_limit_is_not_sent(
    chat: Chat, service: Service, language: str
) -> None:
    limited = re.compile(r'"upload_bytes":\d+')
    chat.page.route(
        service.url + "/",
        lambda route: route.fulfill(
            body=limited.sub('"upload_bytes":1048576', route.fetch().text())
        ),
    )
    chat.open()
    sent: list[str] = []
    chat.page.on(
        "request", lambda request: sent.append(request.url) if UPLOAD.search(request.url) else None
    )
    chat.add({"name": "film.pdf", "mimeType": "application/pdf", "buffer": b"x" * 1_100_000}, FERRY)
    film = chat.upload("film.pdf")
    expect(film).to_contain_text(filled(language, "documents.too_large", limit="1.0 MB"))
    expect(film.locator("[data-upload-retry]")).to_be_hidden()
    chat.expect_found(chat.upload("Ferry times.txt"))
    assert len(sent) == 1


# --- errors


@both
def test_a_413_of_a_proxy_is_reported_and_can_be_retried(
    chat: Chat, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "413")
    refuse(chat.page, 413, "<html>Request Entity Too Large</html>")
    chat.add(FERRY)
    ferry = chat.upload("Ferry times.txt")
    expect(ferry).to_contain_text(words(language, "documents.too_large.unknown"))
    chat.add(BAKERY)
    chat.expect_found(chat.upload("bakery.txt"))
    ferry.locator("[data-upload-retry]").click()
    chat.expect_found(ferry)


@both
def test_offline_uploads_wait_and_resume_automatically(
    chat: Chat, context: BrowserContext, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "ERR_", "Failed to fetch")
    held = chat.page.locator("[data-uploads] [data-uploads-held]")
    chat.add(FERRY)
    chat.expect_found(chat.upload("Ferry times.txt"))
    context.set_offline(True)
    chat.add(BAKERY, text_file("tides.txt", "High water at Den Helder is at noon."))
    expect(held).to_contain_text(words(language, "documents.offline"))
    expect(chat.upload("tides.txt")).to_have_attribute("data-status", "waiting")
    context.set_offline(False)
    chat.expect_found(chat.upload("bakery.txt"))
    chat.expect_found(chat.upload("tides.txt"))
    expect(held).to_be_hidden()


@both
def test_a_full_disk_holds_the_queue_until_it_is_resumed(
    chat: Chat, service: Service, faults: Faults, language: str
) -> None:
    base = service.post("/api/knowledge", {"name": "Coast"}).json["id"]
    chat.reload().choose_base(base)
    faults.expect(REFUSED + "507")
    full = {"error": {"code": "disk_full", "message": words(language, "error.disk_full")}}
    refuse(chat.page, 507, json.dumps(full), times=3)
    chat.add(
        *[
            text_file(f"{name}.txt", f"This is about {name}.")
            for name in ("tides", "dunes", "seals", "eels", "gulls")
        ]
    )
    expect(chat.page.locator("[data-uploads-held]").first).to_contain_text(
        words(language, "error.disk_full")
    )
    expect(chat.upload("gulls.txt")).to_have_attribute("data-status", "waiting")
    chat.page.locator("[data-uploads] [data-held-go]").click()
    for name in ("tides", "dunes", "seals", "eels", "gulls"):
        chat.expect_found(chat.upload(f"{name}.txt"))


@both
def test_a_lost_login_holds_the_queue_until_the_user_signs_in(
    chat: Chat, context: BrowserContext, cookies: list, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "401")
    waiting = HeldUploads(chat.page)
    chat.add(BAKERY)
    until(chat.page, lambda: waiting.routes)
    context.clear_cookies()
    waiting.refuse()
    held = chat.page.locator("[data-uploads] [data-uploads-held]")
    expect(held).to_contain_text(words(language, "documents.signed_out"))
    expect(held.locator("[data-held-sign-in]")).to_have_attribute("target", "_blank")
    expect(chat.page).not_to_have_url(re.compile("sign-in"))
    context.add_cookies(cookies)
    held.locator("[data-held-go]").click()
    chat.expect_found(chat.upload("bakery.txt"))


def test_cancelled_uploads_leave_nothing(chat: Chat, service: Service) -> None:
    base = service.post("/api/knowledge", {"name": "Harbour"}).json["id"]
    chat.reload().choose_base(base)
    held = HeldUploads(chat.page)
    broken: list[str] = []
    chat.page.on("requestfailed", lambda request: broken.append(request.url))
    chat.add(
        FERRY,
        BAKERY,
        text_file("tides.txt", "High water at noon."),
        text_file("dunes.txt", "Dunes are sand."),
    )
    expect(chat.upload("dunes.txt")).to_have_attribute("data-status", "waiting")
    until(chat.page, lambda: len(held.routes) == 3)
    chat.upload("dunes.txt").locator("[data-upload-cancel]").click()
    expect(chat.upload("dunes.txt")).to_have_count(0)
    chat.page.locator("[data-uploads] [data-uploads-close]").click()
    expect(chat.uploads).to_have_count(0)
    until(chat.page, lambda: len(broken) == 3)
    assert files_of(service, base) == []


def test_cancelling_an_unprocessed_file_deletes_it(chat: Chat, service: Service) -> None:
    base = service.post("/api/knowledge", {"name": "Harbour"}).json["id"]
    chat.reload().choose_base(base)
    chat.page.route(LIST, lambda route: route.fulfill(json=unread(route)))
    chat.page.route(UPLOAD, lambda route: route.fulfill(response=route.fetch()))
    chat.add(FERRY)
    row = chat.upload("Ferry times.txt")
    expect(row).to_have_attribute("data-status", "queued")
    row.locator("[data-upload-cancel]").click()
    expect(row).to_have_count(0)
    until(chat.page, lambda: files_of(service, base) == [])


def unread(route: Route) -> dict:
    """Return the real list with every file still queued."""
    found = route.fetch().json()
    return {**found, "items": [{**item, "status": "queued"} for item in found["items"]]}


def test_leaving_the_page_is_confirmed_only_while_files_are_unsent(
    chat: Chat, faults: Faults
) -> None:
    asked: list[str] = []
    chat.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    chat.input.click()  # beforeunload needs a user gesture
    held = HeldUploads(chat.page)
    chat.add(FERRY)
    until(chat.page, lambda: held.routes)
    chat.page.close(run_before_unload=True)
    until(chat.page, lambda: asked)
    assert asked == ["beforeunload"]
    held.release()
    chat.expect_found(chat.upload("Ferry times.txt"))
    chat.reload()
    assert asked == ["beforeunload"]


# --- questions


@both
def test_a_question_waits_for_the_uploads_of_its_base(chat: Chat, language: str) -> None:
    chat.choose_model("builtin/extractive")
    held = HeldUploads(chat.page)
    chat.add(FERRY)
    expect(chat.base).to_have_text("Ferry times")
    chat.input.fill("When does the ferry to Texel leave?")
    chat.send.click()
    expect(chat.notice).to_contain_text(sentence(language, "composer.sending.one"))
    expect(chat.questions).to_have_count(0)
    held.release()
    expect(chat.questions).to_have_count(1)
    expect(chat.input).to_have_value("")
    expect(chat.notice).to_be_hidden()


def test_a_waiting_question_can_be_sent_without_the_uploads(chat: Chat) -> None:
    chat.choose_model("builtin/extractive")
    held = HeldUploads(chat.page)
    chat.add(FERRY)
    expect(chat.base).to_have_text("Ferry times")
    chat.input.fill("Anything at all?")
    chat.send.click()
    chat.page.locator("[data-notice-action]").click()
    expect(chat.questions).to_have_count(1)
    held.release()


STREAM = """() => {
  const real = window.fetch;
  window.fetch = (path, init) => {
    if (!window.scripted) return real(path, init);
    if (String(path).includes('6f1c0000-')) return new Promise(() => {}); // made up
    if (path !== '/chat/stream') return real(path, init);
    const body = new ReadableStream({ start: (controller) => {
      const encoder = new TextEncoder();
      window.push = (event) => controller.enqueue(
        encoder.encode(`event: ${event.type}\\ndata: ${JSON.stringify(event)}\\n\\n`));
      window.end = () => controller.close();
    } });
    window.asked = [...(window.asked ?? []), JSON.parse(init.body)];
    const headers = { 'Content-Type': 'text/event-stream' };
    return Promise.resolve(new Response(body, { headers }));
  };
}"""
NAMES = ("leave.pdf", "travel.docx", "budget.xlsx", "hotels.pdf", "phones.md")


@both
def test_an_answer_lists_the_files_that_were_unread(context: BrowserContext, language: str) -> None:
    page = context.new_page()
    page.add_init_script(f"({STREAM})()")
    chat = Chat(page).open()
    page.evaluate("window.scripted = true")
    answer = chat.ask("How many days of leave?")
    ids = {
        "session_id": "6f1c0000-0000-4000-8000-000000000001",
        "message_id": "6f1c0000-0000-4000-8000-000000000002",
    }
    push = "event => window.push(event)"
    page.evaluate(
        push,
        {
            "type": "context",
            "data": "Handbook",
            "question_id": "6f1c0000-0000-4000-8000-000000000003",
            **ids,
        },
    )
    page.evaluate(push, {"type": "status", "data": "reading"})
    expect(answer.locator("[data-phase-text]")).to_contain_text(words(language, "phase.reading"))
    expect(answer.locator("[data-phase-text]")).to_contain_text(sentence(language, "phase.seconds"))
    page.evaluate(push, {"type": "chunk", "data": "Nobody knows."})
    files = [{"file_id": str(number), "name": name} for number, name in enumerate(NAMES)]
    page.evaluate(
        push, {"type": "done", "data": {"finish_reason": "stop", "citations": [], "unread": files}}
    )
    notice = answer.locator("[data-unread]")
    expect(notice).to_contain_text("leave.pdf")
    expect(notice).to_contain_text(filled(language, "answer.unread.more.other", n=2))
    expect(notice).not_to_contain_text("phones.md")
    notice.locator("[data-unread-again]").click()
    page.wait_for_function("window.asked.length === 2")
    assert page.evaluate("window.asked[1].question_id") == "6f1c0000-0000-4000-8000-000000000003"
