"""Where states are shown: the page in a look, on a service with a handbook and a good model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import PHONE, Chat, Faults, delete_sessions, new_window
from tests.support.imported import import_chat
from tests.support.modelserver import ModelServer
from tests.support.service import Service
from tests.support.typed_documents import write_handbook

DESKTOP = {"width": 1440, "height": 960}
MODEL = "atlas-32b"
BASES = {"en": "Employee handbook", "zh-CN": "员工手册"}
LEAVE = {
    "en": "How much leave do I get, and can I carry days over?",
    "zh-CN": "我每年有多少天年假？没有休完的怎么办？",
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

    @property
    def window(self) -> dict[str, Any]:
        """The options of a browser context with this look."""
        phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
        size = {"viewport": PHONE, **phone} if self.device == "phone" else {"viewport": DESKTOP}
        return {"locale": self.language, "color_scheme": self.theme, **size}


@dataclass(frozen=True, slots=True)
class Stage:
    chat: Chat
    look: Look
    service: Service
    faults: Faults
    cookies: list

    @property
    def page(self) -> Page:
        return self.chat.page

    @property
    def language(self) -> str:
        return self.look.language

    @property
    def on_phone(self) -> bool:
        return self.look.device == "phone"

    def reset(self) -> None:
        """Open a new chat beside a realistic list of chats."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.context.add_cookies(self.cookies)
        delete_sessions(self.service)
        for title in CHAT_TITLES[self.language]:
            assert self.service.post("/api/sessions", {"title": title}).status == 201
        self.page.goto("/healthz")
        self.page.evaluate("localStorage.clear()")
        self.chat.open()

    def ask(self, question: dict[str, str], supplier: str = "Atlas") -> Locator:
        """Ask a good model with the handbook."""
        self.choose_handbook()
        self.chat.choose_model(f"{supplier}/{MODEL}")
        return self.chat.ask(question[self.language])

    def answered(self) -> Locator:
        answer = self.ask(LEAVE)
        self.chat.expect_complete(answer)
        return answer

    def choose_handbook(self) -> None:
        picker = self.page.locator("[data-knowledge-picker]")
        picker.locator("[data-picker-button]").click()
        picker.locator("[data-option]", has_text=BASES[self.language]).click()

    def side(self, hook: str) -> Locator:
        """Return a part of the side bar, which is a drawer on a phone."""
        if self.on_phone:
            self.page.locator(".topbar [data-toggle-sidebar]").tap()
        part = self.page.locator(f"[data-sidebar] {hook}")
        expect(part.first).to_be_in_viewport()
        return part

    def import_chat(self, title: str, *turns: tuple[str, str], reasoning: str = "") -> str:
        """Import a chat of questions and answers, and return its id."""
        more = {"model": MODEL, "reasoning": reasoning}
        return import_chat(self.service, title, *turns, **more)


def prepare(service: Service, model_server: ModelServer, folder: Path) -> None:
    """Add the model and the handbooks."""
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
def open_stage(
    browser: Browser, service: Service, cookies: list, look: Look, **window: Any
) -> Iterator[Stage]:
    """Open the page in a look, signed in; a page error fails what is shown in it."""
    faults = Faults()
    context = new_window(browser, service.url, **{**look.window, **window})
    context.on("page", faults.watch)
    context.add_cookies(cookies)
    yield Stage(Chat(context.new_page()), look, service, faults, cookies)
    context.close()
    assert not faults.left(), faults.left()
