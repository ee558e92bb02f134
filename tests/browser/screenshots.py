"""Take screenshots of the real page into docs/screenshots: `make screenshots`.

Four states, each in four looks that together cover both themes, both languages, desktop and phone;
and the knowledge pages in one or two looks each.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Route, expect, sync_playwright

from tests.support.browser import (
    PHONE,
    Chat,
    Faults,
    delete_sessions,
    launch,
    missing_browser,
    new_window,
    sign_in,
    words,
)
from tests.support.modelserver import ModelServer
from tests.support.service import ROOT, Service
from tests.support.typed_documents import write_handbook

FOLDER = ROOT / "docs/screenshots"
READMES = {
    "screenshot": "finished-light-en-desktop",
    "screenshot.zh-CN": "finished-dark-zh-desktop",
}  # the screenshots they include
COLOURS = 255
WAIT_MS = 20_000
DESKTOP = {"width": 1440, "height": 960}
MODEL = "atlas-32b"
BASES = {"en": "Employee handbook", "zh-CN": "员工手册"}
LEAVE = {
    "en": "How much leave do I get, and can I carry days over?",
    "zh-CN": "我每年有多少天年假？没有休完的怎么办？",
}
EXPENSES = {"en": "How do I claim travel expenses?", "zh-CN": "出差的费用怎样报销？"}
DAYS = {"en": "How many days of leave do I get?", "zh-CN": "每年有多少天年假？"}
UPLOADS = {
    "en": (
        "Travel rules.pdf",
        "Hotel limits 2026.docx",
        "Pay scale.xlsx",
        "Minutes of May.md",
        "Minutes of June.md",
        "Canteen.pdf",
    ),
    "zh-CN": (
        "差旅制度.pdf",
        "住宿标准 2026.docx",
        "薪级表.xlsx",
        "五月会议纪要.md",
        "六月会议纪要.md",
        "食堂.pdf",
    ),
}
CHAT_TITLES = {
    "en": (
        "Notice period after the trial",
        "Working from Portugal in May",
        "Hotel limit in Rotterdam",
        "Budget for courses",
    ),
    "zh-CN": ("试用期内离职要提前几天", "居家办公的规定", "一线城市的住宿标准", "每年的学习经费"),
}


@dataclass(frozen=True, slots=True)
class Look:
    theme: str
    language: str
    device: str

    def __str__(self) -> str:
        return f"{self.theme}-{self.language.partition('-')[0]}-{self.device}"


LOOKS = (
    Look("light", "en", "desktop"),
    Look("dark", "zh-CN", "desktop"),
    Look("light", "zh-CN", "phone"),
    Look("dark", "en", "phone"),
)


def empty(chat: Chat, look: Look) -> None:
    """The empty page of a new user."""
    expect(chat.page.locator("[data-suggestion]").first).to_be_visible()


def streaming(chat: Chat, look: Look) -> None:
    """A streaming answer."""
    answer = _ask(chat, look, LEAVE, "Atlas, held")
    expect(chat.text(answer)).to_contain_text("Days that" if look.language == "en" else "结转的")
    expect(answer).to_have_attribute("data-status", "running")


def finished(chat: Chat, look: Look) -> None:
    """A finished answer with an open source."""
    answer = _ask(chat, look, LEAVE)
    chat.expect_complete(answer)
    cited = answer.locator('.cite[data-n="1"]').first
    cited.click()
    expect(chat.panel.locator("mark")).to_be_visible()
    if look.device == "phone":  # show the cited sentence above the panel
        cited.evaluate(
            "chip => { document.querySelector('[data-scroll]').scrollTop"
            " += chip.getBoundingClientRect().top - 260 }"
        )
    else:
        answer.locator("[data-actions]").scroll_into_view_if_needed()


def error(chat: Chat, look: Look) -> None:
    """A failed answer: partial text, error and actions."""
    answer = _ask(chat, look, EXPENSES)
    expect(answer).to_have_attribute("data-status", "failed")
    expect(chat.error(answer)).to_be_in_viewport()


def knowledge(chat: Chat, look: Look) -> None:
    """A knowledge base and a search in it."""
    if look.device == "phone":
        chat.page.locator(".topbar [data-toggle-sidebar]").tap()
    dialog = chat.page.locator("[data-dialog=knowledge]")
    chat.page.locator("[data-open-knowledge]").click()
    dialog.locator("[data-base]", has_text=BASES[look.language]).click()
    expect(dialog.locator("[data-file]").first).to_be_visible()
    dialog.locator("[data-tab=search]").click()
    dialog.locator("[data-search-query]").fill(DAYS[look.language])
    dialog.locator("[data-search-query]").press("Enter")
    expect(dialog.locator("[data-hit] mark").first).to_be_visible()
    chat.page.evaluate("document.activeElement.blur()")


def upload(chat: Chat, look: Look) -> None:
    """Uploads: two ready, one processing, one failed, the others waiting."""
    _choose_base(chat, look)
    chat.page.route(re.compile(r"/files$"), lambda route: _accept_four(route, look))
    chat.page.route(
        re.compile(r"/files\?limit"),
        lambda route: route.fulfill(json={"items": [_stored(n, look) for n in range(4)]}),
    )
    names = UPLOADS[look.language]
    files = [
        {"name": name, "mimeType": "text/plain", "buffer": b"x" * (40_000 + 9_000 * n)}
        for n, name in enumerate(names)
    ]
    chat.page.locator("[data-file-input]").set_input_files(files)  # type: ignore[arg-type]
    expect(chat.uploads.nth(5)).to_be_visible()
    expect(chat.upload(names[2])).to_have_attribute("data-status", "failed")


def _stored(number: int, look: Look) -> dict[str, object]:
    """Return a stored file: the first two ready, the third failed, the fourth processing."""
    status = ("ready", "ready", "failed", "parsing")[number]
    error = (
        {
            "code": "unreadable_file",
            "message": words(look.language, "error.unreadable_file.encrypted"),
        }
        if number == 2
        else None
    )
    name, size = UPLOADS[look.language][number], 40_000 + 9_000 * number
    return {
        "id": f"{number}",
        "name": name,
        "size": size,
        "status": status,
        "progress": 0.4,
        "error": error,
    }


def _accept_four(route: Route, look: Look) -> None:
    """Accept the first four files and leave the others waiting; uploads arrive in any order."""
    body = route.request.post_data_buffer or b""
    number = next(n for n, name in enumerate(UPLOADS[look.language]) if name.encode() in body)
    if number < 4:
        route.fulfill(status=202, json={"items": [_stored(number, look)]})


STATES: dict[str, Callable[[Chat, Look], None]] = {
    "empty": empty,
    "streaming": streaming,
    "finished": finished,
    "error": error,
}
DOCUMENTS: dict[tuple[str, Look], Callable[[Chat, Look], None]] = {
    ("knowledge", LOOKS[0]): knowledge,
    ("knowledge", LOOKS[3]): knowledge,
    ("upload", LOOKS[1]): upload,
}


def _ask(chat: Chat, look: Look, question: dict[str, str], supplier: str = "Atlas"):
    _choose_base(chat, look)
    chat.choose_model(f"{supplier}/{MODEL}")
    return chat.ask(question[look.language])


def _choose_base(chat: Chat, look: Look) -> None:
    picker = chat.page.locator("[data-knowledge-picker]")
    picker.locator("[data-picker-button]").click()
    picker.locator("[data-option]", has_text=BASES[look.language]).click()


def main() -> int:
    """Retake all screenshots."""
    if missing := missing_browser():
        print(missing, file=sys.stderr)
        return 1
    expect.set_options(timeout=WAIT_MS)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory() as home,
        ModelServer() as model_server,
        Service(Path(home)) as service,
    ):
        _prepare(service, model_server, Path(home))
        with sync_playwright() as playwright:
            browser = launch(playwright)
            cookies = sign_in(browser, service)
            for look in LOOKS:
                with _open_chat(browser, service, cookies, look) as chat:
                    documents = {
                        name: show for (name, only), show in DOCUMENTS.items() if only == look
                    }
                    for name, show in (STATES | documents).items():
                        _reset_chats(service, look)
                        show(chat.open(), look)
                        _save(chat, f"{name}-{look}")
            browser.close()
    for name, picture in READMES.items():
        shutil.copyfile(FOLDER / f"{picture}.png", ROOT / f"docs/{name}.png")
    return 0


def _prepare(service: Service, model_server: ModelServer, folder: Path) -> None:
    # The key sk-hold makes the model server stop halfway through an answer.
    for name, key in (("Atlas", ""), ("Atlas, held", "sk-hold")):
        supplier = {
            "name": name,
            "base_url": model_server.base_url,
            "models": [MODEL],
            "api_key": key,
        }
        assert service.post("/api/suppliers", supplier).status == 201
    for language, name in BASES.items():
        service.add_documents(name, write_handbook(folder, language))


@contextmanager
def _open_chat(browser: Browser, service: Service, cookies: list, look: Look) -> Iterator[Chat]:
    """Open the chat page in a look, signed in."""
    faults = Faults()
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    window = {"viewport": PHONE, **phone} if look.device == "phone" else {"viewport": DESKTOP}
    context = new_window(
        browser, service.url, locale=look.language, color_scheme=look.theme, **window
    )
    context.on("page", faults.watch)
    context.add_cookies(cookies)
    yield Chat(context.new_page())
    context.close()
    assert not faults.left(), faults.left()


def _reset_chats(service: Service, look: Look) -> None:
    """Reset the list of chats to a realistic one."""
    delete_sessions(service)
    for title in CHAT_TITLES[look.language]:
        assert service.post("/api/sessions", {"title": title}).status == 201


def _save(chat: Chat, name: str) -> None:
    """Save a screenshot with a palette: a third of the size without a visible difference."""
    chat.page.mouse.move(0, 0)
    picture = Image.open(BytesIO(chat.page.screenshot(animations="disabled", caret="hide")))
    target = FOLDER / f"{name}.png"
    picture.convert("RGB").quantize(
        COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    ).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main())
