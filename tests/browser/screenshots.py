"""Take pictures of the real page into docs/screenshots: `make screenshots`.

Four states, each in four looks that together show both themes, both languages, a desk's width and a phone's.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.documents import write_handbook
from tests.browser.driver import PHONE, Chat, Faults, delete_sessions, launch, missing_browser, new_window, sign_in
from tests.modelserver import ModelServer
from tests.service import ROOT, Service

FOLDER = ROOT / "docs/screenshots"
BEST = "finished-light-en-desktop"
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
EARLIER = {
    "en": ("Notice period after the trial", "Working from Portugal in May", "Hotel limit in Rotterdam", "Budget for courses"),
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
    """The page as it greets somebody new."""
    expect(chat.page.locator("[data-suggestion]").first).to_be_visible()


def streaming(chat: Chat, look: Look) -> None:
    """An answer in the middle of its being written."""
    answer = _ask(chat, look, LEAVE, "Atlas, held")
    expect(chat.text(answer)).to_contain_text("Days that" if look.language == "en" else "结转的")
    expect(answer).to_have_attribute("data-status", "running")


def finished(chat: Chat, look: Look) -> None:
    """An answer with the source of one of its sentences open."""
    answer = _ask(chat, look, LEAVE)
    chat.expect_complete(answer)
    cited = answer.locator('.cite[data-n="1"]').first
    cited.click()
    expect(chat.panel.locator("mark")).to_be_visible()
    if look.device == "phone":  # the panel covers the lower part: show the sentence that was tapped above it
        cited.evaluate("chip => { document.querySelector('[data-scroll]').scrollTop += chip.getBoundingClientRect().top - 260 }")
    else:
        answer.locator("[data-actions]").scroll_into_view_if_needed()


def error(chat: Chat, look: Look) -> None:
    """An answer that broke off: what had arrived, why, and what to do."""
    answer = _ask(chat, look, EXPENSES)
    expect(answer).to_have_attribute("data-status", "failed")
    expect(chat.error(answer)).to_be_in_viewport()


STATES: dict[str, Callable[[Chat, Look], None]] = {
    "empty": empty,
    "streaming": streaming,
    "finished": finished,
    "error": error,
}


def _ask(chat: Chat, look: Look, question: dict[str, str], supplier: str = "Atlas"):
    picker = chat.page.locator("[data-knowledge-picker]")
    picker.locator("[data-picker-button]").click()
    picker.locator("[data-option]", has_text=BASES[look.language]).click()
    chat.choose_model(f"{supplier}/{MODEL}")
    return chat.ask(question[look.language])


def main() -> int:
    """Take all pictures anew."""
    if missing := missing_browser():
        print(missing, file=sys.stderr)
        return 1
    expect.set_options(timeout=WAIT_MS)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as home, ModelServer() as model_server, Service(Path(home)) as service:
        _prepare(service, model_server, Path(home))
        with sync_playwright() as playwright:
            browser = launch(playwright)
            cookies = sign_in(browser, service)
            for look in LOOKS:
                with _looking(browser, service, cookies, look) as chat:
                    for name, reach in STATES.items():
                        _tidy(service, look)
                        reach(chat.open(), look)
                        _save(chat, f"{name}-{look}")
            browser.close()
    shutil.copyfile(FOLDER / f"{BEST}.png", ROOT / "docs/screenshot.png")
    return 0


def _prepare(service: Service, model_server: ModelServer, folder: Path) -> None:
    for name, key in (("Atlas", ""), ("Atlas, held", "sk-hold")):  # the second one's answers stay half-way
        supplier = {"name": name, "base_url": model_server.base_url, "models": [MODEL], "api_key": key}
        assert service.post("/api/suppliers", supplier).status == 201
    for language, name in BASES.items():
        service.add_documents(name, write_handbook(folder, language))


@contextmanager
def _looking(browser: Browser, service: Service, cookies: list, look: Look) -> Iterator[Chat]:
    """The chat with a look, by somebody signed in."""
    faults = Faults()
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    window = {"viewport": PHONE, **phone} if look.device == "phone" else {"viewport": DESKTOP}
    context = new_window(browser, service.url, locale=look.language, color_scheme=look.theme, **window)
    context.on("page", faults.watch)
    context.add_cookies(cookies)
    yield Chat(context.new_page())
    context.close()
    assert not faults.left(), faults.left()


def _tidy(service: Service, look: Look) -> None:
    """Leave a list of chats as somebody has who uses it."""
    delete_sessions(service)
    for title in EARLIER[look.language]:
        assert service.post("/api/sessions", {"title": title}).status == 201


def _save(chat: Chat, name: str) -> None:
    """Write a picture with a palette: a third of the size, and no difference to the eye."""
    chat.page.mouse.move(0, 0)
    picture = Image.open(BytesIO(chat.page.screenshot(animations="disabled", caret="hide")))
    target = FOLDER / f"{name}.png"
    picture.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main())
