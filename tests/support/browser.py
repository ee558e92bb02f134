"""The page object of the browser tests, and the texts of the catalogue."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    expect,
)

from chatapp.i18n import say
from tests.support.service import PATIENCE_SECONDS, ROOT, Service

CHROMIUM = "/usr/bin/chromium-headless-shell"  # without windows: less work
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP chat.example 127.0.0.1",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
EXPECT_MS = 120_000  # far more than anything takes: other processes may keep the cores busy
LANGUAGES = {"en-US": "en", "zh-CN": "zh-CN"}
# a figure whose diagram is drawn, or whose note says why not
DRAWN_OR_NOT = "figure[data-drawn], figure:not([aria-busy]):has([data-diagram-note]:not(:empty))"
WATCH = (
    "document.addEventListener('securitypolicyviolation', (e) =>"
    " console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`))"
)
CATALOGUES = {
    name: json.loads((ROOT / "static/i18n" / f"{name}.json").read_text("utf-8"))
    for name in ("en", "zh-CN")
}


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


def words(language: str, key: str) -> str:
    """Return a text of the catalogue without placeholders."""
    return str(CATALOGUES[LANGUAGES.get(language, language)][key])


def filled(language: str, key: str, **params: object) -> str:
    """Return a text of the catalogue with its placeholders filled."""
    return say(LANGUAGES.get(language, language), key, params)


def sentence(language: str, key: str) -> re.Pattern[str]:
    """Return a pattern for a text of the catalogue, whatever its placeholders hold."""
    parts = re.split(r" ?\{\w+\} ?", words(language, key))
    return re.compile(".+".join(re.escape(part) for part in parts))


class Faults:
    """The faults of a page: console errors, uncaught errors, violations of the CSP."""

    def __init__(self) -> None:
        self.expected: list[str] = []
        self._seen: list[str] = []

    def expect(self, *patterns: str) -> None:
        """Expect these lines, which the browser prints for requests that a test blocks."""
        self.expected += patterns

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._seen.append(f"page error: {error}"))

    def left(self) -> list[str]:
        """Return the unexpected faults."""
        return [
            line
            for line in self._seen
            if not any(re.search(pattern, line) for pattern in self.expected)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


class Windows:
    """The browser contexts of one user, reused by tests that need the same options."""

    def __init__(self, browser: Browser, service: Service, cookies: list) -> None:
        self._browser = browser
        self._url = service.url
        self._cookies = cookies
        self._kept: dict[str, BrowserContext] = {}

    @contextmanager
    def window(self, faults: Faults, **options: Any) -> Iterator[BrowserContext]:
        """Yield a context in its initial state: the login's cookies and nothing else."""
        name = json.dumps(options, sort_keys=True)
        if name not in self._kept:
            self._kept[name] = new_window(self._browser, self._url, **options)
        context = self._kept[name]
        context.add_cookies(self._cookies)
        context.on("page", faults.watch)
        yield context
        context.remove_listener("page", faults.watch)
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
            page.evaluate("localStorage.clear()")
            page.close()
        context.clear_cookies()
        context.clear_permissions()

    def close(self) -> None:
        for context in self._kept.values():
            context.close()


def sign_in(browser: Browser, service: Service) -> list:
    """Sign in with the one-time link and return the cookies."""
    context = browser.new_context(base_url=service.url)
    reply = context.request.post("/api/auth/login", data={"link": service.link().partition("#")[2]})
    assert reply.ok, reply.text()
    found = context.cookies()
    context.close()
    return found


def at_port(cookies: list, url: str) -> list:
    """Return a login's cookies for the same service at another port, which their names hold."""
    port = urlsplit(url).port
    return [cookie | {"name": re.sub(r"\d+$", str(port), cookie["name"])} for cookie in cookies]


def new_window(browser: Browser, url: str, **options: Any) -> BrowserContext:
    """Open a browser context in which CSP violations become console errors."""
    context = browser.new_context(base_url=url, **{"viewport": DESKTOP, **options})
    context.set_default_timeout(EXPECT_MS)
    context.add_init_script(WATCH)
    return context


DROP = """(target, [files, end]) => {
  const data = new DataTransfer();
  for (const [name, text, type] of files) data.items.add(new File([text], name, { type }));
  for (const kind of end ? ['dragover', 'drop'] : ['dragover']) {
    const init = { dataTransfer: data, bubbles: true, cancelable: true };
    target.dispatchEvent(new DragEvent(kind, init));
  }
}"""
PASTE = """(target, [files, text]) => {
  const data = new DataTransfer();
  for (const [name, content, type] of files) data.items.add(new File([content], name, { type }));
  if (text) data.setData('text/plain', text);
  const init = { clipboardData: data, bubbles: true, cancelable: true };
  const event = new ClipboardEvent('paste', init);
  target.dispatchEvent(event);
  return event.defaultPrevented;
}"""


def drop(target: Locator, files: dict[str, str], end: bool = True) -> None:
    """Drop text files on an element; without `end`, only drag them over it."""
    target.evaluate(DROP, [[[name, text, "text/plain"] for name, text in files.items()], end])


def paste(target: Locator, files: dict[str, str], text: str = "") -> bool:
    """Paste files, optionally with text; return whether the page handled the event."""
    kinds = [
        [name, content, "image/png" if name.endswith(".png") else "text/plain"]
        for name, content in files.items()
    ]
    return bool(target.evaluate(PASTE, [kinds, text]))


class Chat:
    """The chat page, by its `data-*` hooks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.input = page.locator("[data-input]")
        self.send = page.locator("[data-send]")
        self.stop = page.locator("[data-stop]")
        self.notice = page.locator("[data-notice]")
        self.questions = page.locator("[data-role=user]")
        self.answers = page.locator("[data-role=assistant]")
        self.connect_dialog = page.locator("[data-dialog=connect]")
        self.panel = page.locator("[data-source-panel]")
        self.uploads = page.locator("[data-uploads] [data-upload]")
        self.summary = page.locator("[data-uploads] [data-uploads-summary]")
        self.base = page.locator("[data-knowledge-picker] [data-picker-label]")

    def open(self, path: str = "/") -> "Chat":
        self.page.goto(path)
        return self.ready()

    def reload(self) -> "Chat":
        self.page.reload()
        return self.ready()

    def ready(self) -> "Chat":
        expect(self.page.locator("body[data-page=chat]")).to_have_attribute("data-ready", "")
        return self

    def choose_model(self, value: str) -> None:
        """Choose `supplier/model` in the composer."""
        self._choose("[data-model-picker]", value)

    def choose_base(self, base_id: str) -> None:
        """Choose the documents to answer from; an empty id for none."""
        self._choose("[data-knowledge-picker]", base_id)

    def open_connect(self) -> None:
        """Open the connect dialog from the list of models."""
        self.page.locator("[data-model-picker] [data-picker-button]").click()
        self.page.locator("[data-model-picker] [data-connect]").click()

    def _choose(self, picker: str, value: str) -> None:
        root = self.page.locator(picker)
        root.locator("[data-picker-button]").click()
        root.locator(f'[data-option="{value}"]').click()
        expect(root.locator("[role=menu]")).to_be_hidden()

    def menu(self, item: str) -> None:
        """Choose an item of the menu behind the title, by its hook."""
        root = self.page.locator("[data-title-menu]")
        root.locator("[data-title-button]").click()
        root.locator(item).click()
        expect(root.locator("[role=menu]")).to_be_hidden()

    def ask(self, text: str, model: str | None = None) -> Locator:
        """Ask and return the answer's element; with a model, choose it and no documents first."""
        if model:
            self.choose_base("")
            self.choose_model(f"openai/{model}")
        self.input.fill(text)
        self.send.click()
        return self.answers.last

    def add(self, *files: Path | dict[str, Any]) -> None:
        """Choose files, from disk or in memory, with the composer's button."""
        self.page.locator("[data-file-input]").set_input_files(list(files))  # type: ignore[arg-type]

    def upload(self, name: str) -> Locator:
        """Return the row of an upload in progress."""
        return self.uploads.filter(has=self.page.locator(".upload-name", has_text=name))

    def expect_found(self, upload: Locator) -> None:
        """Wait until a file can be searched."""
        expect(upload).to_have_attribute("data-status", re.compile("embedding|ready"))

    def text(self, answer: Locator) -> Locator:
        return answer.locator("[data-text]")

    def error(self, answer: Locator) -> Locator:
        return answer.locator("[data-error]")

    def expect_complete(self, answer: Locator) -> None:
        expect(answer).to_have_attribute("data-status", "complete")

    @property
    def session_id(self) -> str:
        """The id of the chat in the address."""
        expect(self.page).to_have_url(re.compile("/c/"))
        return self.page.url.rpartition("/")[2]


def until(page: Page, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition that no element shows, while the page's events are processed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        page.wait_for_timeout(20)


def static_path(page: Page) -> str:
    """Return the address of the static files, to import a module of the page."""
    source = page.locator("script[src$='/js/main.js']").get_attribute("src")
    return str(source).removesuffix("/js/main.js")


def modules_only(page: Page) -> str:
    """Load the page without its script, to import modules of it; return what `static_path` does.

    A bundled script has modules of its own, and only one may create the policy of Trusted Types.
    """
    page.route(
        "**/js/main.js", lambda route: route.fulfill(content_type="text/javascript", body="")
    )
    page.reload()
    return static_path(page)


def text_file(name: str, text: str) -> dict[str, Any]:
    """Return a text file in the form that Playwright accepts."""
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def own_bases(service: Service) -> list[dict]:
    """Return all knowledge bases except the bundled manual."""
    return [base for base in service.get("/api/knowledge").json["items"] if not base["bundled"]]


def files_of(service: Service, base_id: str) -> list[dict]:
    """Return the files of a base from the API."""
    return list(service.get(f"/api/knowledge/{base_id}/files?limit=1000").json["items"])


def delete_bases(service: Service) -> None:
    """Delete all bases that can be deleted."""
    for base in own_bases(service):
        service.request("DELETE", f"/api/knowledge/{base['id']}")


def messages(service: Service, session_id: str, role: str) -> list[dict]:
    """Return the stored messages of a role."""
    items = service.get(f"/api/sessions/{session_id}/messages").json["items"]
    return [item for item in items if item["role"] == role]


def delete_sessions(service: Service) -> None:
    """Delete all chats, which stops their live answers."""
    for session in service.get("/api/sessions?limit=200").json["items"]:
        service.request("DELETE", f"/api/sessions/{session['id']}")


def missing_browser() -> str:
    """Return what is missing to run a browser; empty if nothing is."""
    return (
        ""
        if Path(CHROMIUM).exists()
        else f"{CHROMIUM} is not installed: apt install chromium-headless-shell"
    )
